"""The LightningDataModule: a folder of chest X-rays, split, grouped and augmented."""

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import albumentations as A
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from xray.data.dataset import SplitDataset
from xray.data.folder import XrayFolder, compile_patient_pattern
from xray.data.groups import Groups
from xray.data.layout import find_layout
from xray.data.sampler import EpochSampler
from xray.data.split import carve
from xray.data.transforms import SeededTransform
from xray.errors import DataError
from xray.types import SPLITS, Batch, Split

log = logging.getLogger(__name__)


class XrayDataModule(pl.LightningDataModule):
    """Wraps torchvision's ImageFolder for the train, val and test splits.

    What is missing is carved from train/ (or from a flat root), by patient and stratified by
    class: test/, and val/ also when it holds fewer than `min_val` images.

    Args:
        root: See `xray.data.layout.find_layout`.
        groups: Class -> folder names that mean it; the order is that of the network's outputs.
        transforms: albumentations of training images ("train") and of all others ("eval").
        size: Side of the square that the transforms end at, pixels.
        batch_size: Images a batch.
        workers: Loader processes; "auto" is one a core, four at most.
        patient_pattern: See `xray.data.folder.compile_patient_pattern`.
        val_fraction: Share of the training images that is carved for validation.
        test_fraction: Share of all images that is carved for the test.
        min_val: A val/ folder smaller than this joins train.
        balance: How class imbalance is met: "loss" (weights, see `class_weights`), "sampler" or
            "none".
        split_seed: Of the carving.
        seed: Of the shuffle.

    Attributes:
        classes: Class names, in the order of the network's outputs.
        features: Datasets of cached activations that stand in for the pixels of a split.
    """

    def __init__(
        self,
        root: str | Path,
        groups: Mapping[str, Sequence[str]],
        transforms: Mapping[Literal["train", "eval"], Sequence[A.BasicTransform]],
        *,
        size: int = 224,
        batch_size: int = 32,
        workers: int | Literal["auto"] = "auto",
        patient_pattern: str | None = None,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        min_val: int = 50,
        balance: Literal["loss", "sampler", "none"] = "loss",
        split_seed: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.root = Path(root)
        self.groups = Groups(groups)
        self.classes = self.groups.classes
        self.train = SeededTransform(transforms["train"], size, seed)
        self.evaluate = SeededTransform(transforms["eval"], size, seed)
        self.batch_size = batch_size
        self.workers = min(4, os.cpu_count() or 1) if workers == "auto" else workers
        self.patient = compile_patient_pattern(patient_pattern)
        self.val_fraction, self.test_fraction, self.min_val = val_fraction, test_fraction, min_val
        self.balance = balance
        self.split_seed, self.seed = split_seed, seed
        self.features: dict[Split, Dataset[Batch]] = {}
        self._splits: dict[Split, SplitDataset] = {}
        self._unknown_patients = 0

    def setup(self, stage: str | None = None) -> None:
        """Scan the folders and split them, once.

        Raises:
            DataError: When the folders are missing, not laid out as expected, or a class has no
                training image.
        """
        if self._splits:
            return
        folders = {
            split: XrayFolder(path, self.groups, self.patient)
            for split, path in find_layout(self.root).items()
        }
        self._unknown_patients = sum(folder.unknown_patients for folder in folders.values())
        pool = [folders["train"]]
        if "val" in folders and len(folders["val"]) < self.min_val:
            log.info(
                "val/ has %d images, fewer than data.min_val: it joins train", len(folders["val"])
            )
            pool.append(folders.pop("val"))
        self._split(pool, folders)
        counts = Counter(sample.target for sample in self._splits["train"].samples)
        for target, name in enumerate(self.classes):
            if not counts[target]:
                raise DataError(
                    f"Class '{name}' has no training image below {self.root}. Expected a folder "
                    "named as one of "
                    f"{', '.join(self.groups.as_dict()[name])}, or other classes "
                    "(data/groups=two_class)."
                )

    def _split(self, pool: list[XrayFolder], folders: Mapping[Split, XrayFolder]) -> None:
        records = [record for folder in pool for record in folder.records]
        kept = list(range(len(records)))
        carved: dict[Split, list[int]] = {}
        for split, fraction in (("test", self.test_fraction), ("val", self.val_fraction)):
            if split not in folders:
                rest, chosen = carve(
                    [records[i] for i in kept],
                    fraction,
                    classes=self.classes,
                    seed=self.split_seed,
                    name=split,
                )
                carved[split] = [kept[i] for i in chosen]  # type: ignore[index]
                kept = [kept[i] for i in rest]
        carved["train"] = kept
        for split in SPLITS:
            own = split not in carved
            self._splits[split] = SplitDataset(
                [folders[split]] if own else pool,
                range(len(folders[split])) if own else carved[split],
                root=self.root,
                train=self.train,
                evaluate=self.evaluate,
            )

    def dataset(self, split: Split) -> SplitDataset:
        """Give the images of a split; calls `setup` where that has not been done."""
        self.setup()
        return self._splits[split]

    def class_weights(self) -> list[float] | None:
        """Give each class N / (K n_k) of the training images; None unless the loss is weighted."""
        return self._balanced().tolist() if self.balance == "loss" else None

    def _balanced(self) -> Tensor:
        targets = torch.tensor([sample.target for sample in self.dataset("train").samples])
        counts = torch.bincount(targets, minlength=len(self.classes))
        return len(targets) / (len(self.classes) * counts.double())

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled by (seed, epoch), augmented by (seed, epoch, index)."""
        samples = self.dataset("train").samples
        weights = None
        if self.balance == "sampler":
            weights = self._balanced()[[sample.target for sample in samples]]
        # Batch normalisation cannot train on a batch of one.
        sampler = EpochSampler(len(samples), self.seed, weights)
        drop_last = len(sampler) % self.batch_size == 1
        return self.loader("train", sampler=sampler, drop_last=drop_last)

    def val_dataloader(self) -> DataLoader[Batch]:
        """In order, not augmented."""
        return self.loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """In order, not augmented."""
        return self.loader("test")

    def external(self, root: Path, split: Split = "test") -> SplitDataset:
        """Read another folder with this module's classes, patient rule and evaluation transform.

        Args:
            root: Holds `<split>/<class>/...`, or `<class>/...`, of which then every image is taken.
            split: Which folder of the first layout.

        Raises:
            DataError: When the folder is missing, has splits but not this one, or other classes.
        """
        layout = find_layout(root)
        path = layout.get("train" if layout.get("train") == root else split)
        if path is None:
            raise DataError(
                f"{root} holds {', '.join(layout)}, but no {split}/. Pass "
                f"split={next(iter(layout))}."
            )
        folder = XrayFolder(path, self.groups, self.patient)
        return SplitDataset(
            [folder], range(len(folder)), root=root, train=self.train, evaluate=self.evaluate
        )

    def loader(self, source: Split | SplitDataset, **kwargs: Any) -> DataLoader[Batch]:
        """Load a split, or a dataset of `external`, in order unless `kwargs` say otherwise."""
        cached = self.features.get(source) if isinstance(source, str) else None
        dataset = self.dataset(source) if isinstance(source, str) else source
        workers = 0 if cached else self.workers
        return DataLoader(
            cached or dataset,
            batch_size=self.batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            # A cached split gathers its batch in one go, so there is nothing left to collate.
            collate_fn=(lambda batch: batch) if cached else None,
            **kwargs,
        )

    def describe(self) -> dict[str, Any]:
        """Give what `data.json` records: classes, grouping, counts and hashes of each split."""
        return {
            "root": self.root.name,
            "classes": list(self.classes),
            "groups": self.groups.as_dict(),
            "splits": {split: self._describe(self.dataset(split)) for split in SPLITS},
            "unknown_patients": self._unknown_patients,
            "audit": "not audited",
        }

    def _describe(self, dataset: SplitDataset) -> dict[str, Any]:
        return {
            "images": len(dataset),
            "patients": len({sample.patient for sample in dataset.samples}),
            "classes": {
                c: sum(s.target == i for s in dataset.samples) for i, c in enumerate(self.classes)
            },
            "labels": dict(sorted(Counter(sample.label for sample in dataset.samples).items())),
            "files_sha256": dataset.digest(),
        }
