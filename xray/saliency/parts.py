"""Split a classifier into a body and a tail, at the layer that Grad-CAM explains."""

from typing import Any

from torch import Tensor, nn

from xray.errors import ConfigError

Parts = tuple[nn.Module, nn.Module]
"""Body, (B, 1, H, W) uint8 -> (B, C, h, w) activations including normalization; and tail,
(B, C, h, w) activations -> (B, K) logits."""


def split_model(model: Any) -> Parts:
    """Split a classifier at the layer whose activations are weighted.

    Args:
        model: An `nn.Module`, (B, 1, H, W) uint8 -> (B, K) logits. Its method
            `saliency_parts() -> (body, tail)` is used if it has one. Otherwise the split is after
            the convolution that runs last, found by a hook.

    Returns:
        The body and the tail.

    Raises:
        ConfigError: The model has neither that method nor a convolution.
    """
    if hasattr(model, "saliency_parts"):
        body, tail = model.saliency_parts()
        return body, tail
    if not any(isinstance(module, nn.Conv2d) for module in model.modules()):
        raise ConfigError(
            f"{type(model).__name__} has no convolution (torch.nn.Conv2d) that Grad-CAM could "
            "explain. Define saliency_parts() on the model, which returns a body (images to "
            "activations) and a tail (activations to logits), or remove callbacks.gradcam "
            "(~callbacks.gradcam)."
        )
    body = HookedBody(model)
    return body, HookedTail(body)


def whole_model(model: Any) -> nn.Module:
    """Return the classifier as one module, (B, 1, H, W) uint8 -> (B, K) logits."""
    body, tail = split_model(model)
    return body.model if isinstance(body, HookedBody) else nn.Sequential(body, tail)


class HookedBody(nn.Module):
    """The part of a model up to the convolution that runs last.

    Args:
        model: (B, 1, H, W) uint8 -> (B, K) logits.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.images: Tensor | None = None
        self.layer: nn.Module | None = None

    def forward(self, images: Tensor) -> Tensor:
        """Run the whole model and return the output of its last convolution, (B, C, h, w)."""
        recorded: list[tuple[nn.Module, Tensor]] = []

        def record(layer: nn.Module, _: Any, output: Tensor) -> None:
            # A copy: the next layer may work in place.
            recorded[:] = [(layer, output.clone())]

        hooks = [
            module.register_forward_hook(record)
            for module in self.model.modules()
            if isinstance(module, nn.Conv2d)
        ]
        try:
            self.model(images)
        finally:
            for hook in hooks:
                hook.remove()
        self.images, (self.layer, activations) = images, recorded[0]
        return activations


class HookedTail(nn.Module):
    """The part of a model after the convolution that runs last.

    It runs the whole model on the images that the body saw last, and replaces the output of the
    convolution. No gradient is recorded before that point.

    Args:
        body: The first part of the same model.
    """

    def __init__(self, body: HookedBody) -> None:
        super().__init__()
        self.body = body

    def forward(self, activations: Tensor) -> Tensor:
        """Return the (B, K) logits that belong to (B, C, h, w) activations."""
        body = self.body
        assert body.layer is not None
        assert body.images is not None
        hook = body.layer.register_forward_hook(lambda *_: activations)
        try:
            logits: Tensor = body.model(body.images)
        finally:
            hook.remove()
        return logits
