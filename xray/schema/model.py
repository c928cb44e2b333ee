"""The keys of `model`, `optim` and `cache`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from xray.model.zoo import BACKBONES, WEIGHTS, trainable_options
from xray.schema.fields import (
    Count,
    Natural,
    NonNegative,
    Number,
    Positive,
    Rate,
    Strict,
    Text,
    wants,
)
from xray.schema.targets import Foreign, by_target
from xray.suggest import did_you_mean, nearest


def _not_an_option(key: str, value: str, options: Iterable[str]) -> PydanticCustomError:
    return PydanticCustomError(
        "problem",
        "{key} is '{value}', but must be one of: {options}.{hint}",
        {
            "key": key,
            "value": value,
            "options": ", ".join(options),
            "hint": did_you_mean(nearest(value, options)),
        },
    )


def _known_backbone(value: str) -> str:
    if value not in BACKBONES:
        raise _not_an_option("model.backbone", value, BACKBONES)
    return value


Backbone = Annotated[str, AfterValidator(_known_backbone)]


def _named_or_a_file(weights: str, info: ValidationInfo) -> str:
    # A run that goes on has its weights in its checkpoint.
    resumes = bool(info.context and info.context.get("resumes"))
    if weights in WEIGHTS or resumes or Path(weights).is_file():
        return weights
    raise PydanticCustomError(
        "problem",
        "model.weights is '{weights}', but there is no such file, and the named options are auto, "
        "imagenet, random.{hint}",
        {"weights": weights, "hint": did_you_mean(nearest(weights, WEIGHTS))},
    )


class Head(Strict):
    """The fully connected layers."""

    pooling: Literal["avg", "max", "avgmax", "flatten"]
    norm: Literal["auto", "batch", "layer", "none"]
    hidden: Annotated[list[Count], wants("a list of whole numbers, 1 or greater, such as [256]")]
    dropout: Rate


class Normalization(Strict):
    """Mean and standard deviation a channel, on a scale of [0, 1]."""

    mean: Annotated[list[Number], Field(min_length=3, max_length=3), wants("three numbers")]
    std: Annotated[
        list[Positive], Field(min_length=3, max_length=3), wants("three numbers greater than 0")
    ]


class Unfreeze(Strict):
    """Staged unfreezing."""

    epoch: Count
    trainable: str


class Classifier(Strict):
    """The network (conf/model)."""

    target: Annotated[str, Field(alias="_target_")]
    backbone: Backbone
    weights: Annotated[Text, AfterValidator(_named_or_a_file)]
    normalization: Annotated[
        Literal["auto", "imagenet", "none"] | Normalization,
        wants("auto, imagenet, none, or {mean: [r, g, b], std: [r, g, b]} with std greater than 0"),
    ]
    trainable: str
    head: Head
    # Older runs have no custom loss.
    loss: Foreign | None = None
    unfreeze: Annotated[
        Unfreeze | None,
        wants(
            "null, or {epoch: <1 or greater>, trainable: block5} (block5, block4 ... block1, all)"
        ),
    ]

    @model_validator(mode="after")
    def _unfreezes_deeper(self) -> Self:
        depth = trainable_options(len(BACKBONES[self.backbone].blocks))
        later = self.unfreeze.trainable if self.unfreeze else None
        chosen = {"trainable": self.trainable, "unfreeze.trainable": later or self.trainable}
        for key, value in chosen.items():
            if value not in depth:
                raise _not_an_option(f"model.{key}", value, depth)
        if later and depth.index(later) <= depth.index(self.trainable):
            raise PydanticCustomError(
                "problem",
                "model.unfreeze.trainable is '{later}', which does not go deeper than "
                "model.trainable, '{now}'; from shallow to deep: {order}",
                {"later": later, "now": self.trainable, "order": ", ".join(depth)},
            )
        return self


Model: Any = by_target(
    {
        "xray.model.classifier.XrayClassifier": Classifier,
        # The name in configurations of version 0.1.0.
        "xray.model.classifier.XrayClassifier.create": Classifier,
    }
)


class Optim(Strict):
    """The optimiser and its schedule (conf/optim)."""

    name: Literal["adamw", "sgd"]
    # Replaces name, momentum and weight_decay.
    optimizer: Foreign | None = None
    lr: Positive
    backbone_lr: Positive
    momentum: Rate
    weight_decay: NonNegative
    schedule: Annotated[
        Literal["constant", "cosine"] | Foreign,
        wants("constant, cosine, or {_target_: <class>, _partial_: true, ...}"),
    ]
    warmup_epochs: Natural


class Cache(Strict):
    """Activations of the frozen part, and decoded images, computed once (conf/cache)."""

    mode: Literal["auto", "off", "only"]
    views: Count
    max_gb: Positive
    dir: Text
    # A default, for the runs of before it was there: they can be resumed.
    pixels: Literal["auto", "off"] = "auto"
