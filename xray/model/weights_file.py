"""Reading a file of weights, and comparing it with a backbone."""

import logging
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from xray.errors import WeightsError
from xray.model.backbone import build_backbone, torchvision_names
from xray.model.zoo import BACKBONES

# torchvision's name -> the backbone's name and shape.
Layout = Mapping[str, tuple[str, torch.Size]]

_SUFFIXES = (".safetensors", ".pth", ".pt")
_WRAPPERS = ("state_dict", "model")
_PREFIXES = ("module.", "model.", "backbone.")
_TOPS = ("classifier.", "fc.")
_COUNTER = "num_batches_tracked"
# torchvision's DenseNet files contain the layer names of 2017.
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")
_SHOWN = 5

_logger = logging.getLogger(__name__)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file without executing code in it.

    A state dict wrapped as {"state_dict": ...} or {"model": ...} is unwrapped, and a prefix
    ("module.", "model.", "backbone.") shared by all names is removed.

    Args:
        path: A `.safetensors`, `.pth` or `.pt` file.

    Returns:
        Tensors by name, on the CPU, in the file's dtypes; possibly memory-mapped.

    Raises:
        WeightsError: The file has another format, is damaged, or contains other objects.
    """
    if path.suffix not in _SUFFIXES:
        raise WeightsError(f"{path}: weights are only read from {', '.join(_SUFFIXES)} files.")
    loaded = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not loaded:
        raise WeightsError(f"{path} contains no named tensors. Save `model.state_dict()`.")
    others = [str(key) for key, value in loaded.items() if not isinstance(value, Tensor)]
    if others:
        raise WeightsError(
            f"{path} contains objects other than tensors: {_listed(others)}. "
            "Save only `model.state_dict()`."
        )
    return _without_prefixes({str(key): value for key, value in loaded.items()})


def fit_weights(state: Mapping[str, Tensor], name: str, path: Path) -> dict[str, Tensor]:
    """Compare names and shapes of tensors with a backbone, and rename them.

    Tensors of the classifier are left out. Batch counters that old files lack are set to 0.

    Args:
        state: Tensors by torchvision's names, of any floating dtype.
        name: A key of `xray.model.zoo.BACKBONES`.
        path: The file of the tensors, for messages.

    Returns:
        A state dict for `build_backbone(name)`: float32, copied.

    Raises:
        WeightsError: Tensors are missing, unknown, not finite, or have another shape or dtype.
    """
    state = {_OLD_DENSENET.sub(r"\1\2", key): value for key, value in state.items()}
    layout = _layout(name)
    _reject_one_channel(state, layout, name, path)
    problems = _mismatches(state, layout) or _unusable(state, layout)
    if problems:
        raise _does_not_fit(state, name, path, problems)
    top = [key for key in state if key not in layout]
    if top:
        _logger.info("%s: the classifier is not used (%s).", path, _listed(top))
    fitted = {}
    for key, (ours, _) in layout.items():
        if key.endswith(_COUNTER):
            fitted[ours] = state.get(key, torch.zeros(())).to(torch.int64, copy=True)
        else:
            fitted[ours] = state[key].to(torch.float32, copy=True)
    return fitted


def _layout(name: str) -> Layout:
    """Map torchvision's names to the backbone's names and shapes."""
    with torch.device("meta"):
        backbone = build_backbone(name)
    tensors = backbone.state_dict()
    return {
        theirs: (ours, tensors[ours].shape) for theirs, ours in torchvision_names(backbone).items()
    }


def _read_safetensors(path: Path) -> object:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} is not a readable safetensors file ({error}). Download or save it again."
        ) from error


def _read_torch(path: Path) -> object:
    try:
        # Files written before torch 1.6 are not zip archives and cannot be memory-mapped.
        mapped = zipfile.is_zipfile(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:
        # A damaged pickle can raise almost any exception.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"{path} cannot be read ({reason}). It is damaged, or contains objects other than "
            "tensors, which are not loaded because they can execute code. Download it again, or "
            "save only `model.state_dict()`."
        ) from error


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in state):
            return _without_prefixes({key.removeprefix(prefix): state[key] for key in state})
    return state


def _reject_one_channel(state: Mapping[str, Tensor], layout: Layout, name: str, path: Path) -> None:
    first, (_, (filters, channels, *kernel)) = next(iter(layout.items()))
    if first in state and state[first].shape == (filters, 1, *kernel):
        raise WeightsError(
            f"{path} is a {name} for one-channel images: {first} has one input channel; expected "
            f"{channels}. Repeat that tensor {channels} times along its second axis, divide it by "
            f"{channels}, and save the file again."
        )


def _mismatches(state: Mapping[str, Tensor], layout: Layout) -> dict[str, list[str]]:
    """Compare names and shapes; return the tensors of each kind of mismatch."""
    kinds = {
        "missing": [key for key in layout if key not in state and not key.endswith(_COUNTER)],
        "unexpected": [key for key in state if key not in layout and not key.startswith(_TOPS)],
        "with another shape": [
            f"{key} {tuple(state[key].shape)}, not {tuple(shape)}"
            for key, (_, shape) in layout.items()
            if key in state and state[key].shape != shape
        ],
    }
    return {kind: keys for kind, keys in kinds.items() if keys}


def _unusable(state: Mapping[str, Tensor], layout: Layout) -> dict[str, list[str]]:
    """Check dtypes and values; return the tensors of each kind of problem."""
    used = {key: state[key] for key in layout if not key.endswith(_COUNTER)}
    kinds = {
        "without a floating dtype": [
            f"{key} {value.dtype}" for key, value in used.items() if not value.is_floating_point()
        ],
        "not finite": [key for key, value in used.items() if not value.float().isfinite().all()],
    }
    return {kind: keys for kind, keys in kinds.items() if keys}


def _does_not_fit(
    state: Mapping[str, Tensor], name: str, path: Path, problems: Mapping[str, list[str]]
) -> WeightsError:
    lines = "\n".join(f"  {kind} ({len(keys)}): {_listed(keys)}" for kind, keys in problems.items())
    fitting = [
        other for other in BACKBONES if other != name and not _mismatches(state, _layout(other))
    ]
    advice = (
        f"The file fits {fitting[0]}: choose model={fitting[0]}, or another file."
        if fitting
        else f"Use a file with the names of torchvision's {name}, or choose another model."
    )
    return WeightsError(f"{path} does not fit {name}. Tensors\n{lines}\n{advice}")


def _listed(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more
