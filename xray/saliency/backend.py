"""The `grad-cam` package, run on the tail of a network without changing the network."""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

_FINER = "FinerCAM"
_NEAREST = 3
"""Number of classes that FinerCAM compares a class with, the default of the package."""


def run_method(
    activations: Tensor, tail: nn.Module, targets: Sequence[int] | None, name: str
) -> tuple[NDArray[np.float32], NDArray[np.float32], Tensor]:
    """Run a method of the package on a tail, which keeps no hooks and no gradients.

    Must be called where gradients are recorded.

    Args:
        activations: (B, C, h, w) float32 without history.
        tail: (B, C, h, w) activations -> (B, K) logits.
        targets: B classes; None: the most probable class of each image.
        name: Name of the class in the package.

    Returns:
        maps: (B, h, w) in [0, 1].
        raw: (B, h, w), the maps before clipping at 0 and rescaling.
        logits: (B, K), without history.

    Raises:
        IndexError: A target is not a class of the network.
    """
    if targets is not None and min(targets) < 0:
        raise IndexError(f"a target is negative: {list(targets)}")
    model = _Tail(tail, activations.device)
    cam = _method(name, model)
    # FinerCAM wraps the object that has the hooks and the maps.
    inner: Any = getattr(cam, "base_cam", cam)
    try:
        # Not `with cam:`, which would suppress an IndexError.
        maps = cam(activations.requires_grad_(), _targets(name, activations, model, targets))
    finally:
        inner.activations_and_grads.release()
    return maps, inner.raw, model.logits


class _Tail(nn.Module):
    """A layer that the package can hook, followed by the tail without gradients of parameters."""

    logits: Tensor

    def __init__(self, tail: nn.Module, device: torch.device) -> None:
        super().__init__()
        state = dict(tail.named_parameters()) | dict(tail.named_buffers())
        # A partial is not a submodule, so the package cannot clear the gradients of the network or
        # change its mode.
        self.call = partial(functional_call, tail, {k: detached(v) for k, v in state.items()})
        self.target = nn.Identity()
        # The package takes the device from the first parameter. ShapleyCAM needs gradients of the
        # gradients, which would be undefined for a linear tail.
        self.one = nn.Parameter(torch.ones((), device=device))

    def forward(self, activations: Tensor) -> Tensor:
        # The copy protects the recorded activations from a first layer that works in place.
        logits: Tensor = self.call(self.target(activations).clone()).float() * self.one
        self.logits = logits.detach()
        return logits


class _RawMaps:
    """Mixin for a class of the package that keeps the maps before rescaling."""

    raw: NDArray[np.float32]

    def get_cam_image(self, *args: Any, **options: Any) -> NDArray[np.float32]:
        self.raw = super().get_cam_image(*args, **options)  # type: ignore[misc]
        return self.raw


@cache
def _with_raw_maps(name: str) -> Any:
    """Derive a class that keeps the maps before rescaling from a class of the package."""
    # The import takes six seconds.
    import pytorch_grad_cam

    return type(f"Raw{name}", (_RawMaps, getattr(pytorch_grad_cam, name)), {})


def _method(name: str, model: _Tail) -> Any:
    if name != _FINER:
        return _with_raw_maps(name)(model, [model.target])
    from pytorch_grad_cam import FinerCAM

    return FinerCAM(model, [model.target], base_method=_with_raw_maps("GradCAM"))


def _targets(
    name: str, activations: Tensor, model: _Tail, targets: Sequence[int] | None
) -> list[Any] | None:
    """Return the targets in the form of the package."""
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    if name == _FINER:
        return _finer(activations, model, targets)
    return None if targets is None else [ClassifierOutputTarget(int(t)) for t in targets]


def _finer(activations: Tensor, model: _Tail, targets: Sequence[int] | None) -> list[Any]:
    """Compare each class with the classes whose logits are nearest to its own.

    The package itself supports one class for all images only.
    """
    from pytorch_grad_cam.utils.model_targets import FinerWeightedTarget

    with torch.no_grad():
        logits = model(activations)
    found = []
    for row, k in zip(logits, logits.argmax(dim=1) if targets is None else targets, strict=True):
        order = (row - row[int(k)]).abs().argsort(stable=True).tolist()
        others = [other for other in order if other != int(k)][:_NEAREST]
        found.append(FinerWeightedTarget(int(k), others, 1))
    return found


def detached(tensor: Tensor) -> Tensor:
    """Return a float32 tensor without history that autograd accepts; integers keep their type."""
    plain = tensor.clone() if tensor.is_inference() else tensor.detach()
    return plain.float() if plain.is_floating_point() else plain
