"""The keys of `trainer`, `callbacks`, `logger` and `monitor`."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from xray.model.metric_table import LOSS, MONITORED
from xray.schema.fields import (
    CamMethod,
    Count,
    CountOrAuto,
    Flag,
    FlagOrAuto,
    Mode,
    Natural,
    NaturalOrAuto,
    NonNegative,
    Number,
    Positive,
    Seed,
    Strict,
    Text,
    one_of,
    wants,
)
from xray.schema.targets import by_target

Metric = Annotated[str, one_of(MONITORED)]
# Lightning's names with float32 weights, because the head computes in float32.
Precision = Literal[
    "auto",
    "32-true",
    "bf16-mixed",
    "16-mixed",
]
Strategy = Literal[
    "auto",
    "ddp",
    "ddp_find_unused_parameters_true",
]
BatchLimit = Annotated[
    Annotated[float, Field(gt=0, le=1)] | Annotated[int, Field(ge=1)] | None,
    wants("a fraction, greater than 0 and at most 1.0, or a whole number of batches"),
]


class Target(Strict):
    """A class that is named by its dotted path."""

    target: Annotated[str, Field(alias="_target_")]


class Trainer(Target):
    """The Trainer (conf/trainer)."""

    gpus: NaturalOrAuto
    require_gpu: Flag
    precision: Precision
    # Older runs do not have the next three keys.
    channels_last: FlagOrAuto = "auto"
    threads: CountOrAuto = "auto"
    compile: Flag = False
    max_epochs: Count
    accumulate_grad_batches: Count
    gradient_clip_val: Positive | None
    check_val_every_n_epoch: Count
    limit_train_batches: BatchLimit
    limit_val_batches: BatchLimit
    limit_test_batches: BatchLimit
    log_every_n_steps: Natural
    num_sanity_val_steps: Annotated[
        int, Field(ge=-1), wants("a whole number, 0 or greater, or -1 for all batches")
    ]
    deterministic: Annotated[bool | Literal["warn"], wants("true, false or warn")]
    profiler: Literal["simple", "advanced", "pytorch"] | None
    strategy: Strategy
    num_nodes: Count


class EarlyStopping(Target):
    """pytorch_lightning.callbacks.EarlyStopping and xray's RunEarlyStopping."""

    monitor: Text
    mode: Mode
    patience: Natural = 3
    min_delta: NonNegative = 0.0
    verbose: Flag = False
    strict: Flag = True
    check_finite: Flag = True
    stopping_threshold: Number | None = None
    divergence_threshold: Number | None = None
    check_on_train_epoch_end: Flag | None = None
    log_rank_zero_only: Flag = False


class ModelCheckpoint(Target):
    """pytorch_lightning.callbacks.ModelCheckpoint and xray's RunCheckpoint."""

    dirpath: Text
    filename: Text | None = None
    monitor: Text | None = None
    mode: Mode = "min"
    verbose: Flag = False
    save_last: Annotated[bool | Literal["link"] | None, wants("true, false or link")] = None
    save_top_k: Annotated[
        int, Field(ge=-1), wants("a whole number, 0 or greater, or -1 for all")
    ] = 1
    save_on_exception: Flag = False
    save_weights_only: Flag = False
    auto_insert_metric_name: Flag = True
    every_n_train_steps: Natural | None = None
    every_n_epochs: Natural | None = None
    save_on_train_epoch_end: Flag | None = None
    enable_version_counter: Flag = True


class LearningRateMonitor(Target):
    """pytorch_lightning.callbacks.LearningRateMonitor."""

    logging_interval: Literal["step", "epoch"] | None = None
    log_momentum: Flag = False
    log_weight_decay: Flag = False


class RichProgressBar(Target):
    """pytorch_lightning.callbacks.RichProgressBar."""

    refresh_rate: Natural = 100
    leave: Flag = False


class GradCAMCallback(Target):
    """xray.saliency.callback.GradCAMCallback."""

    method: CamMethod
    n: Natural
    every_n_epochs: Count
    seed: Seed
    dirpath: Text
    # Older runs do not have the next three keys.
    scorecard: Natural = 0
    faithfulness: Natural = 0
    budget: Positive | None = 0.2


class TensorBoardLogger(Target):
    """pytorch_lightning.loggers.TensorBoardLogger."""

    save_dir: Text
    name: str | None = None
    version: Annotated[str | int | None, wants("text, a number or null")] = None
    log_graph: Flag = False
    default_hp_metric: Flag = True
    prefix: str = ""
    sub_dir: str | None = None


class RunCSVLogger(Target):
    """xray.training.loggers.RunCSVLogger."""

    save_dir: Text


KNOWN = {
    f"{package}.{model.__name__}": model
    for package, model in (
        ("pytorch_lightning.callbacks", EarlyStopping),
        ("pytorch_lightning.callbacks", ModelCheckpoint),
        ("pytorch_lightning.callbacks", LearningRateMonitor),
        ("pytorch_lightning.callbacks", RichProgressBar),
        ("xray.saliency.callback", GradCAMCallback),
        ("pytorch_lightning.loggers", TensorBoardLogger),
        ("xray.training.loggers", RunCSVLogger),
    )
} | {
    "xray.training.callbacks.run_checkpoint.RunCheckpoint": ModelCheckpoint,
    "xray.training.callbacks.early_stopping.RunEarlyStopping": EarlyStopping,
}
"""Dotted path of a class -> model of its keys."""

Part: Any = by_target(KNOWN)
TrainerPart: Any = by_target({"xray.training.trainer.build_trainer": Trainer})


class Monitor(Strict):
    """The metric by which epochs and the jobs of a sweep are compared."""

    metric: Metric
    mode: Mode

    @model_validator(mode="after")
    def _right_direction(self) -> Self:
        right = "min" if self.metric == LOSS else "max"
        if self.mode != right:
            raise PydanticCustomError(
                "problem",
                "monitor.mode is '{mode}', but {metric} is best at its {best}: pass "
                "monitor.mode={right}",
                {
                    "mode": self.mode,
                    "metric": self.metric,
                    "best": f"{right}imum",
                    "right": right,
                },
            )
        return self
