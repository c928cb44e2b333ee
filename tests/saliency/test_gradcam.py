"""Maps computed by hand, and compared with the grad-cam package on the whole network."""

import gc
import tracemalloc
from contextlib import ExitStack, nullcontext
from typing import Any

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from torch import Tensor, nn

from xray.errors import ConfigError
from xray.saliency.gradcam import saliency_maps
from xray.saliency.methods import METHODS, check_method


class ToFloat(nn.Module):
    """uint8 -> float32 in [0, 1]."""

    def forward(self, images: Tensor) -> Tensor:
        return images.float() / 255


def small_net(seed: int = 0) -> tuple[nn.Sequential, nn.Sequential]:
    """(B, 1, 16, 16) uint8 -> (B, 4, 8, 8) -> (B, 3), with norms and dropout in the tail."""
    torch.manual_seed(seed)
    body = nn.Sequential(ToFloat(), nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU())
    tail = nn.Sequential(
        nn.Conv2d(4, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.LayerNorm(6 * 16),
        nn.Linear(6 * 16, 3),
    )
    return body, tail


def pictures(n: int = 5, seed: int = 1) -> Tensor:
    return torch.randint(
        0, 256, (n, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


class HandMade(nn.Module):
    """Activations x and 3 - x for pixels x."""

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.float()
        return torch.cat([pixels, 3 - pixels], dim=1)


def hand_made_tail() -> nn.Sequential:
    """Logit 0: 4 x mean of x + 2 x mean of (3 - x). Logit 1: -4 x mean of x."""
    head = nn.Linear(2, 2, bias=False)
    head.weight.data = torch.tensor([[4.0, 2.0], [-4.0, 0.0]])
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


IMAGE = torch.tensor([[[[0, 1], [2, 3]]]], dtype=torch.uint8)


def test_map_computed_by_hand() -> None:
    # The gradient of logit 0 is 1 on each x and 0.5 on each 3 - x: the map is x + (3 - x) / 2,
    # which is 1.5, 2, 2.5, 3 and becomes 0, 1/3, 2/3, 1.
    maps, probabilities, *_ = saliency_maps(HandMade(), hand_made_tail(), IMAGE, [0])
    np.testing.assert_allclose(maps, [[[0, 1 / 3], [2 / 3, 1]]], atol=1e-6)
    # Logits 4 * 1.5 + 2 * 1.5 = 9 and -6.
    np.testing.assert_allclose(probabilities, [[1 / (1 + np.exp(-15)), 1 / (1 + np.exp(15))]])
    assert maps.dtype == probabilities.dtype == np.float32


def test_without_positive_evidence_the_map_is_zero() -> None:
    maps, *_ = saliency_maps(HandMade(), hand_made_tail(), IMAGE, [1])
    assert maps.tolist() == [[[0.0, 0.0], [0.0, 0.0]]]


def test_magnitudes_are_measured_before_rescaling() -> None:
    found = saliency_maps(HandMade(), hand_made_tail(), IMAGE.repeat(2, 1, 1, 1), [0, 1])
    # Maximum of 1.5, 2, 2.5, 3; and of 0, -1, -2, -3, which is negative evidence.
    np.testing.assert_allclose(found.peaks, [3, 0])
    np.testing.assert_allclose(found.means, [2.25, 0])
    assert found.peaks.dtype == found.means.dtype == np.float32


def test_finercam_weights_the_difference_to_the_other_class() -> None:
    tail = hand_made_tail()
    # The difference is weighted by the probability of the other class, which must not vanish.
    tail[-1].weight.data /= 10
    # A tenth of logit 0 less logit 1: the gradient is 0.2 on each x and 0.05 on each 3 - x.
    found = saliency_maps(HandMade(), tail, IMAGE, [0], "finercam")
    np.testing.assert_allclose(found.maps, [[[0, 1 / 3], [2 / 3, 1]]], atol=1e-6)
    np.testing.assert_allclose([found.peaks, found.means], [[0.6], [0.375]], rtol=1e-6)


def test_shapleycam_behind_a_linear_tail_is_gradcam() -> None:
    # A linear function has no second derivative.
    found = saliency_maps(HandMade(), hand_made_tail(), IMAGE, [0], "shapleycam")
    np.testing.assert_allclose(found.maps, [[[0, 1 / 3], [2 / 3, 1]]], atol=1e-6)
    np.testing.assert_allclose(found.peaks, [3])


NO_GRADIENTS = {"AblationCAM", "FEM", "KPCA_CAM", "ScoreCAM"}
SEVERAL_LAYERS = {"FullGrad", "RefineCAM"}
# Weights drawn at random; patches of several sizes cut from the image.
NO_METHOD_OF_ONE_PASS = {"RandomCAM", "SESS"}


def test_every_gradient_method_of_the_package_is_offered() -> None:
    there = {
        name
        for name, found in vars(pytorch_grad_cam).items()
        if isinstance(found, type) and issubclass(found, pytorch_grad_cam.base_cam.BaseCAM)
    }
    wrappers = {"FinerCAM", "RefineCAM", "SESS"}
    left_out = NO_GRADIENTS | SEVERAL_LAYERS | NO_METHOD_OF_ONE_PASS
    assert there | wrappers == {*METHODS.values()} | left_out


def test_enlarged_bilinearly_to_the_image() -> None:
    body = nn.Sequential(HandMade(), nn.AvgPool2d(2))
    image = IMAGE.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    maps, *_ = saliency_maps(body, hand_made_tail(), image, [0])
    # Pixel centers of 4 on 2: 0, 1/4, 3/4, 1 of the way, in each direction.
    way = np.array([0, 0.25, 0.75, 1])
    np.testing.assert_allclose(maps[0], way[:, None] * 2 / 3 + way[None, :] / 3, atol=1e-6)


def test_wide_image_keeps_its_shape() -> None:
    image = torch.arange(8, dtype=torch.uint8).reshape(1, 1, 2, 4)
    maps, *_ = saliency_maps(HandMade(), hand_made_tail(), image, [0])
    assert maps.shape == (1, 2, 4)


def by_the_package(cam: Any, images: Tensor, targets: list[int] | None) -> np.ndarray:
    """Maps of the package on the whole network."""
    if targets is None:
        return cam(images, None)
    if isinstance(cam, pytorch_grad_cam.FinerCAM):
        # It accepts one target for all images only.
        pairs = zip(images.split(1), targets, strict=True)
        return np.concatenate([cam(image, None, target_idx=target) for image, target in pairs])
    wanted = [pytorch_grad_cam.utils.model_targets.ClassifierOutputTarget(t) for t in targets]
    return cam(images, wanted)


@pytest.mark.parametrize("targets", [None, [0, 1, 2, 1, 0]])
@pytest.mark.parametrize("method", METHODS)
def test_equal_to_the_package_on_the_whole_network(method: str, targets: list[int] | None) -> None:
    body, tail = small_net()
    images = pictures()
    maps, probabilities, *_ = saliency_maps(body, tail, images, targets, method)

    whole = nn.Sequential(body, tail).eval()
    cam = getattr(pytorch_grad_cam, METHODS[method])(whole, [body[-1]])
    # ShapleyCAM differentiates with respect to the images, so they must be floats.
    expected = by_the_package(cam, images.float(), targets)
    np.testing.assert_allclose(maps, expected, atol=1e-5)
    assert maps.max() > 0.99
    expected_logits = whole(images).softmax(1).detach().numpy()
    np.testing.assert_allclose(probabilities, expected_logits, rtol=1e-5)


def test_no_target_means_the_predicted_class() -> None:
    body, tail = small_net()
    maps, probabilities, *_ = saliency_maps(body, tail, pictures())
    named, *_ = saliency_maps(body, tail, pictures(), probabilities.argmax(axis=1).tolist())
    np.testing.assert_array_equal(maps, named)
    other, *_ = saliency_maps(body, tail, pictures(), probabilities.argmin(axis=1).tolist())
    assert np.abs(maps - other).max() > 0.1


@pytest.mark.parametrize("method", ["gradcam", "eigencam", "shapleycam", "finercam"])
def test_network_is_restored(method: str) -> None:
    body, tail = small_net()
    tail[0].requires_grad_(False)
    body.train()
    tail.train()
    tail[1].eval()
    whole = nn.Sequential(body, tail)
    tail[-1].weight.grad = torch.full_like(tail[-1].weight, 7.0)
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    modes = [part.training for part in whole.modules()]
    wants = [parameter.requires_grad for parameter in whole.parameters()]

    saliency_maps(body, tail, pictures(), method=method)

    assert [part.training for part in whole.modules()] == modes
    assert [parameter.requires_grad for parameter in whole.parameters()] == wants
    assert all(torch.equal(before[name], value) for name, value in whole.state_dict().items())
    grads = {name: p.grad for name, p in whole.named_parameters() if p.grad is not None}
    assert list(grads) == ["1.7.weight"]
    assert bool((grads["1.7.weight"] == 7).all())
    assert not any(part._forward_hooks or part._backward_hooks for part in whole.modules())


def test_modes_are_restored_after_an_error() -> None:
    body, tail = small_net()
    with pytest.raises(IndexError):
        saliency_maps(body, tail, pictures(1), [3])
    assert all(part.training for part in [*body.modules(), *tail.modules()])
    with pytest.raises(IndexError, match="negative"):
        saliency_maps(body, tail, pictures(1), [-1])


class Fails(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        raise ZeroDivisionError


def hooks() -> list[Any]:
    """Return all hooks that live objects of the package have not released."""
    kind = pytorch_grad_cam.ActivationsAndGradients
    alive = [found for found in gc.get_objects() if type(found) is kind]
    return [handle for found in alive for handle in found.handles]


@pytest.mark.parametrize("method", METHODS)
def test_hooks_are_released(method: str) -> None:
    body, tail = small_net()
    gc.collect()
    before = len(hooks())
    # The frames of the failed call live as long as its error.
    with pytest.raises(ZeroDivisionError) as held:
        saliency_maps(body, nn.Sequential(tail, Fails()), pictures(1), [2], method)
    assert len(hooks()) == before
    assert held.traceback
    saliency_maps(body, tail, pictures(1), [2], method)
    assert len(hooks()) == before


def tensors() -> int:
    return sum(type(found) in (Tensor, nn.Parameter) for found in gc.get_objects())


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gradcam", "shapleycam", "finercam"])
def test_memory_is_constant_over_a_thousand_images(method: str) -> None:
    body, tail = small_net()
    images = pictures(250)
    saliency_maps(body, tail, images, method=method)
    gc.collect()
    # Without garbage collection, reference cycles count as leaks.
    gc.disable()
    tracemalloc.start()
    try:
        held, (before, _) = tensors(), tracemalloc.get_traced_memory()
        for _ in range(4):
            saliency_maps(body, tail, images, method=method)
        after, (later, _) = tensors(), tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert after == held
    # One map in float32 of each image would be a megabyte.
    assert later - before < 100_000
    assert all(parameter.grad is None for parameter in nn.Sequential(body, tail).parameters())


def test_frozen_network_gives_the_same_map() -> None:
    body, tail = small_net()
    expected, *_ = saliency_maps(body, tail, pictures())
    frozen, *_ = saliency_maps(body.requires_grad_(False), tail.requires_grad_(False), pictures())
    np.testing.assert_array_equal(frozen, expected)


@pytest.mark.parametrize(
    "caller",
    [
        torch.no_grad,
        torch.inference_mode,
        lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        nullcontext,
    ],
    ids=["no_grad", "inference_mode", "autocast", "plain"],
)
def test_context_of_the_caller_does_not_matter(caller: type[ExitStack]) -> None:
    expected, expected_probabilities, *_ = saliency_maps(*small_net(), pictures())
    with caller():
        # Tensors created in inference mode cannot be used by autograd unchanged.
        maps, probabilities, *_ = saliency_maps(*small_net(), pictures())
    np.testing.assert_array_equal(maps, expected)
    np.testing.assert_array_equal(probabilities, expected_probabilities)


def test_in_place_tail_does_not_change_the_activations() -> None:
    body, tail = small_net()
    expected, *_ = saliency_maps(body[:2], nn.Sequential(nn.ReLU(), *tail), pictures())
    maps, *_ = saliency_maps(body[:2], nn.Sequential(nn.ReLU(inplace=True), *tail), pictures())
    np.testing.assert_array_equal(maps, expected)


def test_half_precision_tail_is_explained_in_float32() -> None:
    body, tail = small_net()
    targets = [0, 1, 2, 1, 0]
    expected, *_ = saliency_maps(body, tail, pictures(), targets)
    half = tail.to(torch.bfloat16)
    maps, probabilities, *_ = saliency_maps(body, half, pictures(), targets)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(maps, expected, atol=0.05)


def test_unknown_method_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"method=grad-cam .* Did you mean 'gradcam'\?"):
        saliency_maps(*small_net(), pictures(), method="grad-cam")
    with pytest.raises(ConfigError, match=r"choose one of gradcam, .*finercam\.$"):
        check_method("???")
