"""The keys of `model`, `optim` and `cache`."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

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
from xray.schema.targets import by_target
from xray.suggest import did_you_mean, nearest

Backbone = Literal[
    "vgg16", "vgg16_bn", "resnet50", "densenet121", "efficientnet_b0", "convnext_tiny"
]
Trainable = Literal["head", "block5", "block4", "block3", "block2", "block1", "all"]
DEPTH = ("head", "block5", "block4", "block3", "block2", "block1", "all")
WEIGHTS = ("auto", "imagenet", "random")


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
    trainable: Trainable


class Classifier(Strict):
    """The network (conf/model)."""

    target: Annotated[str, Field(alias="_target_")]
    backbone: Backbone
    weights: Annotated[Text, AfterValidator(_named_or_a_file)]
    normalization: Annotated[
        Literal["auto", "imagenet", "none"] | Normalization,
        wants("auto, imagenet, none, or {mean: [r, g, b], std: [r, g, b]} with std greater than 0"),
    ]
    trainable: Trainable
    head: Head
    unfreeze: Annotated[
        Unfreeze | None,
        wants(
            "null, or {epoch: <1 or greater>, trainable: block5} (block5, block4 ... block1, all)"
        ),
    ]

    @model_validator(mode="after")
    def _unfreezes_deeper(self) -> Self:
        later = self.unfreeze and self.unfreeze.trainable
        if later and DEPTH.index(later) <= DEPTH.index(self.trainable):
            raise PydanticCustomError(
                "problem",
                "model.unfreeze.trainable is '{later}', which does not go deeper than "
                "model.trainable, '{now}'; from shallow to deep: {order}",
                {"later": later, "now": self.trainable, "order": ", ".join(DEPTH)},
            )
        return self


Model: Any = by_target({"xray.model.classifier.XrayClassifier.create": Classifier})


class Optim(Strict):
    """The optimiser and its schedule (conf/optim)."""

    name: Literal["adamw", "sgd"]
    lr: Positive
    backbone_lr: Positive
    momentum: Rate
    weight_decay: NonNegative
    schedule: Literal["constant", "cosine"]
    warmup_epochs: Natural


class Cache(Strict):
    """Activations of the frozen part, and decoded images, computed once (conf/cache)."""

    mode: Literal["auto", "off", "only"]
    views: Count
    max_gb: Positive
    dir: Text
    # A default, for the runs of before it was there: they can be resumed.
    pixels: Literal["auto", "off"] = "auto"
