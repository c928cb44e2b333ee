"""The Lightning Trainer for the available hardware."""

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
        gpus: Maximum number of GPUs; "auto" uses all visible GPUs; 0 uses the CPU.
        require_gpu: Whether a missing GPU is an error.
        precision: Lightning's name of the precision.
        callbacks: Callbacks of the trainer.
        logger: Loggers of the trainer; without one, nothing is logged.
        **options: Other arguments of `pl.Trainer`.

    Raises:
        TrainingError: A GPU is required and none is visible.
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
        # EpochSampler divides an epoch itself; the model table shows frozen blocks.
        use_distributed_sampler=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(c, pl.callbacks.Checkpoint) for c in callbacks),
        enable_progress_bar=any(isinstance(c, pl.callbacks.ProgressBar) for c in callbacks),
        **options,
    )


def choose_gpus(gpus: int | Literal["auto"], require_gpu: bool) -> int:
    """Return the number of GPUs to use: the requested number, at most the visible number.

    Raises:
        TrainingError: A GPU is required and none is visible.
    """
    visible = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not visible and require_gpu:
        raise TrainingError(
            "trainer.require_gpu=true, but no GPU is visible to PyTorch. Check nvidia-smi, the "
            "driver and CUDA_VISIBLE_DEVICES, or pass trainer.require_gpu=false to use the CPU."
        )
    if not visible and gpus != 0:
        log.warning("No GPU is visible: running on the CPU (trainer.gpus=%s).", gpus)
    if gpus == "auto":
        return visible
    if 0 < visible < gpus:
        log.warning("Only %d GPUs are visible, fewer than trainer.gpus=%d.", visible, gpus)
    return min(gpus, visible)


def choose_device(gpus: int | Literal["auto"]) -> torch.device:
    """Return the device of a Trainer before it is built."""
    return torch.device("cuda" if gpus != 0 and torch.cuda.is_available() else "cpu")


def _silence() -> None:
    """Suppress messages of Lightning that do not concern this run."""
    # Frozen blocks are in evaluation mode on purpose.
    warnings.filterwarnings("ignore", r"Found \d+ module\(s\) in eval mode")
    # The number follows `xray.machine.loader_workers`; cached activations need none.
    warnings.filterwarnings("ignore", r"The '\w+' does not have many workers")
    # An epoch of few batches is not an error.
    warnings.filterwarnings("ignore", r"The number of training batches")
    # A resumed run continues in its own directory.
    warnings.filterwarnings("ignore", r"Checkpoint directory .* exists and is not empty")
    # Lightning 2.6 calls a function that torch 2.15 deprecates.
    warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated")
    # Advertisements, and a list of accelerators.
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
