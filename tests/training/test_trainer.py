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
def test_number_of_gpus(gpus, visible, asked, used):
    gpus(visible)
    assert choose_gpus(asked, require_gpu=False) == used


@pytest.mark.parametrize("asked", [1, "auto"])
def test_missing_gpu_is_a_warning(gpus, caplog, asked):
    gpus(0)
    choose_gpus(0, require_gpu=False)
    assert caplog.messages == []
    choose_gpus(asked, require_gpu=False)
    assert caplog.messages == [f"No GPU is visible: running on the CPU (trainer.gpus={asked})."]


def test_fewer_gpus_than_requested_is_a_warning(gpus, caplog):
    gpus(2)
    choose_gpus(4, require_gpu=False)
    assert caplog.messages == ["Only 2 GPUs are visible, fewer than trainer.gpus=4."]


def test_missing_required_gpu_is_an_error(gpus):
    gpus(0)
    with pytest.raises(TrainingError, match=r"trainer\.require_gpu=true.*nvidia-smi"):
        choose_gpus("auto", require_gpu=True)


@pytest.mark.parametrize(
    ("visible", "asked", "device"), [(0, "auto", "cpu"), (2, "auto", "cuda"), (2, 0, "cpu")]
)
def test_device_is_known_before_the_trainer(gpus, visible, asked, device):
    gpus(visible)
    assert choose_device(asked).type == device


def test_trainer_writes_checkpoints_atomically(tmp_path):
    trainer = build_trainer(
        gpus=0, require_gpu=False, precision="32-true", max_epochs=3, default_root_dir=str(tmp_path)
    )
    assert type(trainer.strategy.checkpoint_io).__name__ == "AtomicCheckpointIO"
    assert trainer.max_epochs == 3
    assert trainer.loggers == []
