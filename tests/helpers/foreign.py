"""A model and a data module that are not derived from classes of xray."""

from pathlib import Path

import albumentations as A
import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics.functional.classification import binary_auroc

from xray.types import Sample

CLASSES = ("normal", "pneumonia")


class TinyNet(pl.LightningModule):
    """Two convolutions, global average pooling and a linear layer."""

    def __init__(self, *, classes, width=4, lr=0.01, class_weights=None, optim=None, seed=0):
        super().__init__()
        self.save_hyperparameters()
        self.classes = tuple(classes)
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, width, 3, stride=2), nn.ReLU(), nn.Conv2d(width, width, 3, stride=2)
        )
        self.linear = nn.Linear(width, len(self.classes))
        self._seen = []

    def forward(self, image):
        maps = self.convolutions(image.float() / 255)
        return self.linear(maps.relu().mean(dim=(2, 3)))

    def training_step(self, batch, batch_idx):
        loss = nn.functional.cross_entropy(self(batch["image"]), batch["target"])
        self.log("train/loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch, batch_idx):
        logits = self(batch["image"])
        loss = nn.functional.cross_entropy(logits, batch["target"])
        self.log("val/loss", loss, batch_size=len(logits))
        probabilities = logits.softmax(dim=1)
        self._seen.append((probabilities[:, 1], batch["target"]))
        return {"probabilities": probabilities, "target": batch["target"], "index": batch["index"]}

    def on_validation_epoch_end(self):
        scores, targets = (torch.cat(values) for values in zip(*self._seen, strict=True))
        self._seen.clear()
        self.log("val/auroc", binary_auroc(scores, targets))

    def test_step(self, batch, batch_idx):
        probabilities = self(batch["image"]).softmax(dim=1)
        return {"probabilities": probabilities, "target": batch["target"], "index": batch["index"]}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])


class Unsaved(TinyNet):
    """A model that does not store its arguments."""

    def __init__(self, *, classes, required="x", **options):
        pl.LightningModule.__init__(self)
        self.classes = tuple(classes)


class Incomplete(pl.LightningModule):
    """A model without classes, steps and forward pass."""

    def __init__(self, **options):
        super().__init__()


class PngFolder(Dataset):
    """PNG images below <root>/<split>/<class>."""

    def __init__(self, root, split):
        self.samples = [
            Sample(path, target, name, path.stem.split("_")[0])
            for target, name in enumerate(CLASSES)
            for path in sorted((Path(root) / split / name).glob("*.png"))
        ]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index) -> dict[str, Tensor]:
        sample = self.samples[index]
        image = np.array(Image.open(sample.path).convert("L").resize((32, 32)))
        return {
            "image": torch.from_numpy(image)[None],
            "target": torch.tensor(sample.target),
            "index": torch.tensor(index),
        }


class Squares(pl.LightningDataModule):
    """A data module with only the required members, and its own loaders."""

    classes = CLASSES

    def __init__(self, root, batch_size=4, **options):
        super().__init__()
        self.root, self.batch_size = root, batch_size

    def dataset(self, split):
        return PngFolder(self.root, split)

    def train_dataloader(self):
        return DataLoader(self.dataset("train"), batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.dataset("val"), batch_size=self.batch_size)

    def test_dataloader(self):
        return DataLoader(self.dataset("test"), batch_size=self.batch_size)


class Resized(Squares):
    """A data module that states how its images are made from files."""

    eval_transforms = (A.Resize(32, 32),)


class WrongTransforms(Squares):
    """A data module with a transform of another library."""

    eval_transforms = (torch.nn.Identity(),)


class NoDataset(Squares):
    """A data module without `dataset` and without validation images."""

    dataset = property(lambda self: self.__missing__)
    val_dataloader = pl.LightningDataModule.val_dataloader
