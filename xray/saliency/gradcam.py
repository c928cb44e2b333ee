"""Class-activation maps: where in an image the evidence for a class lies.

The methods are those of the `grad-cam` package. They are run on the tail of the network alone,
behind the layer whose activations are weighted: the maps are those of a pass through the whole
network, at a fraction of its time and memory, and it makes no difference which layers are frozen.
"""

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from xray.errors import ConfigError

METHODS: dict[str, str] = {
    "gradcam": "GradCAM",
    "gradcampp": "GradCAMPlusPlus",
    "hirescam": "HiResCAM",
    "xgradcam": "XGradCAM",
    "layercam": "LayerCAM",
    "elementwise": "GradCAMElementWise",
    "eigencam": "EigenCAM",
    "eigengradcam": "EigenGradCAM",
}
"""Name in the configuration -> class in `pytorch_grad_cam`."""

CLASS_AGNOSTIC = frozenset({"eigencam"})
"""Methods that look at the activations alone: their map is the same whatever class is asked for."""


class Explainable(Protocol):
    """What a map needs of a classifier."""

    @property
    def classes(self) -> Sequence[str]:
        """K class names, in the order of the logits."""

    def saliency_parts(self) -> tuple[nn.Module, nn.Module]:
        """Cut the network at the layer whose activations are weighted.

        Returns:
            body: (B, 1, H, W) uint8 -> (B, C, h, w) float activations, normalisation included.
            tail: (B, C, h, w) activations -> (B, K) logits.
        """
        ...


def check_method(method: str) -> None:
    """Refuse the name of an unknown method.

    Raises:
        ConfigError: `method` is not among `METHODS`.
    """
    if method not in METHODS:
        near = difflib.get_close_matches(method, METHODS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(f"method={method} is unknown: choose one of {', '.join(METHODS)}.{hint}")


def saliency_maps(
    body: nn.Module,
    tail: nn.Module,
    images: Tensor,
    targets: Sequence[int] | None = None,
    method: str = "gradcam",
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Explain a batch: one map an image.

    Works under `torch.no_grad`, `torch.inference_mode` and autocast (which is off inside: float32),
    and leaves the network as it was: modes, `requires_grad`, gradients and hooks.

    Each map is rescaled to its own least and greatest value, so magnitudes cannot be compared
    between images. A map without any positive evidence is zero everywhere.

    Args:
        body: See `Explainable.saliency_parts`.
        tail: See `Explainable.saliency_parts`.
        images: (B, 1, H, W), as `body` takes them and on its device, B >= 1.
        targets: B class indices whose evidence is sought; None: of each image the predicted class.
        method: A key of `METHODS`.

    Returns:
        maps: (B, H, W) float32 in [0, 1].
        probabilities: (B, K) float32, softmax of the logits.

    Raises:
        ConfigError: `method` is unknown.
        IndexError: A target is not a class of the network.
    """
    check_method(method)
    autocast_off = torch.autocast(images.device.type, enabled=False)
    with _eval_mode(body, tail), torch.inference_mode(False), autocast_off:
        with torch.no_grad():
            activations = _ordinary(body(_ordinary(images))).float()
        with torch.enable_grad():
            coarse, logits = _weigh(activations, tail, targets, method)
    return _enlarge(coarse, images.shape[-2:]), logits.softmax(dim=1).cpu().numpy()


class _Tail(nn.Module):
    """The tail behind a layer for the package to hook; its parameters collect no gradients."""

    def __init__(self, tail: nn.Module, device: torch.device) -> None:
        super().__init__()
        state = dict(tail.named_parameters()) | dict(tail.named_buffers())
        # A partial is no submodule: the package, which clears the gradients of the model it is
        # given and sets its mode, never reaches the network.
        self.call = partial(functional_call, tail, {k: _ordinary(v) for k, v in state.items()})
        self.target = nn.Identity()
        # The package reads the device off the first parameter.
        self.anchor = nn.Parameter(torch.empty(0, device=device), requires_grad=False)

    def forward(self, activations: Tensor) -> Tensor:
        # The copy protects the recorded activations from a first layer that works in place.
        logits: Tensor = self.call(self.target(activations).clone())
        return logits.float()


def _weigh(
    activations: Tensor, tail: nn.Module, targets: Sequence[int] | None, method: str
) -> tuple[NDArray[np.float32], Tensor]:
    """Run the package's method on the tail: (B, h, w) maps in [0, 1] and (B, K) logits."""
    # Six seconds, which only those who ask for maps should wait.
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    if targets is not None and min(targets) < 0:
        raise IndexError(f"a target is negative: {list(targets)}")
    model = _Tail(tail, activations.device)
    cam: Any = getattr(pytorch_grad_cam, METHODS[method])(model, [model.target])
    wanted = None if targets is None else [ClassifierOutputTarget(int(t)) for t in targets]
    # Not `with cam:`, which would swallow an IndexError; the hooks go with `model`.
    maps = cam(activations.requires_grad_(), wanted)
    return maps, cam.outputs.detach()


def _enlarge(maps: NDArray[np.float32], size: Sequence[int]) -> NDArray[np.float32]:
    """Bring (B, h, w) maps to (H, W) as the package does: bilinear, then to [0, 1] once more."""
    from pytorch_grad_cam.utils.image import scale_cam_image

    height, width = size
    enlarged: NDArray[np.float32] = scale_cam_image(scale_cam_image(maps, (width, height)))
    return enlarged


def _ordinary(tensor: Tensor) -> Tensor:
    """A float32 tensor without history that autograd accepts; integers keep their type."""
    plain = tensor.clone() if tensor.is_inference() else tensor.detach()
    return plain.float() if plain.is_floating_point() else plain


@contextmanager
def _eval_mode(*modules: nn.Module) -> Iterator[None]:
    """Switch to eval mode, and give each submodule its own mode back."""
    modes = [(part, part.training) for module in modules for part in module.modules()]
    try:
        for module in modules:
            module.eval()
        yield
    finally:
        for part, training in modes:
            part.training = training
