"""What a backbone starts from: ImageNet's weights, random ones or a file."""

import hashlib
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch

from xray.errors import ConfigError, WeightsError
from xray.model.backbone import Backbone, build_backbone, torchvision_names
from xray.model.imagenet import WeightsUnavailableError, imagenet_file
from xray.model.weights_file import fit_weights, read_weights

Triple = tuple[float, float, float]

# https://docs.pytorch.org/vision/stable/models.html: the inference transforms of all six.
IMAGENET: tuple[Triple, Triple] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NONE: tuple[Triple, Triple] = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

_OPTIONS = ("auto", "imagenet", "random")

# vgg16-397923af.pth: torchvision's own files, which expect ImageNet's mean and standard deviation.
_TORCHVISION = re.compile(r"-[0-9a-f]{8}\.pth$")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """Where a backbone's weights come from, and what input they expect.

    Attributes:
        source: "imagenet", "random", or the file's name.
        sha256: Of the tensors as loaded (names, shapes and float32 bytes), not of a file.
        mean: What is subtracted from each channel of an input on [0, 1].
        std: What it is then divided by.
    """

    source: str
    sha256: str
    mean: Triple
    std: Triple


def load_backbone(
    name: str,
    weights: str = "auto",
    normalization: str | Mapping[str, Any] = "auto",
    seed: int = 0,
) -> tuple[Backbone, WeightsInfo]:
    """Build a backbone with the weights it starts from.

    Args:
        name: One of `xray.model.backbone.BACKBONES`.
        weights: "imagenet": torchvision's, from its cache or the network. "auto": the same, and
            where they cannot be had random ones, with a loud warning. "random": drawn from `seed`
            alone, leaving torch's generators as they are. Anything else: a file in torchvision's
            layout (`.safetensors`, `.pth`, `.pt`).
        normalization: What input the weights expect, on [0, 1]: "imagenet", "none" (as it is),
            {"mean": [r, g, b], "std": [r, g, b]}, or "auto": none for a file, else ImageNet's.
        seed: Of random weights.

    Returns:
        The backbone, in training mode, float32, on the CPU; and where its weights come from.

    Raises:
        ConfigError: `name` or `normalization` is no option.
        WeightsError: The weights cannot be had, or do not fit the backbone.
    """
    mean, std = _mean_and_std(
        normalization, is_file=weights not in _OPTIONS and not _TORCHVISION.search(weights)
    )
    with torch.device("meta"):
        backbone = build_backbone(name)
    file = _find(name, weights, seed)
    if file is None:
        source, backbone = "random", _random_backbone(name, seed)
    else:
        source = "imagenet" if weights in _OPTIONS else file.name
        backbone.load_state_dict(fit_weights(read_weights(file), name, file), assign=True)
    return backbone, WeightsInfo(source, _sha256(backbone), mean, std)


def _find(name: str, weights: str, seed: int) -> Path | None:
    """Return the file that the weights are in, or None for random ones."""
    if weights == "random":
        return None
    if weights not in _OPTIONS:
        return _local_file(weights)
    try:
        return imagenet_file(name)
    except WeightsUnavailableError as error:
        if weights == "imagenet":
            raise
        _logger.warning(
            "PRETRAINED WEIGHTS NOT FOUND: %s starts from random weights (seed %d).\n"
            "It was trained on nothing yet, and what is frozen of it never will be: expect a worse "
            "result, and do not compare it with a pretrained network's.\n%s",
            name,
            seed,
            error,
        )
        return None


def _local_file(weights: str) -> Path:
    if "://" in weights:
        raise WeightsError(
            f"model.weights={weights} is a URL, and a file is not fetched unseen: download it, "
            "check it, and give its path."
        )
    path = Path(weights).expanduser()
    if not path.is_file():
        nearest = get_close_matches(weights, _OPTIONS, n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        raise WeightsError(
            f"model.weights={weights} is neither an option ({', '.join(_OPTIONS)}) nor a file "
            f"({path.resolve()} does not exist).{hint}"
        )
    return path


def _random_backbone(name: str, seed: int) -> Backbone:
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would seed the GPUs' generators too, which are not forked here.
        torch.default_generator.manual_seed(seed)
        return build_backbone(name)


def _mean_and_std(
    normalization: str | Mapping[str, Any], *, is_file: bool
) -> tuple[Triple, Triple]:
    match normalization:
        case "imagenet":
            return IMAGENET
        case "none":
            return NONE
        case "auto":
            return NONE if is_file else IMAGENET
        case Mapping() if set(normalization) == {"mean", "std"}:
            mean, std = (_triple(key, normalization[key]) for key in ("mean", "std"))
            if min(std) > 0:
                return mean, std
    raise ConfigError(
        f"model.normalization={normalization} is no option. Options: auto, imagenet, none, or "
        "{mean: [r, g, b], std: [r, g, b]} on a scale of [0, 1], every std above 0."
    )


def _triple(key: str, values: Any) -> Triple:
    try:
        red, green, blue = (float(value) for value in values)
    except (TypeError, ValueError):
        red = green = blue = math.nan
    if not all(map(math.isfinite, (red, green, blue))):
        raise ConfigError(f"model.normalization.{key}={values}: three finite numbers are expected.")
    return red, green, blue


def _sha256(backbone: Backbone) -> str:
    """Hash the weights by torchvision's names; the counters of batches seen change nothing."""
    tensors = backbone.state_dict()
    digest = hashlib.sha256()
    for theirs, ours in sorted(torchvision_names(backbone).items()):
        if tensors[ours].is_floating_point():
            values = tensors[ours].numpy().astype("<f4", order="C", copy=False)
            digest.update(f"{theirs} {values.shape} ".encode())
            digest.update(values.data)
    return digest.hexdigest()
