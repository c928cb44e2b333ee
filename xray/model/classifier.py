"""The LightningModule: a torchvision backbone with a new classification head."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from xray.errors import ConfigError, TrainingError
from xray.model.backbone import Backbone, build_backbone
from xray.model.checkpoint import (
    KEY,
    Identity,
    Transforms,
    class_name,
    preprocessing,
    read_identity,
)
from xray.model.head import Head
from xray.model.losses import build_loss
from xray.model.metrics import SplitMetrics
from xray.model.network import Network
from xray.model.normalize import GrayToRGB
from xray.model.operating_point import EVEN, OperatingPoint
from xray.model.optimizer import DEFAULTS, build_optimizer, build_schedule
from xray.model.seeding import seed_step, seeded
from xray.model.weights import Triple, WeightsInfo, load_backbone
from xray.model.zoo import DEFAULT_BACKBONE
from xray.types import SPLITS, Batch, Split

log = logging.getLogger(__name__)

HEAD: dict[str, Any] = {"pooling": "avg", "norm": "auto", "hidden": [256], "dropout": 0.5}
"""The settings of conf/model/vgg16.yaml, used for keys that are missing."""


class XrayClassifier(Network):
    """Classifier of chest X-rays: a pretrained backbone without its top, and a new head.

    The hyperparameters are plain values and are stored in checkpoints, so
    `XrayClassifier.load_from_checkpoint(path, weights_only=True)` restores a model without its
    initial weights file.

    Args:
        backbone: A key of `xray.model.zoo.BACKBONES`.
        classes: K class names in the order of the outputs; the first is the negative class.
        head: Arguments of `xray.model.head.Head` that differ from `HEAD`. `norm` "auto" is batch
            normalization for random weights and layer normalization for all others.
        optim: Settings of `xray.model.optimizer` that differ from its `DEFAULTS`.
        loss: Training loss, {"_target_": dotted path of a class, ...}; None: cross-entropy. See
            `configure_loss`.
        trainable: "head", a block ("block5": that block, the blocks after it and the head), or
            "all".
        unfreeze: {"epoch": e, "trainable": ...}: from epoch e on, counted from 0, more is trained.
        class_weights: K positive weights of the training loss; None: equal weights; "data": those
            of the data module that the model is fitted on, if it has a method `class_weights`.
        weights: Initial weights of the backbone: "auto", "imagenet", "random" or a file, see
            `xray.model.weights.load_backbone`. None: random weights from torch's global generator.
        normalization: Input normalization that the weights expect, see `load_backbone`.
        seed: Seed of the random weights and of the training steps.
        mean: Mean of the three input channels on [0, 1]; used only if `weights` is None.
        std: Standard deviation of the channels; used only if `weights` is None.
        weights_source: Name of the initial weights, set when a checkpoint is restored.
        weights_sha256: Hash of the initial weights, set when a checkpoint is restored.

    Attributes:
        frozen: Number of blocks, counted from the input, that are frozen now.
        unfreezing: The argument `unfreeze`.
        cut: Number of blocks that are frozen in every epoch; their output can be cached.
        operating_point: Temperature and threshold of predictions, see `set_operating_point`.
        input_size: Side of the square images the model was trained on, pixels; None if unknown.
        transforms: Serialized transforms of evaluation images, see
            `xray.data.transforms.load_transforms`; None if unknown.

    Raises:
        ConfigError: An argument is out of range.
        WeightsError: The initial weights cannot be read or do not fit the backbone.

    Examples:
        >>> model = XrayClassifier("vgg16", classes=["normal", "pneumonia"], weights="random")
        >>> image = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
        >>> model.predict_probabilities(image).shape
        torch.Size([1, 2])
    """

    def __init__(
        self,
        backbone: str = DEFAULT_BACKBONE,
        *,
        classes: Sequence[str],
        head: Mapping[str, Any] | None = None,
        optim: Mapping[str, Any] | None = None,
        loss: Mapping[str, Any] | None = None,
        trainable: str = "head",
        unfreeze: Mapping[str, Any] | None = None,
        class_weights: Sequence[float] | Literal["data"] | None = "data",
        weights: str | None = "auto",
        normalization: str | Mapping[str, Any] = "auto",
        seed: int = 0,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        weights_source: str = "",
        weights_sha256: str = "",
    ) -> None:
        # A checkpoint names its initial weights; those of version 0.1.0 have no item `weights`.
        info = WeightsInfo(weights_source, weights_sha256, _triple(mean), _triple(std))
        loaded: Backbone | None = None
        if weights is not None and not weights_source:
            loaded, info = load_backbone(backbone, weights, normalization, seed)
        options = _head_options(head, info.source)
        with nullcontext() if loaded is None else seeded(seed):
            network = build_backbone(backbone)
            top = Head(network.channels, len(classes), **options)
        if loaded is not None:
            network.load_state_dict(loaded.state_dict())
        first = GrayToRGB(info.mean, info.std)
        super().__init__(first, network, top, trainable=trainable, unfreeze=unfreeze)
        self.classes, self.seed = tuple(classes), seed
        self.optim = {**DEFAULTS, **(optim or {})}
        self.save_hyperparameters()
        self._save_resolved(options, info)
        self._initialize_state(loss, class_weights)

    def _save_resolved(self, head: dict[str, Any], info: WeightsInfo) -> None:
        """Store resolved hyperparameters, so that restoring does not search for weights."""
        self.save_hyperparameters(
            {
                "classes": list(self.classes),
                "head": head,
                "optim": self.optim,
                "weights": None,
                "normalization": "auto",
                "mean": list(info.mean),
                "std": list(info.std),
                "weights_source": info.source or "random",
                "weights_sha256": info.sha256,
            }
        )

    def _initialize_state(
        self,
        loss: Mapping[str, Any] | None,
        class_weights: Sequence[float] | Literal["data"] | None,
    ) -> None:
        self._loss_spec, self._class_weights = loss, class_weights
        # In a list, so that it is not a submodule: its class weights are not part of a checkpoint.
        self._loss: list[nn.Module] = []
        self.metrics = nn.ModuleDict(
            {f"{split}_metrics": SplitMetrics(len(self.classes)) for split in SPLITS}
        )
        self.operating_point = OperatingPoint()
        self.input_size: int | None = None
        self.transforms: Transforms | None = None

    @classmethod
    def create(cls, **options: Any) -> "XrayClassifier":
        """Build a classifier; the `_target_` of configurations written by version 0.1.0.

        Args:
            **options: Arguments of the class.
        """
        with seeded(options.get("seed", 0)):
            return cls(**options)

    @property
    def threshold(self) -> float:
        """Probability above which the second of two classes is predicted, without temperature."""
        threshold = self.operating_point.threshold
        return EVEN if threshold is None else threshold

    def set_operating_point(self, point: OperatingPoint) -> None:
        """Set the temperature and threshold that predictions use and checkpoints store."""
        self.operating_point = point

    def set_preprocessing(self, input_size: int | None, transforms: Transforms | None) -> None:
        """Set the input size (pixels) and evaluation transforms that checkpoints store."""
        self.input_size, self.transforms = input_size, transforms

    def predict_probabilities(self, images: Tensor) -> Tensor:
        """Compute the probabilities of images at the model's temperature, in evaluation mode.

        Args:
            images: (B, 1, H, W), uint8 in [0, 255] or float in [0, 1], on any device.

        Returns:
            (B, K) float32 in [0, 1] on the CPU, rows summing to 1.

        Raises:
            DataError: The images have another shape, dtype or range.
        """
        with _evaluating(self):
            return self.operating_point.probabilities(self(images.to(self.device))).cpu()

    def configure_loss(self) -> nn.Module:
        """Build the training loss; override it in a subclass for a loss of your own.

        Returns:
            A module that maps logits (B, K) and targets (B,) int64 to a scalar. By default the
            class named by the argument `loss`, else cross-entropy, with the class weights.
        """
        weights = self._class_weights
        return build_loss(self._loss_spec, None if weights == "data" else weights)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        return self._step(batch, "train")[0]

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Return probabilities (B, K) without temperature, targets (B,) and indices (B,)."""
        return self._step(batch, "val")[1]

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Return probabilities (B, K) without temperature, targets (B,) and indices (B,)."""
        return self._step(batch, "test")[1]

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Predict a batch at the model's operating point.

        Args:
            batch: A `Batch`, images (B, 1, H, W), or a sequence that starts with images.
            batch_idx: Number of the batch.

        Returns:
            "probabilities" (B, K) at the model's temperature; "predicted" (B,) int64, the class at
            the model's threshold; "index" (B,) if the batch has it.
        """
        logits = self._logits(batch)
        point = self.operating_point
        predicted = {
            "probabilities": point.probabilities(logits),
            "predicted": point.predicted(logits),
        }
        index = {"index": batch["index"]} if isinstance(batch, Mapping) and "index" in batch else {}
        return predicted | index

    def _logits(self, batch: Any) -> Tensor:
        if isinstance(batch, Mapping):
            return self.from_cut(batch["features"]) if "features" in batch else self(batch["image"])
        images = batch if isinstance(batch, Tensor) else batch[0]
        logits: Tensor = self(images)
        return logits

    def _step(self, batch: Batch, split: Split) -> tuple[Tensor, dict[str, Tensor]]:
        target = batch["target"]
        logits = self._logits(batch)
        # Validation and test use plain cross-entropy, which is comparable between runs.
        loss = self._training_loss(logits, target) if split == "train" else None
        loss = F.cross_entropy(logits, target) if loss is None else loss
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The {split} loss became {loss.item()} in epoch {self.current_epoch}. Nothing "
                "was saved from it; the best checkpoint so far is unchanged. Lower optim.lr or "
                "optim.backbone_lr, or set trainer.precision=32-true."
            )
        # Under autocast the logits can have 16 bits. Probabilities of 16 bits have three digits.
        probabilities = logits.detach().float().softmax(dim=1)
        self._metrics(split).update(probabilities, target)
        self.log(
            f"{split}/loss",
            loss,
            on_step=False,
            on_epoch=True,
            batch_size=len(target),
            prog_bar=True,
        )
        return loss, {"probabilities": probabilities, "target": target, "index": batch["index"]}

    def _training_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        if not self._loss:
            self._loss = [self.configure_loss().to(logits.device)]
        loss: Tensor = self._loss[0](logits, target)
        return loss

    def _metrics(self, split: Split) -> SplitMetrics:
        metrics = self.metrics[f"{split}_metrics"]
        assert isinstance(metrics, SplitMetrics)
        return metrics

    def _log_metrics(self, split: Split) -> None:
        metrics = self._metrics(split)
        for name, value in metrics.compute().items():
            # An undefined value is visible to callbacks, which ignore it, but not in the curves.
            logger = None if torch.isfinite(value) else False
            headline = (split, name) == ("val", "auroc")
            self.log(f"{split}/{name}", value, prog_bar=headline, logger=logger)
        metrics.reset()

    def on_train_epoch_end(self) -> None:
        """Log the training metrics of the epoch."""
        self._log_metrics("train")

    def on_validation_epoch_end(self) -> None:
        """Log the validation metrics."""
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        """Log the test metrics."""
        self._log_metrics("test")

    def setup(self, stage: str) -> None:
        """Read preprocessing and class weights from the data module; build the training loss.

        Raises:
            ConfigError: Staged unfreezing is combined with DDP, which determines the trained
                parameters once, before the first epoch.
        """
        datamodule: Any = getattr(self.trainer, "datamodule", None)
        size, transforms = preprocessing(datamodule)
        if size is not None:
            self.set_preprocessing(size, transforms)
        if stage != "fit":
            return
        if self.unfreezing and isinstance(self.trainer.strategy, DDPStrategy):
            raise ConfigError(
                "model.unfreeze cannot be used with trainer.strategy=ddp, which determines the "
                "trained parameters before the first epoch. Train on one GPU (trainer.gpus=1), or "
                "set model.trainable for the whole run."
            )
        if self._class_weights == "data":
            self._class_weights = getattr(datamodule, "class_weights", lambda: None)()
            self.save_hyperparameters({"class_weights": self._class_weights})

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimizer of all layers that are trained in some epoch, and the schedule."""
        optimizer = build_optimizer(
            self.head, list(self.backbone.children())[self.cut :], self.optim
        )
        schedule = build_schedule(optimizer, self.optim, self.trainer.max_epochs or 1)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "epoch"},
        }

    def on_fit_start(self) -> None:
        """Build the training loss, and switch to training mode.

        Lightning keeps the evaluation mode of a restored model.
        """
        self._loss = [self.configure_loss().to(self.device)]
        self.train()

    def on_train_start(self) -> None:
        """Apply the configured learning rates, which a resumed checkpoint overwrites."""
        schedule = self.lr_schedulers()
        if not isinstance(schedule, LambdaLR):
            return
        schedule.base_lrs = [self.optim["lr"], self.optim["backbone_lr"]][: len(schedule.base_lrs)]
        for group, base, factor in zip(
            schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
        ):
            group["initial_lr"] = base
            group["lr"] = base * factor(self.current_epoch)

    def on_train_epoch_start(self) -> None:
        """Freeze and unfreeze blocks for the epoch; a resumed run continues in the right stage."""
        blocks = self.frozen_at(self.current_epoch)
        if blocks != self.frozen:
            log.info(
                "epoch %d: %d of %d blocks are frozen", self.current_epoch, blocks, self.blocks
            )
            self.freeze_blocks(blocks)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed torch, so a resumed run draws the dropout of an uninterrupted run."""
        seed_step(self.seed, self.current_epoch, batch_idx, self.global_rank)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add model class, operating point, input size and evaluation transforms."""
        identity = Identity(
            class_name(self), self.operating_point, self.input_size, self.transforms
        )
        checkpoint[KEY] = identity.as_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the operating point and preprocessing."""
        identity = read_identity(checkpoint)
        self.set_operating_point(identity.operating_point or OperatingPoint())
        self.set_preprocessing(identity.input_size, identity.transforms)


def _head_options(head: Mapping[str, Any] | None, source: str) -> dict[str, Any]:
    """Complete the head's arguments; normalization depends on the initial weights."""
    options = {**HEAD, **(head or {})}
    if options["norm"] == "auto":
        options["norm"] = "batch" if source in {"", "random"} else "layer"
    return options


def _triple(values: Sequence[float]) -> Triple:
    red, green, blue = values
    return red, green, blue


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)
