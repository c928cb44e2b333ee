"""A data module from outside xray, with the interface that all commands use."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor
from torch.utils.data import DataLoader

from xray.data.certificate import Certificate
from xray.data.datamodule import XrayDataModule
from xray.data.dataset import SplitDataset
from xray.data.extraneous import summarize
from xray.data.groups import Groups
from xray.data.sampler import Key
from xray.data.transforms import SeededTransform, serialize_transforms
from xray.errors import ConfigError, DataError
from xray.integrity.verdict import UNAUDITED
from xray.types import SPLITS, Batch, DataModule, ImageDataset, Split

REQUIRED = ("classes", "dataset", "train_dataloader", "val_dataloader", "test_dataloader")
GUIDE = "See docs/extending.md for the required interface."

_HOOKS = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")


def adapt(module: Any) -> XrayDataModule:
    """Return a data module as it is, or with the interface of `XrayDataModule`.

    Args:
        module: An `XrayDataModule`, or a LightningDataModule with the interface
            `xray.types.DataModule`.

    Raises:
        ConfigError: Members of the interface are missing.
    """
    if isinstance(module, XrayDataModule):
        return module
    missing = [name for name in REQUIRED if not _has(module, name)]
    if not isinstance(module, pl.LightningDataModule):
        missing.insert(0, "the base class pytorch_lightning.LightningDataModule")
    if missing:
        raise ConfigError(
            f"The data module {type(module).__qualname__} lacks {', '.join(missing)}. {GUIDE}"
        )
    return ForeignDataModule(module)


def _has(module: Any, name: str) -> bool:
    if name.endswith("_dataloader"):
        return hasattr(module, name) and is_overridden(name, module, pl.LightningDataModule)
    return hasattr(module, name)


class ForeignSplit(SplitDataset):
    """A split of a foreign data module; its images are used without further transforms.

    Args:
        dataset: The split's images.
        root: Folder above the images, of which paths are recorded relatively.
    """

    def __init__(self, dataset: ImageDataset, root: Path) -> None:
        size = int(dataset[0]["image"].shape[-1]) if len(dataset) else 1
        unchanged = SeededTransform([], size, 0)
        super().__init__(dataset.samples, root=root, train=unchanged, evaluate=unchanged)
        self.dataset = dataset

    def __getitem__(self, key: int | Key) -> Batch:
        """Return one image: "image" (1, H, W) uint8, "target" and "index"."""
        index = key[1] if isinstance(key, tuple) else key
        return {
            "image": self.pixels(index),
            "target": torch.tensor(self.samples[index].target),
            "index": torch.tensor(index),
        }

    def pixels(self, index: int) -> Tensor:
        """Return image `index`, (1, H, W) uint8.

        Raises:
            DataError: The dataset returned another shape or dtype.
        """
        image = self.dataset[index]["image"]
        if image.ndim != 3 or image.shape[0] != 1 or image.dtype != torch.uint8:  # noqa: PLR2004
            raise DataError(
                f"Image {index} of {type(self.dataset).__qualname__} has shape "
                f"{tuple(image.shape)} and dtype {image.dtype}; expected (1, H, W) uint8. {GUIDE}"
            )
        return image

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return image `index`, (H, W) uint8."""
        pixels: NDArray[np.uint8] = self.pixels(index)[0].numpy()
        return pixels

    def augmented(self, index: int, epoch: int) -> Tensor:
        """Return image `index`, (1, H, W) uint8; the data module's own loader augments."""
        return self.pixels(index)

    def fitted(self, mask: NDArray[np.uint8]) -> Tensor:
        """Resize a mask to the size of the images, (1, H, W) uint8."""
        size = (self.evaluate.size, self.evaluate.size)
        resized = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
        return torch.from_numpy(np.asarray(resized, np.uint8))[None]


class ForeignDataModule(XrayDataModule):
    """Adapter of a data module with the interface `xray.types.DataModule`.

    Training uses the loaders of the module. Evaluation and explanations use `dataset(split)`. The
    splits are not audited, and neither images nor activations are cached.

    Args:
        module: The data module. The optional members `class_weights()`, `batch_size`, `root`,
            `external(root, split)` and `eval_transforms` are used if it has them. The last is a
            list of albumentations transforms that make the images of `dataset` from files:
            `xray.predict` applies it to new images, which otherwise must have the network's size.

    Raises:
        ConfigError: `eval_transforms` are not transforms of albumentations.
    """

    def __init__(self, module: DataModule) -> None:
        pl.LightningDataModule.__init__(self)
        self.module: Any = module
        self.classes = tuple(module.classes)
        self.groups = Groups({name: [name] for name in self.classes})
        self.root = Path(getattr(module, "root", "."))
        self.batch_size = int(getattr(module, "batch_size", 32))
        self._transforms = _eval_transforms(module)
        self._features = {}
        self._workers = 0
        for hook in _HOOKS:
            if is_overridden(hook, self.module, pl.LightningDataModule):
                setattr(self, hook, getattr(self.module, hook))

    @property
    def trainer(self) -> Any:
        """The trainer of the module."""
        return getattr(self.module, "trainer", None) if hasattr(self, "module") else None

    @trainer.setter
    def trainer(self, trainer: Any) -> None:
        if hasattr(self, "module"):
            self.module.trainer = trainer

    def prepare_data(self) -> None:
        """Prepare the module."""
        self.module.prepare_data()

    def setup(self, stage: str | None = None) -> None:
        """Set the module up."""
        self.module.setup(stage or "fit")

    def teardown(self, stage: str) -> None:
        """Tear the module down."""
        self.module.teardown(stage)

    @cached_property
    def _datasets(self) -> dict[Split, SplitDataset]:
        self.module.setup("fit")
        self.module.setup("test")
        return {split: ForeignSplit(self.module.dataset(split), self.root) for split in SPLITS}

    def dataset(self, split: Split) -> SplitDataset:
        """Return the images of a split."""
        return self._datasets[split]

    @property
    def evaluate(self) -> SeededTransform:  # type: ignore[override]
        """The transform of new images; without `eval_transforms`, it changes nothing."""
        return SeededTransform(self._transforms, self.dataset("train").evaluate.size, 0)

    def certificate(self) -> Certificate:
        """Return the verdict "not audited"."""
        samples = [sample for split in SPLITS for sample in self.dataset(split).samples]
        unknown = sum(sample.patient is None for sample in samples)
        return Certificate(
            verdict=UNAUDITED,
            leaks="keep",
            findings=[],
            dropped=dict.fromkeys(SPLITS, 0),
            skipped=0,
            extraneous=summarize([]),
            unknown_patients=unknown,
            remaining=0,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the module."""
        state: dict[str, Any] = self.module.state_dict()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of the module."""
        self.module.load_state_dict(state_dict)

    def class_weights(self) -> list[float] | None:
        """Return the class weights of the module; None if it has none."""
        weights: Sequence[float] | None = getattr(self.module, "class_weights", lambda: None)()
        return None if weights is None else [float(weight) for weight in weights]

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the module's training loader."""
        loader: DataLoader[Batch] = self.module.train_dataloader()
        return loader

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the module's validation loader."""
        loader: DataLoader[Batch] = self.module.val_dataloader()
        return loader

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the module's test loader."""
        loader: DataLoader[Batch] = self.module.test_dataloader()
        return loader

    def external(self, root: Path, split: Split = "test") -> SplitDataset:
        """Read another folder by the module's `external(root, split)`.

        Raises:
            ConfigError: The module has no such method.
        """
        if not hasattr(self.module, "external"):
            raise ConfigError(
                f"root={root}: the data module {type(self.module).__qualname__} has no method "
                f"external(root, split), which reads another folder. {GUIDE}"
            )
        return ForeignSplit(self.module.external(root, split), root)

    def describe(self) -> dict[str, Any]:
        """Return the content of data.json: classes, counts and hashes of each split."""
        return super().describe() | {"root": type(self.module).__qualname__}


def _eval_transforms(module: DataModule) -> list[A.BasicTransform]:
    """Return the member `eval_transforms` of a module; empty if it has none."""
    found = list(getattr(module, "eval_transforms", ()))
    wrong = [step for step in found if not isinstance(step, A.BasicTransform)]
    if wrong:
        raise ConfigError(
            f"eval_transforms of the data module {type(module).__qualname__} contains {wrong[0]!r}."
            f" Expected transforms of albumentations, such as albumentations.Resize. {GUIDE}"
        )
    # Checkpoints store the transforms as plain values.
    serialize_transforms(SeededTransform(found, 1, 0))
    return found
