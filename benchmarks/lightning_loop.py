"""A simple Lightning module with the network and images of the plain loop."""

import json
import sys
import tempfile
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchmetrics.classification import BinaryAUROC

from benchmarks.epoch_times import EpochTimes
from benchmarks.plain_loop import images, network


class PlainModule(pl.LightningModule):
    """Train a head on frozen features.

    Args:
        model: Classifier with frozen features.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.auroc = BinaryAUROC()
        self.aurocs: list[float] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        image, target = batch
        loss = F.cross_entropy(self.model(image), target)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Update the AUROC."""
        image, target = batch
        self.auroc(self.model(image).softmax(1)[:, 1], target)
        self.log("val/auroc", self.auroc, prog_bar=True)

    def on_train_epoch_end(self) -> None:
        """Record the AUROC of the epoch."""
        self.aurocs.append(float(self.trainer.callback_metrics["val/auroc"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Optimize the parameters that are not frozen."""
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return torch.optim.AdamW(trained, lr=1e-3)


def main(root: str, epochs: int, size: int, weights: str) -> None:
    """Train and print AUROC and seconds of each epoch. See `plain_loop.main` for the arguments."""
    pl.seed_everything(0)
    train, val = images(root, size, weights)
    module = PlainModule(network(weights, "head"))
    with tempfile.TemporaryDirectory() as folder:
        times = EpochTimes(f"{folder}/epochs.json")
        trainer = pl.Trainer(max_epochs=epochs, default_root_dir=folder, callbacks=[times])
        trainer.fit(
            module,
            DataLoader(train, 32, shuffle=True, num_workers=2),
            DataLoader(val, 32, num_workers=2),
        )
        seconds = json.loads(Path(times.path).read_text())["epochs"]
    print("\n" + json.dumps({"auroc": module.aurocs, "epochs": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
