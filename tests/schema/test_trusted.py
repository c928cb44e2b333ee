from typing import Any

import pytest
import yaml

from xray.config import CONF_DIR
from xray.schema.trusted import TRUSTED, find_untrusted, is_trusted, load_class

GROUPS = ("data", "transform", "model", "optim", "callbacks", "trainer", "logger")


@pytest.mark.parametrize("group", GROUPS)
def test_classes_of_all_options_are_trusted(group: str) -> None:
    for path in (CONF_DIR / group).glob("*.yaml"):
        values: Any = yaml.safe_load(path.read_text())
        assert list(find_untrusted({group: values})) == [], path


def test_trusted_classes_exist() -> None:
    for targets in TRUSTED.values():
        assert all(callable(load_class(target)) for target in targets)


@pytest.mark.parametrize(
    ("target", "group", "expected"),
    [
        ("albumentations.HorizontalFlip", "transform", True),
        ("albumentations.OneOf", "transform", True),
        ("albumentations.load", "transform", False),
        ("albumentations.core.serialization.from_dict", "transform", False),
        ("albumentations.core.HorizontalFlip", "transform", False),
        ("albumentationsx.HorizontalFlip", "transform", False),
        ("albumentations.HorizontalFlip", "callbacks", False),
        ("torch.optim.RMSprop", "optim", True),
        ("torch.optim.lr_scheduler.StepLR", "optim", True),
        ("torch.load", "optim", False),
        ("torch.nn.BCEWithLogitsLoss", "model", True),
        ("torch.nn.Module.load_state_dict", "model", False),
        ("pytorch_lightning.callbacks.LambdaCallback", "callbacks", False),
    ],
)
def test_trusted_classes(target: str, group: str, expected: bool) -> None:
    assert is_trusted(target, group) is expected
