"""The `grad-cam` package on the tail of a network, without a trace left on the network."""

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
"""To so many classes FinerCAM compares a class, as the package does by default."""


def weigh(
    activations: Tensor, tail: nn.Module, targets: Sequence[int] | None, name: str
) -> tuple[NDArray[np.float32], NDArray[np.float32], Tensor]:
    """Run a method of the package on a tail; the tail keeps no hook and no gradient of it.

    Args:
        activations: (B, C, h, w) float32 without history, in a context that records gradients.
        tail: Activations to (B, K) logits.
        targets: B classes; None: of each image the predicted one.
        name: Of the package's class.

    Returns:
        maps: (B, h, w) in [0, 1].
        raw: (B, h, w), the same before they were clipped at 0 and rescaled.
        logits: (B, K), without history.

    Raises:
        IndexError: A target is not a class of the network.
    """
    if targets is not None and min(targets) < 0:
        raise IndexError(f"a target is negative: {list(targets)}")
    model = _Tail(tail, activations.device)
    cam = _method(name, model)
    # FinerCAM is a wrapper, and only holds what weighs and hooks.
    inner: Any = getattr(cam, "base_cam", cam)
    try:
        # Not `with cam:`, which would swallow an IndexError.
        maps = cam(activations.requires_grad_(), _wanted(name, activations, model, targets))
    finally:
        inner.activations_and_grads.release()
    return maps, inner.raw, model.logits


class _Tail(nn.Module):
    """The tail behind a layer for the package to hook; its parameters collect no gradients."""

    logits: Tensor

    def __init__(self, tail: nn.Module, device: torch.device) -> None:
        super().__init__()
        state = dict(tail.named_parameters()) | dict(tail.named_buffers())
        # A partial is no submodule: the package, which clears the gradients of the model it is
        # given and sets its mode, never reaches the network.
        self.call = partial(functional_call, tail, {k: ordinary(v) for k, v in state.items()})
        self.target = nn.Identity()
        # The package reads the device off the first parameter. And ShapleyCAM differentiates the
        # gradients once more, which behind a linear tail would depend on nothing at all.
        self.one = nn.Parameter(torch.ones((), device=device))

    def forward(self, activations: Tensor) -> Tensor:
        # The copy protects the recorded activations from a first layer that works in place.
        logits: Tensor = self.call(self.target(activations).clone()).float() * self.one
        self.logits = logits.detach()
        return logits


class _KeepsRaw:
    """Mixed into a method of the package, which forgets its maps' magnitudes."""

    raw: NDArray[np.float32]

    def get_cam_image(self, *args: Any, **options: Any) -> NDArray[np.float32]:
        self.raw = super().get_cam_image(*args, **options)  # type: ignore[misc]
        return self.raw


@cache
def _keeping(name: str) -> Any:
    """Derive from a class of the package one that keeps its last `raw` map."""
    # Six seconds, which only those who ask for maps should wait.
    import pytorch_grad_cam

    return type(f"Raw{name}", (_KeepsRaw, getattr(pytorch_grad_cam, name)), {})


def _method(name: str, model: _Tail) -> Any:
    if name != _FINER:
        return _keeping(name)(model, [model.target])
    from pytorch_grad_cam import FinerCAM

    return FinerCAM(model, [model.target], base_method=_keeping("GradCAM"))


def _wanted(
    name: str, activations: Tensor, model: _Tail, targets: Sequence[int] | None
) -> list[Any] | None:
    """Say to the package what is to be explained."""
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    if name == _FINER:
        return _finer(activations, model, targets)
    return None if targets is None else [ClassifierOutputTarget(int(t)) for t in targets]


def _finer(activations: Tensor, model: _Tail, targets: Sequence[int] | None) -> list[Any]:
    """Set each class against those whose logits are nearest to its own.

    The package does so for one class of all images only.
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


def ordinary(tensor: Tensor) -> Tensor:
    """Give a float32 tensor without history that autograd accepts; integers keep their type."""
    plain = tensor.clone() if tensor.is_inference() else tensor.detach()
    return plain.float() if plain.is_floating_point() else plain
