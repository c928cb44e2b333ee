"""The keys of `model`, `optim` and `cache`."""

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
    one_of,
    wants,
)
from xray.schema.messages import not_an_option
from xray.schema.targets import Foreign, by_target
from xray.suggest import did_you_mean, nearest

Backbone = Annotated[str, one_of(BACKBONES)]


def _named_or_a_file(weights: str, info: ValidationInfo) -> str:
    # A resumed run reads its weights from its checkpoint.
    resumes = bool(info.context and info.context.get("resumes"))
    if weights in WEIGHTS or resumes or Path(weights).is_file():
        return weights
    raise PydanticCustomError(
        "problem",
        "model.weights is '{weights}', but must be an existing file or one of: {options}.{hint}",
        {
            "weights": weights,
            "options": ", ".join(WEIGHTS),
            "hint": did_you_mean(nearest(weights, WEIGHTS)),
        },
    )


class Head(Strict):
    """The fully connected layers."""

    pooling: Literal["avg", "max", "avgmax", "flatten"]
    norm: Literal["auto", "batch", "layer", "none"]
    hidden: Annotated[list[Count], wants("a list of whole numbers, 1 or greater, such as [256]")]
    dropout: Rate


class Normalization(Strict):
    """Mean and standard deviation of each channel, for pixel values in [0, 1]."""

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
                raise PydanticCustomError(
                    "problem", "{text}", {"text": not_an_option(f"model.{key}", value, depth)}
                )
        if later and depth.index(later) <= depth.index(self.trainable):
            raise PydanticCustomError(
                "problem",
                "model.unfreeze.trainable is '{later}', but must train more blocks than "
                "model.trainable, '{now}'; options in increasing order: {order}",
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
    """Optimizer and learning rate schedule (conf/optim)."""

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
    """Cache of the activations of frozen layers and of decoded images (conf/cache)."""

    mode: Literal["auto", "off", "only"]
    views: Count
    max_gb: Positive
    dir: Text
    # Older runs do not have this key.
    pixels: Literal["auto", "off"] = "auto"
