"""The few shapes that every part speaks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

from torch import Tensor

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Sample:
    """One image file and what is known of it.

    Attributes:
        path: The file.
        target: Index of its class.
        label: Name of the folder it lies in, before grouping ("COVID-19").
        patient: Whose image it is; None where nothing tells.
        source: The dataset it was taken from, where a manifest tells; else "".
    """

    path: Path
    target: int
    label: str
    patient: str | None
    source: str = ""

    @property
    def owner(self) -> str:
        """The patient; an image that names none counts as a patient of its own."""
        return str(self.path) if self.patient is None else self.patient


class Batch(TypedDict):
    """What the network is given.

    Attributes:
        image: (B, 1, H, W) uint8 in [0, 255].
        features: Activations at the cut, in place of `image`, where the frozen part was computed
            before.
        target: (B,) int64, class indices.
        index: (B,) int64, position in the split's samples.
    """

    image: NotRequired[Tensor]
    features: NotRequired[Tensor]
    target: Tensor
    index: Tensor
