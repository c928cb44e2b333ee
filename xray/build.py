"""From a composed configuration to live objects; the last place where a DictConfig is known."""

import inspect
import logging
import warnings
from pathlib import Path
from typing import Literal

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
from xray.training.callbacks.step_seed import StepSeed
from xray.training.callbacks.threads import SmallStepThreads
from xray.training.compute import Compute, choose_compute
from xray.training.trainer import choose_device

log = logging.getLogger(__name__)

COMPUTE = ("precision", "channels_last", "threads", "compile")
"""Keys of `trainer` that say how the network is computed."""

GRADCAM = "xray.saliency.callback.GradCAMCallback"

_LIGHTNINGS_EARLY_STOPPING = "pytorch_lightning.callbacks.EarlyStopping"
"""Used by older runs; replaced by ours, so that a resumed run follows its new patience."""


def build_data(cfg: DictConfig) -> XrayDataModule:
    """Build the data module; nothing is read yet.

    Raises:
        ConfigError: When a transform does not take its arguments, which albumentations itself only
            warns of.
    """
    transforms = {}
    for key in ("train", "eval"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)
                transforms[key] = construct(cfg.transform[key], "transform")
        except XrayError:
            raise
        except Exception as error:
            raise ConfigError(
                f"transform.{key} is not what albumentations takes: {last_line(error)}"
            ) from error
    own = _accepts(cfg.data, "transforms")
    options = {"transforms": transforms} if own else {}
    return adapt(construct(cfg.data, "data", **options))


def _accepts(cfg: DictConfig, argument: str) -> bool:
    """Check whether the class of a `_target_` has an argument."""
    parameters = inspect.signature(get_object(cfg["_target_"])).parameters.values()
    return any(p.name == argument or p.kind is p.VAR_KEYWORD for p in parameters)


def build_model(cfg: DictConfig, data: XrayDataModule) -> XrayClassifier:
    """Build the classifier for the classes of `data`, on the weights that `cfg` names.

    Raises:
        ConfigError: When batches hold one image, and the head that these weights ask for needs two.
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
            "normalization for these weights, which needs at least two images. Raise "
            "data.batch_size, or pass model.head.norm=layer."
        )
    return model


def build_compute(cfg: DictConfig, gpus: int | Literal["auto"], *, run: Path) -> Compute:
    """Choose precision, memory format and threads, and log them.

    Args:
        cfg: The run's configuration.
        gpus: Number of GPUs of the trainer.
        run: The run directory; the settings it records come first.
    """
    # Older runs have none of the other keys.
    configured = {key: cfg.trainer[key] for key in COMPUTE if key in cfg.trainer}
    device = choose_device(_gpus(gpus))
    return choose_compute(Compute(**configured), device, RunFiles(run).compute)


def build_trainer(cfg: DictConfig, compute: Compute) -> tuple[pl.Trainer, PredictionCollector]:
    """Build the Trainer with the configured callbacks and loggers, and our own."""
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
    """Build a configured callback; Grad-CAM receives whether the run is a job of a sweep."""
    if cfg["_target_"] == _LIGHTNINGS_EARLY_STOPPING:
        options = {str(key): value for key, value in cfg.items() if key != "_target_"}
        return RunEarlyStopping(**options)
    sweep = {"sweep": _multirun()} if cfg["_target_"] == GRADCAM else {}
    callback: pl.Callback = construct(cfg, "callbacks", **sweep)
    return callback


def _own_callbacks(cfg: DictConfig) -> list[pl.Callback]:
    own = [StepSeed(cfg.seed), CheckpointEntry(), SmallStepThreads()]
    # The jobs of a sweep began with no command of their own.
    return own if _multirun() else [*own, FirstStep(STARTED)]


def _multirun() -> bool:
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def _gpus(asked: int | Literal["auto"]) -> int | Literal["auto"]:
    """Give a job of a sweep one GPU: further processes of it would each start the sweep anew."""
    if not _multirun():
        return asked
    visible = torch.cuda.device_count()
    return min(1, visible if asked == "auto" else asked)


def build_cache(cfg: DictConfig, trainer: pl.Trainer) -> FeatureCache:
    """Build the cache of frozen activations, for the device and the precision of `trainer`.

    Raises:
        ConfigError: When cache.mode is "only" and several processes train, which have no cache.
    """
    mode = cfg.cache.mode
    if trainer.world_size > 1:
        if mode == "only":
            raise ConfigError("cache.mode is 'only', but several GPUs train: pass cache.mode=auto")
        log.info("no cache of frozen activations: several GPUs train")
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
    """Build the cache of decoded images, for what is not served from activations."""
    # A default, for the runs of before there was a choice.
    mode = cfg.cache.get("pixels", "auto")
    return PixelCache(folder=Path(cfg.cache.dir), mode=mode, max_gb=cfg.cache.max_gb)


def last_line(error: Exception) -> str:
    """Say what an error's first cause said, on one line."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return " ".join(str(cause).split())
