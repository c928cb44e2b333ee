"""Initial weights of a backbone: ImageNet weights, random weights or a file."""

import hashlib
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from xray.errors import ConfigError, WeightsError
from xray.model.backbone import Backbone, build_backbone, torchvision_names
from xray.model.imagenet import WeightsUnavailableError, imagenet_file
from xray.model.seeding import seeded
from xray.model.weights_file import fit_weights, read_weights
from xray.model.zoo import WEIGHTS
from xray.suggest import did_you_mean, nearest

Triple = tuple[float, float, float]

# https://docs.pytorch.org/vision/stable/models.html: inference transforms of all backbones.
IMAGENET: tuple[Triple, Triple] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NONE: tuple[Triple, Triple] = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

# torchvision's files, such as vgg16-397923af.pth, expect ImageNet's mean and standard deviation.
_TORCHVISION = re.compile(r"-[0-9a-f]{8}\.pth$")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """Source of a backbone's weights, and the input normalization they expect.

    Attributes:
        source: "imagenet", "random", or the name of the file.
        sha256: Hash of the loaded tensors (names, shapes and float32 bytes), not of the file.
        mean: Mean of each of the three input channels, on [0, 1].
        std: Standard deviation of each channel, on [0, 1].
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
    """Build a backbone with its initial weights.

    Args:
        name: A key of `xray.model.zoo.BACKBONES`.
        weights: "imagenet": torchvision's weights, from its cache or the network. "auto": the same,
            or random weights and a warning if they are not available. "random": drawn from `seed`;
            torch's global generators are left unchanged. Any other value: a file with the names of
            torchvision (`.safetensors`, `.pth`, `.pt`).
        normalization: Input normalization that the weights expect, on [0, 1]: "imagenet", "none",
            {"mean": [r, g, b], "std": [r, g, b]}, or "auto": "none" for a file, else "imagenet".
        seed: Seed of random weights.

    Returns:
        The backbone in training mode, float32, on the CPU; and the source of its weights.

    Raises:
        ConfigError: `name` or `normalization` is not an option.
        WeightsError: The weights are not available, or do not fit the backbone.
    """
    mean, std = _mean_and_std(
        normalization, is_file=weights not in WEIGHTS and not _TORCHVISION.search(weights)
    )
    with torch.device("meta"):
        backbone = build_backbone(name)
    file = _find(name, weights, seed)
    if file is None:
        source, backbone = "random", _random_backbone(name, seed)
    else:
        source = "imagenet" if weights in WEIGHTS else file.name
        backbone.load_state_dict(fit_weights(read_weights(file), name, file), assign=True)
    return backbone, WeightsInfo(source, _sha256(backbone), mean, std)


def _find(name: str, weights: str, seed: int) -> Path | None:
    """Return the file of the weights, or None for random weights."""
    if weights == "random":
        return None
    if weights not in WEIGHTS:
        return _local_file(weights)
    try:
        return imagenet_file(name)
    except WeightsUnavailableError as error:
        if weights == "imagenet":
            raise
        _logger.warning(
            "PRETRAINED WEIGHTS NOT FOUND: %s starts from random weights (seed %d).\n"
            "Frozen layers keep their random weights; results are not comparable with a pretrained "
            "run.\n%s",
            name,
            seed,
            error,
        )
        return None


def _local_file(weights: str) -> Path:
    if "://" in weights:
        raise WeightsError(
            f"model.weights={weights} is a URL; URLs are not downloaded. Download the file, check "
            "it, and pass its path."
        )
    path = Path(weights).expanduser()
    if not path.is_file():
        hint = did_you_mean(nearest(weights, WEIGHTS))
        raise WeightsError(
            f"model.weights={weights} is neither an option ({', '.join(WEIGHTS)}) nor a file "
            f"({path.resolve()} does not exist).{hint}"
        )
    return path


def _random_backbone(name: str, seed: int) -> Backbone:
    with seeded(seed):
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
        f"model.normalization={normalization} is not an option. Options: auto, imagenet, none, or "
        "{mean: [r, g, b], std: [r, g, b]} on a scale of [0, 1], every std above 0."
    )


def _triple(key: str, values: Any) -> Triple:
    try:
        red, green, blue = (float(value) for value in values)
    except (TypeError, ValueError):
        red = green = blue = math.nan
    if not all(map(math.isfinite, (red, green, blue))):
        raise ConfigError(f"model.normalization.{key}={values}: expected three finite numbers.")
    return red, green, blue


def _sha256(backbone: Backbone) -> str:
    """Hash the weights by torchvision's names; integer counters are left out."""
    tensors = backbone.state_dict()
    digest = hashlib.sha256()
    for theirs, ours in sorted(torchvision_names(backbone).items()):
        if tensors[ours].is_floating_point():
            values = tensors[ours].numpy().astype("<f4", order="C", copy=False)
            digest.update(f"{theirs} {values.shape} ".encode())
            digest.update(values.data)
    return digest.hexdigest()
