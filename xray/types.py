"""Types that all packages share, and the interfaces of foreign models and data modules."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired, Protocol, TypedDict

from torch import Tensor

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Sample:
    """An image file and what is known of it.

    Attributes:
        path: The file.
        target: Index of the class.
        label: Name of its folder before grouping, for example "COVID-19".
        patient: Patient ID; None if unknown.
        source: The dataset that the image was taken from, as stated by a manifest; else "".
    """

    path: Path
    target: int
    label: str
    patient: str | None
    source: str = ""

    @property
    def owner(self) -> str:
        """The patient ID; an image without one counts as a patient of its own."""
        return str(self.path) if self.patient is None else self.patient


class Batch(TypedDict):
    """Input of the network.

    Attributes:
        image: (B, 1, H, W) uint8 in [0, 255].
        features: Activations at the cut, in place of `image`, if the frozen blocks are cached.
        target: (B,) int64, class indices.
        index: (B,) int64, positions in the samples of the split.
    """

    image: NotRequired[Tensor]
    features: NotRequired[Tensor]
    target: Tensor
    index: Tensor


class ImageDataset(Protocol):
    """A split of a foreign data module.

    Attributes:
        samples: One sample per image, in order.
    """

    samples: Sequence[Sample]

    def __len__(self) -> int:
        """Return the number of images."""

    def __getitem__(self, index: int) -> Batch:
        """Return one image for evaluation: "image" (1, H, W) uint8, "target" and "index"."""


class DataModule(Protocol):
    """Interface of a foreign `pytorch_lightning.LightningDataModule`.

    Attributes:
        classes: K class names in the order of the targets; the first is the negative class.
    """

    classes: Sequence[str]

    def dataset(self, split: Split) -> ImageDataset:
        """Return the images of a split, after `setup`."""

    def train_dataloader(self) -> Any:
        """Return a loader of training batches, see `Batch`."""

    def val_dataloader(self) -> Any:
        """Return a loader of the validation images in order."""

    def test_dataloader(self) -> Any:
        """Return a loader of the test images in order."""


class Classifier(Protocol):
    """Interface of a foreign `pytorch_lightning.LightningModule`.

    It is built with the arguments `classes`, `class_weights`, `optim` and `seed` besides those of
    the configuration, and must call `self.save_hyperparameters()`. It must log the monitored
    metric, by default `val/auroc`.
    """

    @property
    def classes(self) -> Sequence[str]:
        """K class names in the order of the logits; the first is the negative class."""

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits: (B, 1, H, W) uint8 -> (B, K) float."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Return "probabilities" (B, K), "target" (B,) and "index" (B,)."""

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Return "probabilities" (B, K), "target" (B,) and "index" (B,)."""

    def configure_optimizers(self) -> Any:
        """Build the optimizer."""
