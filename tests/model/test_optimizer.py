import pytest
import torch
from torch import nn

from xray.errors import ConfigError
from xray.model.optimizer import build_optimizer, build_schedule, lr_factor

SETTINGS = {
    "name": "adamw",
    "lr": 0.1,
    "backbone_lr": 0.01,
    "weight_decay": 0.0,
    "momentum": 0.9,
    "schedule": "constant",
    "warmup_epochs": 0,
}


def test_head_and_backbone_learn_at_their_own_rates():
    head, block = nn.Linear(2, 2), nn.Linear(3, 3)
    groups = build_optimizer(head, [block], SETTINGS).param_groups
    assert [(group["name"], group["lr"], len(group["params"])) for group in groups] == [
        ("head", 0.1, 2),
        ("backbone", 0.01, 2),
    ]
    assert len(build_optimizer(head, [], SETTINGS).param_groups) == 1


def test_sgd_takes_its_momentum_and_others_are_refused():
    sgd = build_optimizer(nn.Linear(2, 2), [], {**SETTINGS, "name": "sgd"})
    assert isinstance(sgd, torch.optim.SGD)
    assert sgd.param_groups[0]["momentum"] == 0.9
    with pytest.raises(ConfigError, match=r"optim\.name is 'lion'"):
        build_optimizer(nn.Linear(2, 2), [], {**SETTINGS, "name": "lion"})


@pytest.mark.parametrize(
    ("schedule", "warmup", "expected"),
    [
        ("constant", 0, [1.0, 1.0, 1.0, 1.0]),
        ("constant", 3, [0.25, 0.5, 0.75, 1.0]),
        ("cosine", 0, [1.0, 0.853553, 0.5, 0.146447]),
        ("cosine", 2, [1 / 3, 2 / 3, 1.0, 0.5]),
    ],
)
def test_factors(schedule, warmup, expected):
    settings = {"schedule": schedule, "warmup_epochs": warmup}
    assert [lr_factor(epoch, settings, 4) for epoch in range(4)] == pytest.approx(
        expected, abs=1e-6
    )


def test_schedule_scales_every_group():
    optimizer = build_optimizer(nn.Linear(2, 2), [nn.Linear(2, 2)], SETTINGS)
    schedule = build_schedule(optimizer, {**SETTINGS, "schedule": "cosine"}, 2)
    optimizer.step()
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05, 0.005])
