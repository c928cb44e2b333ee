"""The LightningDataModule: a folder of chest X-rays, split, grouped and augmented."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import albumentations as A
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from xray.data.certificate import Certificate
from xray.data.collection import collect, counts
from xray.data.dataset import SplitDataset
from xray.data.external import read_external
from xray.data.groups import Groups
from xray.data.partition import Rules, partition
from xray.data.patients import compile_patient_pattern
from xray.data.sampler import EpochSampler
from xray.data.transforms import SeededTransform
from xray.errors import DataError
from xray.integrity.screening import screen, unscreened
from xray.machine import loader_workers
from xray.types import SPLITS, Batch, Sample, Split


class XrayDataModule(pl.LightningDataModule):
    """Wraps torchvision's ImageFolder for the train, val and test splits.

    What is missing is carved from train/ (or from a flat root), stratified by class, images of one
    patient or one exposure together: test/, and val/ also when it holds few images.

    Args:
        root: See `xray.data.layout.find_layout`.
        groups: Class -> folder names that mean it; the order is that of the network's outputs.
        transforms: albumentations of training images ("train") and of all others ("eval").
        size: Side of the square that the transforms end at, pixels.
        batch_size: Images a batch.
        workers: Number of processes that read images; "auto": see
            `xray.machine.loader_workers`.
        patient_pattern: See `xray.data.patients.PatientRule`.
        balance: How class imbalance is met: "loss" (weights, see `class_weights`), "sampler" or
            "none".
        audit: Whether all files are read and compared before they are split; else overlaps other
            than a patient's, and bad files, go unnoticed.
        audit_dir: Keeps what was read between runs; None: nothing is kept.
        seed: Of the shuffle.
        **rules: Fields of `xray.data.partition.Rules`.

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
        balance: Literal["loss", "sampler", "none"] = "loss",
        audit: bool = True,
        audit_dir: str | Path | None = None,
        seed: int = 0,
        **rules: Any,
    ) -> None:
        super().__init__()
        self.root = Path(root)
        self.groups = Groups(groups)
        self.classes = self.groups.classes
        self.train = SeededTransform(transforms["train"], size, seed)
        self.evaluate = SeededTransform(transforms["eval"], size, seed)
        self.batch_size = batch_size
        self._workers = workers
        self.patient = compile_patient_pattern(patient_pattern)
        self.balance = balance
        self.audit = audit
        self.audit_dir = Path(audit_dir) if audit_dir else None
        self.seed = seed
        self.rules = Rules(**rules)
        self.features: dict[Split, Dataset[Batch]] = {}
        self._splits: dict[Split, SplitDataset] = {}
        self._certificate: Certificate | None = None

    def workers(self, dataset: SplitDataset) -> int:
        """Return the number of processes that read a dataset."""
        if self._workers != "auto":
            return self._workers
        if self.trainer is None:
            return loader_workers(gpu=torch.cuda.is_available())
        gpu = self.trainer.strategy.root_device.type != "cpu"
        return loader_workers(gpu=gpu, processes=self.trainer.world_size)

    def setup(self, stage: str | None = None) -> None:
        """Find the images, audit and split them, once.

        Raises:
            DataError: When the folders are missing, not laid out as expected, a class has no
                training image, or the audit finds what `rules` refuse.
        """
        if self._splits:
            return
        collection = collect(self.root, self.groups, self.patient)
        paths = [sample.path for sample in collection.samples]
        screening = screen(paths, self.root, self.audit_dir) if self.audit else unscreened(paths)
        used, certificate = partition(collection, screening, self.rules, self.classes)
        trained = Counter(used.samples[i].target for i in used.positions("train"))
        for target, name in enumerate(self.classes):
            if not trained[target]:
                raise DataError(
                    f"Class '{name}' has no training image below {self.root}. Expected a folder "
                    "named as one of "
                    f"{', '.join(self.groups.as_dict()[name])}, or other classes "
                    "(data/groups=two_class)."
                )
        self._certificate = certificate
        for split in SPLITS:
            samples = [used.samples[i] for i in used.positions(split)]
            self._splits[split] = self._split_of(samples, self.root)

    def _split_of(self, samples: list[Sample], root: Path) -> SplitDataset:
        return SplitDataset(samples, root=root, train=self.train, evaluate=self.evaluate)

    def certificate(self) -> Certificate:
        """Give what the splits are worth; calls `setup` where that has not been done."""
        self.setup()
        assert self._certificate is not None
        return self._certificate

    def state_dict(self) -> dict[str, Any]:
        """Give what a checkpoint records of the data: the certificate and the lists of files."""
        return {"certificate": self.certificate().as_dict(), "files_sha256": self._digests}

    @cached_property
    def _digests(self) -> dict[Split, str]:
        """SHA-256 of each split's list of files; every checkpoint records it."""
        return {split: self.dataset(split).digest() for split in SPLITS}

    def dataset(self, split: Split) -> SplitDataset:
        """Give the images of a split; calls `setup` where that has not been done."""
        self.setup()
        return self._splits[split]

    def class_weights(self) -> list[float] | None:
        """Give each class N / (K n_k) of the training images; None unless the loss is weighted."""
        return self._balanced().tolist() if self.balance == "loss" else None

    def _balanced(self) -> Tensor:
        targets = torch.tensor([sample.target for sample in self.dataset("train").samples])
        images = torch.bincount(targets, minlength=len(self.classes))
        return len(targets) / (len(self.classes) * images.double())

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
            root: See `xray.data.external.read_external`.
            split: Which folder, where `root` has one of each split.

        Raises:
            DataError: Its classes are not the network's, as `read_external` says.
        """
        return self._split_of(read_external(root, split, self.groups, self.patient), root)

    def loader(self, source: Split | SplitDataset, **kwargs: Any) -> DataLoader[Batch]:
        """Load a split, or a dataset of `external`, in order unless `kwargs` say otherwise."""
        cached = self.features.get(source) if isinstance(source, str) else None
        dataset = self.dataset(source) if isinstance(source, str) else source
        workers = 0 if cached else self.workers(dataset)
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
            "splits": {split: self._describe(split) for split in SPLITS},
            "audit": self.certificate().as_dict(),
        }

    def _describe(self, split: Split) -> dict[str, Any]:
        samples = self.dataset(split).samples
        return {
            **counts(samples, self.classes),
            "labels": dict(sorted(Counter(sample.label for sample in samples).items())),
            "files_sha256": self._digests[split],
        }
