"""The Lightning Trainer, on the hardware that is there."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger

from xray.errors import TrainingError
from xray.training.checkpoint_io import AtomicCheckpointIO

log = logging.getLogger(__name__)


def build_trainer(
    *,
    gpus: int | Literal["auto"],
    require_gpu: bool,
    precision: str,
    callbacks: Sequence[pl.Callback] = (),
    logger: Sequence[Logger] = (),
    **options: Any,
) -> pl.Trainer:
    """Build a Trainer for up to `gpus` GPUs, or the CPU.

    Args:
        gpus: At most this many; "auto" takes all that are visible; 0 is the CPU.
        require_gpu: Whether it is an error when none is visible.
        precision: Lightning's name.
        callbacks: Passed on.
        logger: Passed on; none means no logging.
        **options: Any other argument of `pl.Trainer`.

    Raises:
        TrainingError: When a GPU is required and none is visible.
    """
    devices = choose_gpus(gpus, require_gpu)
    _silence()
    return pl.Trainer(
        accelerator="gpu" if devices else "cpu",
        devices=devices or 1,
        precision=precision,  # type: ignore[arg-type]
        callbacks=list(callbacks),
        logger=list(logger) or False,
        plugins=[AtomicCheckpointIO()],
        # Grad-CAM differentiates while validating and testing.
        inference_mode=False,
        # Our sampler divides an epoch itself, and our summary shows what is frozen.
        use_distributed_sampler=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(c, pl.callbacks.Checkpoint) for c in callbacks),
        enable_progress_bar=any(isinstance(c, pl.callbacks.ProgressBar) for c in callbacks),
        **options,
    )


def choose_gpus(gpus: int | Literal["auto"], require_gpu: bool) -> int:
    """Tell how many GPUs to use: as many as asked for, at most as many as are visible.

    Raises:
        TrainingError: When a GPU is required and none is visible.
    """
    visible = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not visible and require_gpu:
        raise TrainingError(
            "trainer.require_gpu=true, but no GPU is visible to PyTorch. Check nvidia-smi, the "
            "driver and "
            "CUDA_VISIBLE_DEVICES, or pass trainer.require_gpu=false to train on the CPU."
        )
    if not visible and gpus != 0:
        log.warning("NO GPU IS VISIBLE: running on the CPU (trainer.gpus=%s).", gpus)
    if gpus == "auto":
        return visible
    if 0 < visible < gpus:
        log.warning("ONLY %d GPUS ARE VISIBLE: trainer.gpus=%d was asked for.", visible, gpus)
    return min(gpus, visible)


def choose_device(gpus: int | Literal["auto"]) -> torch.device:
    """Tell where the Trainer will compute, before there is one."""
    return torch.device("cuda" if gpus != 0 and torch.cuda.is_available() else "cpu")


def _silence() -> None:
    """Drop messages of Lightning that tell the user nothing about this run."""
    # What is frozen is in evaluation mode on purpose.
    warnings.filterwarnings("ignore", r"Found \d+ module\(s\) in eval mode")
    # Ours are as many as a measurement finds to be enough; features need none.
    warnings.filterwarnings("ignore", r"The '\w+' does not have many workers")
    # An epoch of few batches is no mistake.
    warnings.filterwarnings("ignore", r"The number of training batches")
    # A resume goes on in the run's own directory.
    warnings.filterwarnings("ignore", r"Checkpoint directory .* exists and is not empty")
    # Lightning 2.6 calls what torch 2.15 deprecates
    warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated")
    # Advertisements, and a list of accelerators that we choose among ourselves.
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
