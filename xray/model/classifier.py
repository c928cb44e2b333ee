"""The LightningModule: a torchvision backbone, our head, and what is frozen of them."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import MetricCollection

from xray.errors import RunError, TrainingError
from xray.model.backbone import build_backbone, frozen_blocks
from xray.model.head import Head
from xray.model.metrics import ABSENT, build_metrics, metric_inputs
from xray.model.normalize import GreyToRGB
from xray.model.optimizer import build_optimizer, build_schedule
from xray.model.weights import load_backbone
from xray.stats.rule import EVEN
from xray.types import SPLITS, Batch, Split


class XrayClassifier(pl.LightningModule):
    """Fine-tunes a head, and as many blocks as asked for, of a network without its top.

    Its arguments are plain values and lie in the checkpoint, which so rebuilds it without any
    weights file: `XrayClassifier.load_from_checkpoint(path, weights_only=True)`. To begin from
    pretrained weights use `create`.

    Args:
        backbone: One of `xray.model.backbone.BACKBONES`.
        classes: Class names in the order of the outputs; the first is the negative class.
        head: Keyword arguments of `Head`: pooling, norm, hidden, dropout.
        optim: See `xray.model.optimizer`.
        trainable: "head", "block5" (and what follows it) ... "block1" or "all".
        unfreeze: {"epoch": e, "trainable": ...}: from that epoch (counted from 0) more is trained.
        class_weights: Of the training loss's cross-entropy, one a class; None weighs all alike, as
            the losses of validation and test do.
        mean: Of the input's channels on [0, 1], as the weights expect it.
        std: Likewise.
        weights_source: Where the backbone's weights came from, for the record.
        weights_sha256: Their hash, for the record.

    Attributes:
        frozen: How many blocks, from the input on, are frozen now.
        unfreezing: As `unfreeze`.
        cut: How many blocks are frozen from the first epoch to the last; what they compute can be
            cached.
    """

    def __init__(
        self,
        *,
        backbone: str,
        classes: Sequence[str],
        head: Mapping[str, Any],
        optim: Mapping[str, Any],
        trainable: str = "head",
        unfreeze: Mapping[str, Any] | None = None,
        class_weights: Sequence[float] | None = None,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        weights_source: str = "random",
        weights_sha256: str = "",
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.classes = tuple(classes)
        self.optim = optim
        self.trainable, self.unfreezing = trainable, unfreeze
        self.cut = min(self.frozen_at(0), self.frozen_at(unfreeze["epoch"] if unfreeze else 0))
        self.normalize = GreyToRGB(mean, std)
        self.backbone = build_backbone(backbone)
        self.lay_out(channels_last=True)
        self.head = Head(self.backbone.channels, len(classes), **head)
        weights = torch.tensor(class_weights) if class_weights is not None else None
        self.register_buffer("class_weights", weights, persistent=False)
        self.metrics = nn.ModuleDict({f"{s}_metrics": build_metrics(len(classes)) for s in SPLITS})
        self.threshold = EVEN
        """With two classes, above which probability the second is called; validation tells it."""
        self.frozen = 0
        self.freeze_blocks(self.frozen_at(0))

    @classmethod
    def create(
        cls, *, backbone: str, weights: str, normalization: Any, seed: int, **options: Any
    ) -> "XrayClassifier":
        """Build a classifier on pretrained weights; the rest is drawn from `seed`.

        Args:
            backbone: One of `xray.model.backbone.BACKBONES`.
            weights: "auto", "imagenet", "random" or a file; see `xray.model.weights.load_backbone`.
            normalization: Likewise.
            seed: Of random weights, of the backbone's and of the head's.
            **options: As for the class.

        Raises:
            WeightsError: When the weights cannot be had or do not fit.
        """
        loaded, info = load_backbone(backbone, weights, normalization, seed)
        if options["head"]["norm"] == "auto":
            norm = "batch" if info.source == "random" else "layer"
            options["head"] = {**options["head"], "norm": norm}
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would reseed the GPUs' generators too.
            torch.default_generator.manual_seed(seed)
            model = cls(
                backbone=backbone,
                mean=list(info.mean),
                std=list(info.std),
                weights_source=info.source,
                weights_sha256=info.sha256,
                **options,
            )
        model.backbone.load_state_dict(loaded.state_dict())
        return model

    def lay_out(self, *, channels_last: bool) -> None:
        """Choose how weights, images and activations lie in memory; their values stay the same."""
        form = torch.channels_last if channels_last else torch.contiguous_format
        self.backbone.to(memory_format=form)
        self.normalize.memory_format = form

    def frozen_at(self, epoch: int) -> int:
        """Tell how many blocks, from the input on, are frozen in `epoch`."""
        if self.unfreezing is not None and epoch >= self.unfreezing["epoch"]:
            return frozen_blocks(self.unfreezing["trainable"])
        return frozen_blocks(self.trainable)

    def freeze_blocks(self, blocks: int) -> None:
        """Freeze the first `blocks` blocks, and train the rest."""
        self.frozen = blocks
        for i, block in enumerate(self.backbone.children()):
            block.requires_grad_(i >= blocks)
        self.train(self.training)

    def train(self, mode: bool = True) -> "XrayClassifier":
        """Switch to training or evaluation; what is frozen stays in evaluation."""
        super().train(mode)
        self.backbone.prefix(self.frozen).eval()
        return self

    def to_cut(self, image: Tensor) -> Tensor:
        """Run the part that is never trained: (B, 1, H, W) uint8 to the activations at the cut."""
        activations: Tensor = self.backbone.prefix(self.cut)(self.normalize(image))
        return activations

    def from_cut(self, features: Tensor) -> Tensor:
        """Run the rest: activations at the cut to logits (B, K) float32.

        Args:
            features: (B, C, h, w); behind all blocks also as `Head` takes them pooled.
        """
        if features.ndim == 2:  # noqa: PLR2004
            pooled: Tensor = self.head(features)
            return pooled
        features = features.contiguous(memory_format=self.normalize.memory_format)
        logits: Tensor = self.head(self.backbone.suffix(self.cut)(features))
        return logits

    def forward(self, image: Tensor) -> Tensor:
        """Classify images: (B, 1, H, W) uint8 to logits (B, K) float32."""
        return self.from_cut(self.to_cut(image))

    def saliency_parts(self) -> tuple[nn.Module, nn.Module]:
        """Split the network at the layer that Grad-CAM explains.

        Returns:
            The body, from (B, 1, H, W) uint8 to activations (B, C, h, w), and the tail, from there
            to logits. VGG16 is split behind its last ReLU, before the last pooling: 14 x 14 at 224
            px.
        """
        *blocks, last = self.backbone.children()
        layers = list(last.children())
        split = len(layers) - self.backbone.pool_after_target
        body = nn.Sequential(self.normalize, *blocks, *layers[:split])
        return body, nn.Sequential(*layers[split:], self.head)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Give the loss of a batch."""
        return self._step(batch, "train")[0]

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Give the batch's probabilities (B, K), targets and indices."""
        return self._step(batch, "val")[1]

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Give the batch's probabilities (B, K), targets and indices."""
        return self._step(batch, "test")[1]

    def _step(self, batch: Batch, split: Split) -> tuple[Tensor, dict[str, Tensor]]:
        target = batch["target"]
        logits = self.from_cut(batch["features"]) if "features" in batch else self(batch["image"])
        # Weights belong to the whole split: of a batch that holds one class they would cancel.
        weight = self.class_weights if split == "train" else None
        loss = F.cross_entropy(logits, target, weight=weight)  # type: ignore[arg-type]
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The {split} loss became {loss.item()} in epoch {self.current_epoch}. Nothing "
                "was saved from it; "
                "the best checkpoint so far stays. Lower optim.lr or optim.backbone_lr, or set "
                "trainer.precision=32-true."
            )
        probabilities = logits.detach().softmax(dim=1)
        metrics = self._metrics(split)
        metrics.update(*metric_inputs(probabilities, target))
        self.log(
            f"{split}/loss",
            loss,
            on_step=False,
            on_epoch=True,
            batch_size=len(target),
            prog_bar=True,
        )
        return loss, {"probabilities": probabilities, "target": target, "index": batch["index"]}

    def _metrics(self, split: Split) -> MetricCollection:
        metrics = self.metrics[f"{split}_metrics"]
        assert isinstance(metrics, MetricCollection)
        return metrics

    def _log_metrics(self, split: Split) -> None:
        metrics = self._metrics(split)
        for name, value in metrics.compute().items():
            self.log(f"{split}/{name}", value, prog_bar=(split, name) == ("val", "auroc"))
        metrics.reset()

    def on_train_epoch_end(self) -> None:
        """Log the epoch's training metrics."""
        self._log_metrics("train")

    def on_validation_epoch_end(self) -> None:
        """Log the validation metrics."""
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        """Log the test metrics."""
        with warnings.catch_warnings():
            # The results name the classes without an image, and leave undefined what needs them.
            warnings.filterwarnings("ignore", ABSENT, UserWarning)
            self._log_metrics("test")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimiser over all that is trained at any epoch, and its schedule."""
        optimizer = build_optimizer(
            self.head, list(self.backbone.children())[self.cut :], self.optim
        )
        schedule = build_schedule(optimizer, self.optim, self.trainer.max_epochs or 1)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "epoch"},
        }

    def on_train_start(self) -> None:
        """After a resume, go by the configured learning rates: a checkpoint brings back its own."""
        schedule = self.lr_schedulers()
        assert isinstance(schedule, LambdaLR)
        schedule.base_lrs = [self.optim["lr"], self.optim["backbone_lr"]][: len(schedule.base_lrs)]
        for group, base, factor in zip(
            schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
        ):
            group["initial_lr"] = base
            group["lr"] = base * factor(self.current_epoch)

    def check_classes(self, classes: Sequence[str]) -> None:
        """Make sure that a dataset's classes are the network's, in the same order.

        Raises:
            RunError: When they are not.
        """
        if tuple(classes) != self.classes:
            raise RunError(
                f"The checkpoint was trained on the classes {', '.join(self.classes)} (in this "
                "order), but the data "
                f"has {', '.join(classes)}. Use the data.groups of the run that made the "
                "checkpoint."
            )
