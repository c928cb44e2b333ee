"""Class activation maps: where in an image the evidence for a class is.

The methods are those of the `grad-cam` package. They run on the tail of the network only, behind
the layer whose activations are weighted. The maps equal those of the whole network, at a fraction
of the time and memory, and do not depend on which layers are frozen.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xray.errors import DataError
from xray.saliency.backend import detached, run_method
from xray.saliency.methods import METHODS, check_method
from xray.saliency.parts import split_model
from xray.stats.scores import predict_classes

BATCH = 8
"""Images that are explained together."""


class Saliency(NamedTuple):
    """Result of `saliency_maps` for B images.

    Attributes:
        maps: (B, H, W) float32 in [0, 1]; each map is rescaled to its own minimum and maximum.
        probabilities: (B, K) float32, softmax of the logits.
        peaks: (B,) float32, 0 or greater: the maximum of each map before rescaling, without
            negative evidence. The unit depends on the method.
        means: (B,) float32: the mean over the (h, w) cells of each map before rescaling.
    """

    maps: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    peaks: NDArray[np.float32]
    means: NDArray[np.float32]


class Explainable(Protocol):
    """A classifier whose predictions can be explained.

    It is an `nn.Module` that maps (B, 1, H, W) uint8 images to (B, K) logits. With a method
    `saliency_parts() -> (body, tail)` it chooses the layer that is explained (see
    `xray.saliency.parts`); without one the last convolution is explained.
    """

    @property
    def classes(self) -> Sequence[str]:
        """K class names, in the order of the logits."""


def explain(
    model: Any,
    images: Any,
    *,
    classes: Sequence[int] | None = None,
    method: str = "gradcam",
) -> NDArray[np.float32]:
    """Compute one heatmap for each image, on the device of the model.

    Args:
        model: `XrayClassifier`, or any classifier as described in `Explainable`.
        images: (B, 1, H, W) uint8 tensor or array, or a sequence of B (H, W) or (1, H, W) uint8
            arrays of equal size, as the network receives them (after the evaluation transforms).
        classes: B indices of the classes to explain; None: the predicted class of each image, at
            the model's decision threshold if it has one.
        method: A key of `xray.saliency.methods.METHODS`.

    Returns:
        (B, H, W) float32 in [0, 1].

    Raises:
        ConfigError: `method` is unknown, or the model has no layer that can be explained.
        DataError: `images` has another shape or type.
        IndexError: An element of `classes` is not a class of the network.
    """
    check_method(method)
    batch = _as_batch(images)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    body, tail = split_model(model)
    threshold = getattr(model, "threshold", None)
    found = []
    for start in range(0, len(batch), BATCH):
        some = batch[start : start + BATCH].to(device)
        activations = activate(body, some)
        if classes is None:
            targets = predict_classes(predict(tail, activations), threshold).tolist()
        else:
            targets = list(classes[start : start + BATCH])
        found.append(maps_of(activations, tail, some.shape[-2:], targets, method).maps)
    return np.concatenate(found) if found else np.zeros((0, *batch.shape[-2:]), np.float32)


def saliency_maps(
    body: nn.Module,
    tail: nn.Module,
    images: Tensor,
    targets: Sequence[int] | None = None,
    method: str = "gradcam",
) -> Saliency:
    """Explain a batch: compute one map for each image.

    The function works under `torch.no_grad`, `torch.inference_mode` and autocast, which is switched
    off inside (float32), and restores the network: modes, `requires_grad`, gradients and hooks.

    A map without positive evidence is zero everywhere. Maps are rescaled, so only their `peaks` and
    `means` can be compared between images.

    Args:
        body: (B, 1, H, W) images -> (B, C, h, w) activations.
        tail: (B, C, h, w) activations -> (B, K) logits.
        images: (B, 1, H, W), as `body` expects them and on its device, B >= 1.
        targets: B indices of the classes to explain; None: the most probable class of each image.
        method: A key of `xray.saliency.methods.METHODS`.

    Raises:
        ConfigError: `method` is unknown.
        IndexError: A target is not a class of the network.
    """
    check_method(method)
    activations = activate(body, images)
    return maps_of(activations, tail, images.shape[-2:], targets, method)


def activate(body: nn.Module, images: Tensor) -> Tensor:
    """Run the body only; return (B, C, h, w) float32 activations without history."""
    with as_is(body, device=images.device), torch.no_grad():
        return detached(body(detached(images))).float()


def predict(tail: nn.Module, activations: Tensor) -> NDArray[np.float32]:
    """Compute (B, K) probabilities from the activations that `activate` returned."""
    with as_is(tail, device=activations.device), torch.no_grad():
        shares: NDArray[np.float32] = tail(detached(activations)).softmax(dim=1).cpu().numpy()
        return shares


def maps_of(
    activations: Tensor,
    tail: nn.Module,
    size: Sequence[int],
    targets: Sequence[int] | None = None,
    method: str = "gradcam",
) -> Saliency:
    """Explain the activations that `activate` returned, as `saliency_maps` does.

    Args:
        activations: (B, C, h, w) float32; several tails may share them.
        tail: (B, C, h, w) activations -> (B, K) logits.
        size: (H, W) of the images.
        targets: B indices of the classes to explain; None: the most probable class of each image.
        method: A key of `xray.saliency.methods.METHODS`.
    """
    with as_is(tail, device=activations.device), torch.enable_grad():
        coarse, raw, logits = run_method(activations.detach(), tail, targets, METHODS[method])
    maps = _enlarge(coarse, size)
    positive = np.maximum(raw, 0)
    peaks, means = positive.max(axis=(1, 2)), positive.mean(axis=(1, 2))
    return Saliency(maps, logits.softmax(dim=1).cpu().numpy(), peaks, means)


def _enlarge(maps: NDArray[np.float32], size: Sequence[int]) -> NDArray[np.float32]:
    """Enlarge (B, h, w) maps to (H, W) as the package does: bilinear, then rescaled to [0, 1]."""
    from pytorch_grad_cam.utils.image import scale_cam_image

    height, width = size
    enlarged: NDArray[np.float32] = scale_cam_image(scale_cam_image(maps, (width, height)))
    return enlarged


def _as_batch(images: Any) -> Tensor:
    """Convert images to a (B, 1, H, W) uint8 tensor."""
    if not isinstance(images, Tensor | np.ndarray):
        arrays = [np.asarray(image) for image in images]
        shapes = sorted({array.shape[-2:] for array in arrays})
        if len(shapes) > 1:
            raise DataError(
                f"images have different sizes {shapes}; all images of a batch must have the size "
                "that the network receives. Resize them, or explain them one by one."
            )
        images = np.stack([a[None] if a.ndim == 2 else a for a in arrays])  # noqa: PLR2004
    batch = torch.as_tensor(images)
    if batch.ndim != 4 or batch.shape[1] != 1 or batch.dtype != torch.uint8:  # noqa: PLR2004
        raise DataError(
            f"images are {tuple(batch.shape)} {batch.dtype}; expected (B, 1, H, W) uint8 with gray "
            "values from 0 to 255."
        )
    return batch


@contextmanager
def as_is(*modules: nn.Module, device: torch.device) -> Iterator[None]:
    """Switch to evaluation mode and full precision; restore the mode of each submodule afterwards.

    Args:
        *modules: The modules that are switched.
        device: Device of the modules, whose autocast is switched off.
    """
    modes = [(part, part.training) for module in modules for part in module.modules()]
    try:
        for module in modules:
            module.eval()
        with torch.inference_mode(False), torch.autocast(device.type, enabled=False):
            yield
    finally:
        for part, training in modes:
            part.training = training
