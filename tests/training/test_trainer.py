import pytest
import torch

from xray.errors import TrainingError
from xray.training.trainer import build_trainer, choose_device, choose_gpus


@pytest.fixture
def gpus(monkeypatch):
    def see(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return see


@pytest.mark.parametrize(
    ("visible", "asked", "used"),
    [(0, "auto", 0), (2, "auto", 2), (2, 1, 1), (2, 4, 2), (2, 0, 0), (0, 1, 0)],
)
def test_as_many_as_asked_for_and_visible(gpus, visible, asked, used):
    gpus(visible)
    assert choose_gpus(asked, require_gpu=False) == used


@pytest.mark.parametrize("asked", [1, "auto"])
def test_a_missing_gpu_is_said_once_and_loudly(gpus, caplog, asked):
    gpus(0)
    choose_gpus(0, require_gpu=False)
    assert caplog.messages == []
    choose_gpus(asked, require_gpu=False)
    assert caplog.messages == [f"NO GPU IS VISIBLE: running on the CPU (trainer.gpus={asked})."]


def test_fewer_gpus_than_asked_for_is_said(gpus, caplog):
    gpus(2)
    choose_gpus(4, require_gpu=False)
    assert caplog.messages == ["ONLY 2 GPUS ARE VISIBLE: trainer.gpus=4 was asked for."]


def test_a_required_gpu_that_is_missing_is_an_error(gpus):
    gpus(0)
    with pytest.raises(TrainingError, match=r"trainer\.require_gpu=true.*nvidia-smi"):
        choose_gpus("auto", require_gpu=True)


@pytest.mark.parametrize(
    ("visible", "asked", "device"), [(0, "auto", "cpu"), (2, "auto", "cuda"), (2, 0, "cpu")]
)
def test_the_device_is_known_before_there_is_a_trainer(gpus, visible, asked, device):
    gpus(visible)
    assert choose_device(asked).type == device


def test_trainer_writes_checkpoints_through_our_io(tmp_path):
    trainer = build_trainer(
        gpus=0, require_gpu=False, precision="32-true", max_epochs=3, default_root_dir=str(tmp_path)
    )
    assert type(trainer.strategy.checkpoint_io).__name__ == "AtomicCheckpointIO"
    assert trainer.max_epochs == 3
    assert trainer.loggers == []
