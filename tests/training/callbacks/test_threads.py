from types import SimpleNamespace

import pytest
import torch

from xray.model.classifier import XrayClassifier
from xray.training.callbacks.threads import SmallStepThreads

HEAD = {"pooling": "avg", "norm": "layer", "hidden": [], "dropout": 0.0}


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def classifier(trainable, **options):
    settings = {"head": HEAD, "weights": None, "trainable": trainable}
    return XrayClassifier("vgg16", classes=["a", "b"], **settings, **options)


@pytest.mark.parametrize(
    ("trainable", "cached", "threads"),
    [("head", True, 1), ("head", False, 2), ("block5", True, 2)],
)
def test_one_thread_only_for_a_cached_head(trainable, cached, threads):
    features = {"train": object()} if cached else {}
    trainer = SimpleNamespace(datamodule=SimpleNamespace(features=features))
    rule, model = SmallStepThreads(), classifier(trainable)
    rule.on_train_epoch_start(trainer, model)
    assert torch.get_num_threads() == threads
    rule.on_validation_start(trainer, model)
    assert torch.get_num_threads() == 2


def test_block_unfrozen_later_keeps_all_threads():
    trainer = SimpleNamespace(datamodule=SimpleNamespace(features={"train": object()}))
    later = classifier("head", unfreeze={"epoch": 2, "trainable": "block5"})
    SmallStepThreads().on_train_epoch_start(trainer, later)
    assert torch.get_num_threads() == 2


def test_threads_are_restored_after_an_exception():
    trainer = SimpleNamespace(datamodule=SimpleNamespace(features={"train": object()}))
    rule, model = SmallStepThreads(), classifier("head")
    for _ in range(2):
        rule.on_train_epoch_start(trainer, model)
    assert torch.get_num_threads() == 1
    rule.on_exception(trainer, model, KeyboardInterrupt())
    assert torch.get_num_threads() == 2
