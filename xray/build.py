"""Build the objects of a run from its composed configuration."""

import inspect
import logging
import warnings
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import LearningRateMonitor

from xray.caching.activations import FeatureCache
from xray.caching.pixels import PixelCache
from xray.cli.construct import construct
from xray.cli.launch import STARTED
from xray.data.datamodule import XrayDataModule
from xray.data.foreign import adapt
from xray.errors import ConfigError, XrayError
from xray.evaluation.collector import PredictionCollector
from xray.model.classifier import XrayClassifier
from xray.model.interface import check_model
from xray.model.seeding import seeded
from xray.runs.run import RunFiles
from xray.training.callbacks.checkpoint_entry import CheckpointEntry
from xray.training.callbacks.early_stopping import RunEarlyStopping
from xray.training.callbacks.first_step import FirstStep
from xray.training.callbacks.relocation import RelocateCheckpoints
from xray.training.callbacks.step_seed import StepSeed
from xray.training.callbacks.threads import SmallStepThreads
from xray.training.compute import Compute, choose_compute
from xray.training.trainer import choose_device

log = logging.getLogger(__name__)

COMPUTE = ("precision", "channels_last", "threads", "compile")
"""Keys of `trainer` that are settings of `Compute`, not arguments of the Trainer."""

GRADCAM = "xray.saliency.callback.GradCAMCallback"

_LIGHTNING_EARLY_STOPPING = "pytorch_lightning.callbacks.EarlyStopping"
"""Early stopping of older runs, replaced by RunEarlyStopping, which applies a changed patience."""


def build_data(cfg: DictConfig) -> XrayDataModule:
    """Build the data module without reading any image.

    Raises:
        ConfigError: A transform does not accept its arguments.
    """
    transforms = {key: _build_transforms(cfg.transform[key], key) for key in ("train", "eval")}
    options = {"transforms": transforms} if _accepts(cfg.data, "transforms") else {}
    return adapt(construct(cfg.data, "data", **options))


def _build_transforms(cfg: Any, key: str) -> Any:
    """Build the transforms of `transform.<key>`."""
    try:
        with warnings.catch_warnings():
            # albumentations only warns about unknown arguments.
            warnings.simplefilter("error", UserWarning)
            return construct(cfg, "transform")
    except XrayError:
        raise
    except Exception as error:
        raise ConfigError(
            f"transform.{key} has arguments that albumentations does not accept: "
            f"{_first_cause(error)}"
        ) from error


def _accepts(cfg: DictConfig, argument: str) -> bool:
    """Check whether the class named by `_target_` accepts an argument."""
    parameters = inspect.signature(get_object(cfg["_target_"])).parameters.values()
    return any(p.name == argument or p.kind is p.VAR_KEYWORD for p in parameters)


def build_model(cfg: DictConfig, data: XrayDataModule) -> XrayClassifier:
    """Build the classifier for the classes of `data` with the configured initial weights.

    Raises:
        ConfigError: The batch size is 1, but the head contains batch normalization.
    """
    with seeded(cfg.seed):
        model: XrayClassifier = construct(
            cfg.model,
            "model",
            classes=list(data.classes),
            class_weights=data.class_weights(),
            optim=OmegaConf.to_container(cfg.optim, resolve=True),
            seed=cfg.seed,
        )
    check_model(model)
    norm = (model.hparams.get("head") or {}).get("norm")
    if data.batch_size == 1 and norm == "batch":
        raise ConfigError(
            f"data.batch_size is 1, but model.head.norm={cfg.model.head.norm} is batch "
            "normalization for these weights, which needs at least two images. Increase "
            "data.batch_size, or pass model.head.norm=layer."
        )
    return model


def build_compute(cfg: DictConfig, gpus: int | Literal["auto"], *, run: Path) -> Compute:
    """Choose precision, memory format and threads, and log them.

    Args:
        cfg: Configuration of the run.
        gpus: Maximum number of GPUs; "auto": all visible GPUs.
        run: The run directory; its recorded settings take precedence.
    """
    # Older runs do not have all of these keys.
    configured = {key: cfg.trainer[key] for key in COMPUTE if key in cfg.trainer}
    device = choose_device(_gpus(gpus))
    return choose_compute(Compute(**configured), device, RunFiles(run).compute)


def build_trainer(cfg: DictConfig, compute: Compute) -> tuple[pl.Trainer, PredictionCollector]:
    """Build the Trainer, with the configured callbacks and loggers and those of every run."""
    collector = PredictionCollector()
    loggers = [construct(logger, "logger") for logger in cfg.logger.values()]
    callbacks = [_build_callback(callback) for callback in cfg.callbacks.values()]
    if not loggers:
        callbacks = [c for c in callbacks if not isinstance(c, LearningRateMonitor)]
    trainer: pl.Trainer = construct(
        {key: value for key, value in cfg.trainer.items() if key not in COMPUTE},
        "trainer",
        precision=compute.precision,
        gpus=_gpus(cfg.trainer.gpus),
        callbacks=[*_own_callbacks(cfg), *callbacks, collector],
        logger=loggers,
        default_root_dir=cfg.paths.run,
    )
    return trainer, collector


def _build_callback(cfg: DictConfig) -> pl.Callback:
    """Build a configured callback; Grad-CAM also receives whether the run is a job of a sweep."""
    if cfg["_target_"] == _LIGHTNING_EARLY_STOPPING:
        options = {str(key): value for key, value in cfg.items() if key != "_target_"}
        return RunEarlyStopping(**options)
    sweep = {"sweep": _multirun()} if cfg["_target_"] == GRADCAM else {}
    callback: pl.Callback = construct(cfg, "callbacks", **sweep)
    return callback


def _own_callbacks(cfg: DictConfig) -> list[pl.Callback]:
    """Build the callbacks of every run."""
    own = [StepSeed(cfg.seed), CheckpointEntry(), RelocateCheckpoints(), SmallStepThreads()]
    # STARTED is the start of the command, not of a job of a sweep.
    return own if _multirun() else [*own, FirstStep(STARTED)]


def _multirun() -> bool:
    """Return whether the run is a job of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def _gpus(requested: int | Literal["auto"]) -> int | Literal["auto"]:
    """Limit a job of a sweep to one GPU, since each further process would start the whole sweep."""
    if not _multirun():
        return requested
    return min(1, torch.cuda.device_count() if requested == "auto" else requested)


def build_cache(cfg: DictConfig, trainer: pl.Trainer) -> FeatureCache:
    """Build the cache of frozen activations for the device and precision of `trainer`.

    Raises:
        ConfigError: `cache.mode` is "only", but the run uses several processes, which cannot share
            a cache.
    """
    mode = cfg.cache.mode
    if trainer.world_size > 1:
        if mode == "only":
            raise ConfigError(
                "cache.mode is 'only', but activations cannot be cached with several GPUs. Pass "
                "cache.mode=auto or trainer.gpus=1."
            )
        log.info("activations of frozen layers are not cached with several GPUs")
        mode = "off"
    return FeatureCache(
        folder=Path(cfg.cache.dir),
        mode=mode,
        views=cfg.cache.views,
        max_gb=cfg.cache.max_gb,
        device=trainer.strategy.root_device,
        context=trainer.precision_plugin.forward_context,
    )


def build_pixels(cfg: DictConfig) -> PixelCache:
    """Build the cache of decoded images, used by splits without cached activations."""
    # Older runs do not have the key `pixels`.
    mode = cfg.cache.get("pixels", "auto")
    return PixelCache(folder=Path(cfg.cache.dir), mode=mode, max_gb=cfg.cache.max_gb)


def _first_cause(error: Exception) -> str:
    """Return the message of the first error in a chain, on one line."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return " ".join(str(cause).split())
