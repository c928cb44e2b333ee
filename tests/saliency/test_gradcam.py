"""Maps worked out by hand, and maps equal to those of the package run on the whole network."""

from contextlib import ExitStack, nullcontext

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from torch import Tensor, nn

from xray.errors import ConfigError
from xray.saliency.gradcam import METHODS, check_method, saliency_maps


class ToFloat(nn.Module):
    """uint8 -> float32 in [0, 1]."""

    def forward(self, images: Tensor) -> Tensor:
        return images.float() / 255


def small_net(seed: int = 0) -> tuple[nn.Sequential, nn.Sequential]:
    """(B, 1, 16, 16) uint8 -> (B, 4, 8, 8) -> (B, 3), with a batch norm and dropout in the tail."""
    torch.manual_seed(seed)
    body = nn.Sequential(ToFloat(), nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU())
    tail = nn.Sequential(
        nn.Conv2d(4, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
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


def test_map_worked_out_by_hand() -> None:
    # The gradient of logit 0 is 1 on each x and 0.5 on each 3 - x: the map is x + (3 - x) / 2,
    # which is 1.5, 2, 2.5, 3 and becomes 0, 1/3, 2/3, 1.
    maps, probabilities = saliency_maps(HandMade(), hand_made_tail(), IMAGE, [0])
    np.testing.assert_allclose(maps, [[[0, 1 / 3], [2 / 3, 1]]], atol=1e-6)
    # Logits 4 * 1.5 + 2 * 1.5 = 9 and -6.
    np.testing.assert_allclose(probabilities, [[1 / (1 + np.exp(-15)), 1 / (1 + np.exp(15))]])
    assert maps.dtype == probabilities.dtype == np.float32


def test_without_positive_evidence_the_map_is_zero() -> None:
    maps, _ = saliency_maps(HandMade(), hand_made_tail(), IMAGE, [1])
    assert maps.tolist() == [[[0.0, 0.0], [0.0, 0.0]]]


def test_enlarged_bilinearly_to_the_image() -> None:
    body = nn.Sequential(HandMade(), nn.AvgPool2d(2))
    image = IMAGE.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    maps, _ = saliency_maps(body, hand_made_tail(), image, [0])
    # Pixel centres of 4 on 2: 0, 1/4, 3/4, 1 of the way, in each direction.
    way = np.array([0, 0.25, 0.75, 1])
    np.testing.assert_allclose(maps[0], way[:, None] * 2 / 3 + way[None, :] / 3, atol=1e-6)


def test_wide_image_keeps_its_shape() -> None:
    image = torch.arange(8, dtype=torch.uint8).reshape(1, 1, 2, 4)
    maps, _ = saliency_maps(HandMade(), hand_made_tail(), image, [0])
    assert maps.shape == (1, 2, 4)


@pytest.mark.parametrize("targets", [None, [0, 1, 2, 1, 0]])
@pytest.mark.parametrize("method", METHODS)
def test_equal_to_the_package_on_the_whole_network(method: str, targets: list[int] | None) -> None:
    body, tail = small_net()
    images = pictures()
    maps, probabilities = saliency_maps(body, tail, images, targets, method)

    whole = nn.Sequential(body, tail).eval()
    cam = getattr(pytorch_grad_cam, METHODS[method])(whole, [body[-1]])
    wanted = targets and [
        pytorch_grad_cam.utils.model_targets.ClassifierOutputTarget(t) for t in targets
    ]
    expected = cam(images, wanted)
    np.testing.assert_allclose(maps, expected, atol=1e-5)
    assert maps.max() > 0.99
    expected_logits = whole(images).softmax(1).detach().numpy()
    np.testing.assert_allclose(probabilities, expected_logits, rtol=1e-5)


def test_no_target_means_the_predicted_class() -> None:
    body, tail = small_net()
    maps, probabilities = saliency_maps(body, tail, pictures())
    named, _ = saliency_maps(body, tail, pictures(), probabilities.argmax(axis=1).tolist())
    np.testing.assert_array_equal(maps, named)
    other, _ = saliency_maps(body, tail, pictures(), probabilities.argmin(axis=1).tolist())
    assert np.abs(maps - other).max() > 0.1


@pytest.mark.parametrize("method", ["gradcam", "eigencam"])
def test_the_network_is_left_as_it_was(method: str) -> None:
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
    assert list(grads) == ["1.6.weight"]
    assert bool((grads["1.6.weight"] == 7).all())
    assert not any(part._forward_hooks or part._backward_hooks for part in whole.modules())


def test_modes_come_back_after_an_error() -> None:
    body, tail = small_net()
    with pytest.raises(IndexError):
        saliency_maps(body, tail, pictures(1), [3])
    assert all(part.training for part in [*body.modules(), *tail.modules()])
    with pytest.raises(IndexError, match="negative"):
        saliency_maps(body, tail, pictures(1), [-1])


def test_a_wholly_frozen_network_gives_the_same_map() -> None:
    body, tail = small_net()
    expected, _ = saliency_maps(body, tail, pictures())
    frozen, _ = saliency_maps(body.requires_grad_(False), tail.requires_grad_(False), pictures())
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
def test_the_callers_context_does_not_matter(caller: type[ExitStack]) -> None:
    expected, sure = saliency_maps(*small_net(), pictures())
    with caller():
        # In inference mode these parameters and images cannot enter autograd as they are.
        maps, probabilities = saliency_maps(*small_net(), pictures())
    np.testing.assert_array_equal(maps, expected)
    np.testing.assert_array_equal(probabilities, sure)


def test_a_tail_that_begins_in_place_leaves_the_activations_alone() -> None:
    body, tail = small_net()
    expected, _ = saliency_maps(body[:2], nn.Sequential(nn.ReLU(), *tail), pictures())
    maps, _ = saliency_maps(body[:2], nn.Sequential(nn.ReLU(inplace=True), *tail), pictures())
    np.testing.assert_array_equal(maps, expected)


def test_a_tail_of_half_the_precision_is_explained_in_float32() -> None:
    body, tail = small_net()
    expected, _ = saliency_maps(body, tail, pictures())
    maps, probabilities = saliency_maps(body, tail.to(torch.bfloat16), pictures())
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(maps, expected, atol=0.05)


def test_unknown_method_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"method=grad-cam .* Did you mean gradcam\?"):
        saliency_maps(*small_net(), pictures(), method="grad-cam")
    with pytest.raises(ConfigError, match=r"choose one of gradcam, .*eigengradcam\.$"):
        check_method("???")
