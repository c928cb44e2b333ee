import pytest
import torch
from torch import nn

from xray.errors import ConfigError
from xray.model.head import Head, pool

# Two channels of 2 x 2: means 3 and -1, maxima 6 and 2.
MAPS = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[-4.0, 2.0], [-2.0, 0.0]]]])


def make_head(**options):
    return Head(
        2, 2, **{"pooling": "avg", "norm": "none", "hidden": [], "dropout": 0.0, **options}
    ).eval()


def set_linear(layer, weight, bias):
    layer.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("avg", [3.0, -1.0]), ("max", [6.0, 2.0]), ("avgmax", [3.0, -1.0, 6.0, 2.0])],
)
def test_pool(pooling, expected):
    assert pool(MAPS, pooling).tolist() == [expected]


def test_flatten_keeps_a_7x7_map_and_averages_a_larger_one():
    small = torch.arange(98.0).reshape(1, 2, 7, 7)
    assert pool(small, "flatten").tolist() == [list(range(98))]
    large = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    large[:, :, ::2] += 1
    large[:, :, 1::2] -= 1
    assert pool(large, "flatten").tolist() == [list(range(98))]
    assert Head(2, 3, pooling="flatten", norm="batch", hidden=[4], dropout=0.5)(
        small.repeat(2, 1, 1, 1)
    ).shape == (2, 3)


def test_linear_probe():
    head = make_head(dropout=0.5)
    assert [type(layer) for layer in head.layers] == [nn.Dropout, nn.Linear]
    set_linear(head.layers[-1], [[1.0, 2.0], [-1.0, 0.5]], [10.0, 0.0])
    # 3 - 2 + 10; -3 - 0.5
    assert head(MAPS).tolist() == [[11.0, -3.5]]


def test_hidden_layers():
    head = make_head(hidden=[3, 1], dropout=0.25, pooling="avgmax")
    kinds = [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert [type(layer) for layer in head.layers] == kinds
    assert [layer.p for layer in head.layers if isinstance(layer, nn.Dropout)] == [0.25, 0.25]
    # From (3, -1, 6, 2): 3, -1 -> 0, 8; then 3 + 16 = 19; then 38 and -19 + 1.
    first = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    set_linear(head.layers[0], first, [0.0, 0.0, 0.0])
    set_linear(head.layers[3], [[1.0, 5.0, 2.0]], [0.0])
    set_linear(head.layers[6], [[2.0], [-1.0]], [0.0, 1.0])
    assert head(MAPS).tolist() == [[38.0, -18.0]]


def test_dropout_drops_and_rescales_in_training_only():
    torch.manual_seed(0)
    head = make_head(dropout=0.5)
    set_linear(head.layers[-1], [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    maps = torch.ones(200, 2, 1, 1)
    assert head(maps).unique().tolist() == [1.0]
    assert head.train()(maps).unique().tolist() == [0.0, 2.0]


def test_batch_norm_uses_running_statistics_in_evaluation():
    head = make_head(norm="batch")
    set_linear(head.layers[-1], [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    head.norm.running_mean.copy_(torch.tensor([1.0, -2.0]))
    head.norm.running_var.copy_(torch.tensor([4.0, 0.25]))
    # (3 - 1) / 2; (-1 + 2) / 0.5
    torch.testing.assert_close(head(MAPS), torch.tensor([[1.0, 2.0]]), rtol=1e-4, atol=0)
    head.train()(torch.cat([MAPS, MAPS]))
    # Momentum 0.1 towards the batch's mean of (3, -1).
    torch.testing.assert_close(head.norm.running_mean, torch.tensor([1.2, -1.9]))


def test_layer_norm():
    head = make_head(norm="layer")
    set_linear(head.layers[-1], [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    # (3, -1) has mean 1 and standard deviation 2.
    torch.testing.assert_close(head(MAPS), torch.tensor([[1.0, -1.0]]), rtol=1e-4, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_logits_are_float32(dtype):
    assert make_head()(MAPS.to(dtype)).dtype == torch.float32


def test_autocast_does_not_round_the_logits():
    head = make_head()
    set_linear(head.layers[-1], [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    maps = torch.tensor([[[[1.0 + 2**-12]], [[1.0]]]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = head(maps)
    # bfloat16 would round it to 1, a tie.
    assert logits.tolist() == [[1.0 + 2**-12, 1.0]]


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
@pytest.mark.parametrize("pooling", ["avg", "max", "avgmax", "flatten"])
def test_gradients_reach_the_input(pooling, norm):
    head = make_head(pooling=pooling, norm=norm, hidden=[8], dropout=0.5).requires_grad_(False)
    maps = torch.randn(1, 2, 7, 7, requires_grad=True)
    head(maps)[0, 1].backward()
    assert maps.grad.abs().sum() > 0


def test_gradient_of_a_linear_probe_is_its_weight_over_the_positions():
    head = make_head()
    set_linear(head.layers[-1], [[1.0, 2.0], [-1.0, 0.5]], [0.0, 0.0])
    maps = MAPS.clone().requires_grad_()
    head(maps)[0, 0].backward()
    assert maps.grad.tolist() == [[[[0.25, 0.25], [0.25, 0.25]], [[0.5, 0.5], [0.5, 0.5]]]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"pooling": "mean"},
            r"pooling=mean is not an option\. Options: avg, max, avgmax",
        ),
        ({"norm": "group"}, r"norm=group is not an option\. Options: batch, layer, none\."),
        ({"hidden": [16, 0]}, r"hidden=\[16, 0\]: every size must be at least 1"),
        ({"dropout": 1.0}, r"dropout=1\.0: expected a probability in \[0, 1\)"),
    ],
)
def test_arguments_out_of_range(options, message):
    with pytest.raises(ConfigError, match=r"model\.head\." + message):
        make_head(**options)


def test_one_class_is_rejected():
    with pytest.raises(ConfigError, match="num_classes=1"):
        Head(2, 1, pooling="avg", norm="none", hidden=[], dropout=0.0)
