"""Models without `saliency_parts` are explained at the convolution that runs last."""

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from torch import Tensor, nn

from xray.errors import ConfigError, DataError
from xray.saliency.gradcam import explain, saliency_maps
from xray.saliency.parts import HookedBody, split_model, whole_model


class Foreign(nn.Module):
    """A network with an in-place activation, a dropout and layers that run out of order."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(6, 3)
        self.last = nn.Conv2d(4, 6, 3, padding=1)
        self.first = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.drop = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        x = torch.relu(self.first(images.float() / 255))
        x = torch.relu_(self.last(x))
        return self.head(self.drop(x.mean(dim=(2, 3))))


class WithParts(Foreign):
    classes = ("a", "b", "c")

    def saliency_parts(self) -> tuple[nn.Module, nn.Module]:
        body = nn.Sequential(Bytes(), self.first, nn.ReLU(), self.last)
        return body, nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), self.head)


class Bytes(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.float() / 255


IMAGES = torch.randint(
    0, 256, (10, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
)


@pytest.mark.parametrize("method", ["gradcam", "layercam", "eigencam", "finercam", "shapleycam"])
def test_hooked_model_equals_model_with_parts(method):
    targets = [i % 3 for i in range(10)]
    hooked = saliency_maps(*split_model(Foreign()), IMAGES, targets, method)
    split = saliency_maps(*split_model(WithParts()), IMAGES, targets, method)
    np.testing.assert_allclose(hooked.maps, split.maps, atol=1e-6)
    np.testing.assert_allclose(hooked.probabilities, split.probabilities, atol=1e-6)
    assert hooked.maps.max() > 0.99


def test_hooked_model_equals_the_package():
    model = Foreign().eval()
    targets = [pytorch_grad_cam.utils.model_targets.ClassifierOutputTarget(2)] * 10
    # The package's hook would see the values that the in-place activation wrote.
    model.forward = lambda images: model.head(
        torch.relu(model.last(torch.relu(model.first(images.float() / 255)))).mean(dim=(2, 3))
    )
    expected = pytorch_grad_cam.GradCAM(model, [model.last])(IMAGES, targets)
    found = explain(Foreign(), IMAGES, classes=[2] * 10)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_hooked_model_is_restored():
    model = Foreign().train()
    explain(model, IMAGES)
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_whole_model_gives_the_logits():
    for model in (Foreign().eval(), WithParts().eval()):
        np.testing.assert_allclose(
            whole_model(model)(IMAGES).detach(), model(IMAGES).detach(), atol=1e-6
        )
    assert isinstance(split_model(Foreign())[0], HookedBody)


def test_model_without_convolution_is_rejected():
    with pytest.raises(ConfigError, match=r"Sequential has no convolution .* saliency_parts\(\)"):
        split_model(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))


def test_explain_takes_tensors_arrays_and_lists():
    expected = explain(WithParts(), IMAGES)
    assert expected.shape == (10, 16, 16)
    assert expected.dtype == np.float32
    assert expected.min() >= 0
    assert expected.max() <= 1
    for images in (IMAGES.numpy(), [image[0].numpy() for image in IMAGES], list(IMAGES)):
        np.testing.assert_array_equal(explain(WithParts(), images), expected)
    assert explain(WithParts(), IMAGES[:0]).shape == (0, 16, 16)


def test_explain_uses_the_threshold_of_the_model():
    class Two(WithParts):
        def __init__(self, threshold: float) -> None:
            super().__init__()
            self.head = nn.Linear(6, 2)
            self.threshold = threshold

    for threshold, predicted in ((1e-6, 1), (1 - 1e-6, 0)):
        model = Two(threshold)
        np.testing.assert_array_equal(
            explain(model, IMAGES), explain(model, IMAGES, classes=[predicted] * 10)
        )
    assert np.abs(explain(model, IMAGES) - explain(model, IMAGES, classes=[1] * 10)).max() > 0.1


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES.float(), r"float32; expected \(B, 1, H, W\) uint8"),
        (IMAGES.repeat(1, 3, 1, 1), r"\(10, 3, 16, 16\)"),
        ([np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)], r"different sizes .*\(4, 5\)"),
    ],
)
def test_explain_rejects_other_images(images, message):
    with pytest.raises(DataError, match=message):
        explain(WithParts(), images)
