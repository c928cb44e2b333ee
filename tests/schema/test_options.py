"""The options of the schema and of the help texts are those that the code supports."""

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pytorch_lightning.strategies import StrategyRegistry
from torch import nn

from xray.cli.help import help_text
from xray.config import CONF_DIR
from xray.data.certificate import Leaks
from xray.model.head import Norm, Pooling
from xray.model.optimizer import DEFAULTS, build_optimizer
from xray.saliency.methods import METHODS
from xray.schema import fields
from xray.schema.data import Folder
from xray.schema.model import Head, Optim
from xray.schema.training import Strategy, Trainer
from xray.training.trainer import build_trainer
from xray.types import SPLITS


def options(model: Any, key: str) -> set[Any]:
    return set(get_args(model.model_fields[key].annotation))


def test_options_of_the_head() -> None:
    assert options(Head, "pooling") == set(get_args(Pooling))
    assert options(Head, "norm") == {"auto", *get_args(Norm)}


def test_options_of_the_data() -> None:
    assert options(Folder, "leaks") == set(get_args(Leaks))
    assert get_args(fields.Split) == SPLITS


def test_named_optimizers_can_be_built() -> None:
    for name in options(Optim, "name"):
        optimizer = build_optimizer(nn.Linear(1, 1), [], {**DEFAULTS, "name": name})
        assert type(optimizer).__name__.lower() == name


# Lightning replaces 16-mixed on the CPU.
@pytest.mark.filterwarnings("ignore:You passed `Trainer")
def test_precisions_are_known_to_lightning() -> None:
    for precision in options(Trainer, "precision") - {"auto"}:
        trainer = build_trainer(gpus=0, require_gpu=False, precision=precision)
        assert trainer.precision == precision.replace("16-mixed", "bf16-mixed").replace(
            "bfbf", "bf"
        )


def test_strategies_are_known_to_lightning() -> None:
    assert set(get_args(Strategy)) - {"auto"} <= set(StrategyRegistry.available_strategies())


def test_help_of_gradcam_lists_every_method() -> None:
    words = help_text("gradcam").replace("|", " ").split()
    assert set(METHODS) <= set(words)


@pytest.mark.parametrize("path", sorted(CONF_DIR.glob("*.yaml")), ids=lambda path: path.stem)
def test_help_lists_every_key(path: Path) -> None:
    if path.stem in {"train", "audit"}:
        pytest.skip("lists common keys only")
    keys = yaml.safe_load(path.read_text()).keys() - {"defaults", "hydra"}
    text = help_text(path.stem)
    listed = {line.split()[0] for line in text.splitlines() if line.startswith("  ")}
    # predict reads no images of the run, so its key `images` has no effect.
    assert keys - {"images"} <= listed if path.stem == "predict" else keys <= listed
