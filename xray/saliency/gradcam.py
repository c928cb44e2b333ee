"""Class-activation maps: where in an image the evidence for a class lies.

The methods are those of the `grad-cam` package. They are run on the tail of the network alone,
behind the layer whose activations are weighted: the maps are those of a pass through the whole
network, at a fraction of its time and memory, and it makes no difference which layers are frozen.
"""

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xray.errors import ConfigError
from xray.saliency.backend import ordinary, weigh
from xray.stats.rule import EVEN
from xray.stats.scores import BINARY

METHODS: dict[str, str] = {
    "gradcam": "GradCAM",
    "gradcampp": "GradCAMPlusPlus",
    "hirescam": "HiResCAM",
    "xgradcam": "XGradCAM",
    "layercam": "LayerCAM",
    "elementwise": "GradCAMElementWise",
    "eigencam": "EigenCAM",
    "eigengradcam": "EigenGradCAM",
    "segeigencam": "SegEigenCAM",
    "shapleycam": "ShapleyCAM",
    "finercam": "FinerCAM",
}
"""Name in the configuration -> class in `pytorch_grad_cam`.

Of the package's gradient methods these are all that look at one layer. FullGrad adds up the biases
of every layer and RefineCAM multiplies the maps of several, so a tail is not enough for them.
"""

CLASS_AGNOSTIC = frozenset({"eigencam"})
"""Methods that look at the activations alone: their map is the same whatever class is asked for."""


class Saliency(NamedTuple):
    """What `saliency_maps` gives of B images.

    Attributes:
        maps: (B, H, W) float32 in [0, 1]: each rescaled to its own least and greatest value.
        probabilities: (B, K) float32, softmax of the logits.
        peaks: (B,) float32, 0 or greater: the greatest value of each map before it was rescaled,
            without what speaks against the class. Its unit is the method's.
        means: (B,) float32: likewise the mean over the (h, w) cells.
    """

    maps: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    peaks: NDArray[np.float32]
    means: NDArray[np.float32]


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
) -> Saliency:
    """Explain a batch: one map an image.

    Works under `torch.no_grad`, `torch.inference_mode` and autocast (which is off inside: float32),
    and leaves the network as it was: modes, `requires_grad`, gradients and hooks.

    A map without any positive evidence is zero everywhere. Maps are rescaled, so only their `peaks`
    and `means` can be compared between images.

    Args:
        body: See `Explainable.saliency_parts`.
        tail: See `Explainable.saliency_parts`.
        images: (B, 1, H, W), as `body` takes them and on its device, B >= 1.
        targets: B class indices whose evidence is sought; None: of each image the predicted class.
        method: A key of `METHODS`.

    Raises:
        ConfigError: `method` is unknown.
        IndexError: A target is not a class of the network.
    """
    check_method(method)
    activations = activate(body, images)
    return maps_of(activations, tail, images.shape[-2:], targets, method)


def activate(body: nn.Module, images: Tensor) -> Tensor:
    """Run the body alone: (B, C, h, w) float32 activations without history."""
    with as_is(body, device=images.device), torch.no_grad():
        return ordinary(body(ordinary(images))).float()


def predict(tail: nn.Module, activations: Tensor) -> NDArray[np.float32]:
    """Give the (B, K) probabilities that a tail makes of what `activate` gives."""
    with as_is(tail, device=activations.device), torch.no_grad():
        shares: NDArray[np.float32] = tail(ordinary(activations)).softmax(dim=1).cpu().numpy()
        return shares


def called(probabilities: NDArray[np.float32], threshold: float = EVEN) -> list[int]:
    """Give the class that (B, K) probabilities call: of two, the second above `threshold`."""
    if probabilities.shape[1] > BINARY:
        return [int(k) for k in probabilities.argmax(axis=1)]
    return [int(share > threshold) for share in probabilities[:, 1]]


def maps_of(
    activations: Tensor,
    tail: nn.Module,
    size: Sequence[int],
    targets: Sequence[int] | None = None,
    method: str = "gradcam",
) -> Saliency:
    """Explain what `activate` gives, as `saliency_maps` does.

    Args:
        activations: (B, C, h, w) float32; several tails may be given the same.
        tail: See `Explainable.saliency_parts`.
        size: (H, W) of the images.
        targets: As for `saliency_maps`.
        method: A key of `METHODS`.
    """
    with as_is(tail, device=activations.device), torch.enable_grad():
        coarse, raw, logits = weigh(activations.detach(), tail, targets, METHODS[method])
    maps = _enlarge(coarse, size)
    positive = np.maximum(raw, 0)
    peaks, means = positive.max(axis=(1, 2)), positive.mean(axis=(1, 2))
    return Saliency(maps, logits.softmax(dim=1).cpu().numpy(), peaks, means)


def _enlarge(maps: NDArray[np.float32], size: Sequence[int]) -> NDArray[np.float32]:
    """Bring (B, h, w) maps to (H, W) as the package does: bilinear, then to [0, 1] once more."""
    from pytorch_grad_cam.utils.image import scale_cam_image

    height, width = size
    enlarged: NDArray[np.float32] = scale_cam_image(scale_cam_image(maps, (width, height)))
    return enlarged


@contextmanager
def as_is(*modules: nn.Module, device: torch.device) -> Iterator[None]:
    """Switch to eval mode and full precision; each submodule gets its own mode back."""
    modes = [(part, part.training) for module in modules for part in module.modules()]
    try:
        for module in modules:
            module.eval()
        with torch.inference_mode(False), torch.autocast(device.type, enabled=False):
            yield
    finally:
        for part, training in modes:
            part.training = training
