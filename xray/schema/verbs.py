"""Models of the complete configuration of each command."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from xray.schema.data import Data, Transform
from xray.schema.fields import (
    CamMethod,
    Count,
    Flag,
    FlagOrAuto,
    NaturalOrAuto,
    Seed,
    Split,
    Strict,
    Tag,
    Text,
    Threshold,
    must_be_given,
    wants,
)
from xray.schema.messages import sentences
from xray.schema.model import Cache, Classifier, Model, Optim
from xray.schema.source import PrepareKeys
from xray.schema.targets import Foreign
from xray.schema.training import KNOWN, ModelCheckpoint, Monitor, Part, Trainer, TrainerPart


class Paths(Strict):
    """Directories (conf/paths)."""

    root: Text
    outputs: Text
    data: Text
    cache: Text
    run: Text


class Train(Strict):
    """Configuration of the command train (conf/train.yaml)."""

    data: Data
    transform: Transform
    model: Model
    optim: Optim
    cache: Cache
    callbacks: dict[str, Part]
    trainer: TrainerPart
    logger: dict[str, Part]
    paths: Paths
    seed: Seed
    tag: Tag
    resume: Text | None
    images: Text | None = None
    trust: Flag = False
    monitor: Monitor
    test: Flag
    # Older runs do not have this key.
    threshold: Threshold = 0.5

    @model_validator(mode="after")
    def _best_is_saved(self) -> Self:
        saves_best = any(
            part.monitor is not None
            if isinstance(part, ModelCheckpoint)
            else isinstance(part, Foreign)
            for part in self.callbacks.values()
        )
        if not saves_best:
            raise PydanticCustomError(
                "problem",
                "no callback saves the best checkpoint; callbacks.checkpoint is required",
            )
        return self

    @model_validator(mode="after")
    def _images_need_a_resume(self) -> Self:
        if self.images is not None and self.resume is None:
            raise PydanticCustomError(
                "problem",
                "images can only be used with resume=<run directory>; for a new run, pass "
                "data.root=<folder>",
            )
        return self

    @model_validator(mode="after")
    def _batches_fit_the_head(self) -> Self:
        norm = self.model.head.norm if isinstance(self.model, Classifier) else None
        if getattr(self.data, "batch_size", None) == 1 and norm == "batch":
            raise PydanticCustomError(
                "problem",
                "data.batch_size is 1, but model.head.norm=batch needs at least two images; "
                "increase it, or pass model.head.norm=layer",
            )
        return self

    @model_validator(mode="after")
    def _threshold_fits_the_classes(self) -> Self:
        groups = getattr(self.data, "groups", {})
        if self.threshold != 0.5 and len(groups) > 2:  # noqa: PLR2004
            raise PydanticCustomError(
                "problem",
                "threshold can only be set for two classes, but data.groups has {n}; remove it",
                {"n": len(groups)},
            )
        return self

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        epochs = self.trainer.max_epochs if isinstance(self.trainer, Trainer) else None
        if epochs is not None and self.optim.warmup_epochs >= epochs:
            raise PydanticCustomError(
                "problem",
                "optim.warmup_epochs ({warmup}) must be less than trainer.max_epochs ({epochs})",
                {"warmup": self.optim.warmup_epochs, "epochs": epochs},
            )
        return self


class Audit(Strict):
    """Configuration of the command audit (conf/audit.yaml)."""

    data: Data
    transform: Transform
    paths: Paths
    seed: Seed
    tag: Tag
    fresh: Flag


class Gradcam(Strict):
    """Configuration of the command gradcam (conf/gradcam.yaml)."""

    run: Text | None
    images: Text | None
    trust: Flag
    split: Split
    method: CamMethod
    n: Count
    only: Text | None
    target: Text
    scorecard: Flag
    faithfulness: FlagOrAuto
    faithfulness_n: Count
    seed: Seed
    paths: Paths


class Shortcuts(Strict):
    """Configuration of the command shortcuts (conf/shortcuts.yaml)."""

    run: Text | None
    images: Text | None
    trust: Flag
    split: Split
    batch_size: Count
    gpus: NaturalOrAuto
    paths: Paths


class Evaluate(Strict):
    """Configuration of the command evaluate (conf/evaluate.yaml)."""

    run: Text | None
    images: Text | None
    trust: Flag
    split: Split
    root: Text | None
    batch_size: Count
    gpus: NaturalOrAuto
    threshold: Threshold | None
    prior: Annotated[Literal["em"] | None, wants("em or null")]
    paths: Paths


class Predict(Strict):
    """Configuration of the command predict (conf/predict.yaml)."""

    run: Text | None
    images: Text | None
    trust: Flag
    input: Annotated[
        Text, must_be_given("Pass the images to predict: input=<image, folder, list or table>")
    ]
    output: Text | None
    overlays: Annotated[
        Annotated[int, Field(ge=0)] | Literal["all", "none"],
        wants("a whole number, 0 or greater, all or none"),
    ]
    batch_size: Count
    gpus: NaturalOrAuto
    paths: Paths


class Prepare(PrepareKeys):
    """Configuration of the command prepare (conf/prepare.yaml)."""

    paths: Paths


class CacheVerb(Strict):
    """Configuration of the command cache (conf/cache.yaml)."""

    dir: Text
    clear: Text | None
    paths: Paths


class Report(Strict):
    """Configuration of the command report (conf/report.yaml)."""

    run: Text | None
    paths: Paths


class Compare(Strict):
    """Configuration of the command compare (conf/compare.yaml)."""

    runs: Annotated[list[Text] | None, wants("a list of run directories: [<run>,<run>]")]
    sweep: Text | None
    paths: Paths

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.runs is None) == (self.sweep is None):
            raise PydanticCustomError(
                "problem", "compare needs either runs=[<run>,<run>...] or sweep=<directory>"
            )
        if self.runs is not None and len(set(self.runs)) < 2:  # noqa: PLR2004
            raise PydanticCustomError(
                "problem", "runs needs at least two different run directories"
            )
        return self


VERBS: dict[str, type[BaseModel]] = {
    "train": Train,
    "audit": Audit,
    "gradcam": Gradcam,
    "evaluate": Evaluate,
    "shortcuts": Shortcuts,
    "predict": Predict,
    "report": Report,
    "compare": Compare,
    "cache": CacheVerb,
    "prepare": Prepare,
}


def problems(verb: str, values: dict[str, Any], derived: frozenset[str] = frozenset()) -> list[str]:
    """Check the complete configuration of a command.

    Args:
        verb: Name of the command; a command without a model is not checked.
        values: The resolved configuration as plain values.
        derived: Dotted keys whose values are interpolated from others. Their problems are only
            reported for the original key.

    Returns:
        One sentence per problem, in the order of the keys; empty if the configuration is valid.
    """
    model = VERBS.get(verb)
    if model is None:
        return []
    try:
        model.model_validate(values, context={"resumes": bool(values.get("resume"))})
    except ValidationError as error:
        return sentences(error, values, KNOWN, derived)
    return []
