"""LightningDataModule for a folder of chest radiographs."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import albumentations as A
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from xray.data.certificate import Certificate
from xray.data.checks import check_classes, check_trained, check_unused
from xray.data.collection import Collection, collect, counts
from xray.data.confounding import find_confounding
from xray.data.dataset import SplitDataset
from xray.data.external import read_external
from xray.data.groups import TWO_CLASS, Groups
from xray.data.partition import Rules, partition
from xray.data.patients import compile_patient_pattern
from xray.data.sampler import EpochSampler
from xray.data.transforms import SeededTransform, light_transforms, serialize_transforms
from xray.integrity.screening import screen, unscreened
from xray.machine import loader_workers
from xray.types import SPLITS, Batch, Sample, Split

log = logging.getLogger(__name__)


class XrayDataModule(pl.LightningDataModule):
    """Training, validation and test images of a folder, audited, split and transformed.

    A missing test or validation split is held out from the training images, stratified by class,
    with all images of a patient and all duplicates on the same side. Only `root` is required: the
    defaults are those of the command line (conf/data/folder.yaml and conf/transform/light.yaml).

    Args:
        root: Data root, see `xray.data.layout.find_layout`.
        groups: Class name -> folder names of the class, in the order of the network's outputs.
        transforms: albumentations for training images ("train") and for all others ("eval"), ending
            at (size, size); None: resize, and for training also a small rotation and a flip.
        size: Side length of the images after the transforms, pixels.
        batch_size: Images per batch.
        workers: Number of loader processes; "auto": see `xray.machine.loader_workers`.
        patient_pattern: See `xray.data.patients.PatientRule`.
        balance: Treatment of class imbalance: "loss" (class weights, see `class_weights`),
            "sampler" (weighted draws) or "none".
        audit: Whether all files are read and compared before they are split. Without it, bad files
            and duplicates are not found.
        audit_dir: Folder that stores the results of reading between runs; None: nothing is stored.
        seed: Seed of shuffling and augmentation.
        **rules: Fields of `xray.data.partition.Rules`.

    Attributes:
        classes: Class names, in the order of the network's outputs.
        train: Transform of training images.
        evaluate: Transform of all other images.
    """

    def __init__(
        self,
        root: str | Path,
        groups: Mapping[str, Sequence[str]] = MappingProxyType(TWO_CLASS),
        transforms: Mapping[Literal["train", "eval"], Sequence[A.BasicTransform]] | None = None,
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
        steps = light_transforms(size) if transforms is None else transforms
        self.train = SeededTransform(steps["train"], size, seed)
        self.evaluate = SeededTransform(steps["eval"], size, seed)
        self.batch_size = batch_size
        self.patient = compile_patient_pattern(patient_pattern)
        self.balance = balance
        self.audit = audit
        self.audit_dir = Path(audit_dir) if audit_dir else None
        self.seed = seed
        self.rules = Rules(**rules)
        self._workers = workers
        self._features: dict[Split, Dataset[Batch]] = {}
        self._splits: dict[Split, SplitDataset] = {}
        self._used: Collection | None = None
        self._certificate: Certificate | None = None

    def setup(self, stage: str | None = None) -> None:
        """Find, audit and split the images once; check before training that they are sufficient.

        Args:
            stage: Stage of the Trainer; "fit" also checks the classes of every split.

        Raises:
            DataError: The folders are missing or not arranged as expected, images would be unused,
                a class has no training image, the audit finds what `rules` reject, or, if stage is
                "fit", the validation images are all of one class.
        """
        if self._used is None:
            collection = collect(self.root, self.groups, self.patient)
            check_unused(self.root, collection.extraneous)
            paths = [sample.path for sample in collection.samples]
            screening = (
                screen(paths, self.root, self.audit_dir) if self.audit else unscreened(paths)
            )
            used, self._certificate = partition(collection, screening, self.rules, self.classes)
            check_trained(used, self.groups)
            for split in SPLITS:
                samples = [used.samples[i] for i in used.positions(split)]
                self._splits[split] = self._split_of(samples, self.root)
            self._used = used
        if stage == "fit":
            check_classes(self._used, self.classes, self.rules)
            for warning in find_confounding(self.dataset("train").samples, self.classes):
                log.warning("%s", warning)

    def _split_of(self, samples: list[Sample], root: Path) -> SplitDataset:
        return SplitDataset(samples, root=root, train=self.train, evaluate=self.evaluate)

    def set_batch_size(self, batch_size: int) -> None:
        """Set the number of images per batch of loaders created from now on."""
        self.batch_size = batch_size

    def workers(self, dataset: SplitDataset) -> int:
        """Return the number of loader processes for a dataset, as configured or chosen."""
        if self._workers != "auto":
            return self._workers
        if self.trainer is None:
            return loader_workers(gpu=torch.cuda.is_available())
        gpu = self.trainer.strategy.root_device.type != "cpu"
        return loader_workers(gpu=gpu, processes=self.trainer.world_size)

    @property
    def features(self) -> Mapping[Split, Dataset[Batch]]:
        """Datasets of cached activations that replace the images of a split."""
        return MappingProxyType(self._features)

    def serve_features(self, split: Split, dataset: Dataset[Batch]) -> None:
        """Load a split from a dataset of cached activations, which returns whole batches."""
        self._features[split] = dataset

    def serve_images(self) -> None:
        """Load all splits from images again instead of cached activations."""
        self._features.clear()

    def certificate(self) -> Certificate:
        """Return the assessment of the splits; calls `setup` if necessary."""
        self.setup()
        assert self._certificate is not None
        return self._certificate

    def dataset(self, split: Split) -> SplitDataset:
        """Return the images of a split; calls `setup` if necessary."""
        self.setup()
        return self._splits[split]

    def external(self, root: Path, split: Split = "test") -> SplitDataset:
        """Read another folder with the classes, patient rule and evaluation transform of this one.

        Args:
            root: See `xray.data.external.read_external`.
            split: Split to read, if `root` contains split folders.

        Raises:
            DataError: Its classes are not those of the network, see `read_external`.
        """
        return self._split_of(read_external(root, split, self.groups, self.patient), root)

    def class_weights(self) -> list[float] | None:
        """Return N / (K n_k) of the training images for each class, or None if not balance="loss".

        N is the number of images, K the number of classes, and n_k the images of class k.
        """
        return self._balanced().tolist() if self.balance == "loss" else None

    def _balanced(self) -> Tensor:
        targets = torch.tensor([sample.target for sample in self.dataset("train").samples])
        images = torch.bincount(targets, minlength=len(self.classes))
        return len(targets) / (len(self.classes) * images.double())

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return a loader that shuffles by (seed, epoch) and augments by (seed, epoch, index)."""
        samples = self.dataset("train").samples
        weights = None
        if self.balance == "sampler":
            weights = self._balanced()[[sample.target for sample in samples]]
        sampler = EpochSampler(len(samples), self.seed, weights)
        # Batch normalization cannot train on a batch of one image.
        drop_last = len(sampler) % self.batch_size == 1
        return self.loader("train", sampler=sampler, drop_last=drop_last)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return a loader of the validation images, in order and not augmented."""
        return self.loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return a loader of the test images, in order and not augmented."""
        return self.loader("test")

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Return a loader of the test images, in order and not augmented."""
        return self.loader("test")

    def loader(self, source: Split | SplitDataset, **kwargs: Any) -> DataLoader[Batch]:
        """Return a loader of a split or of an external dataset.

        Args:
            source: Split, or a dataset returned by `external`.
            **kwargs: Further arguments of `DataLoader`; by default, images are loaded in order.
        """
        cached = self._features.get(source) if isinstance(source, str) else None
        dataset = self.dataset(source) if isinstance(source, str) else source
        workers = 0 if cached else self.workers(dataset)
        return DataLoader(
            cached or dataset,
            batch_size=self.batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            # Cached activations are read as whole batches, so nothing is left to collate.
            collate_fn=(lambda batch: batch) if cached else None,
            **kwargs,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint records: the certificate and the hashes of the file lists."""
        return {"certificate": self.certificate().as_dict(), "files_sha256": self._digests}

    def input_state(self) -> dict[str, Any]:
        """Return what a prediction needs to prepare an image, as plain values.

        Returns:
            {"input_size": side length in pixels, "transforms": serialized evaluation transform}.
            See `xray.data.transforms.serialize_transforms`.
        """
        return {
            "input_size": self.evaluate.size,
            "transforms": serialize_transforms(self.evaluate),
        }

    @cached_property
    def _digests(self) -> dict[Split, str]:
        """SHA-256 of the file list of each split."""
        return {split: self.dataset(split).digest() for split in SPLITS}

    def describe(self) -> dict[str, Any]:
        """Return the content of data.json: classes, groups, and counts and hash of each split."""
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
