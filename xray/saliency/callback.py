"""Draw heatmaps while training, and after testing; score them."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from pytorch_lightning.trainer.states import TrainerFn

from xray.errors import ConfigError
from xray.files import save_rows
from xray.model.classifier import XrayClassifier
from xray.model.randomize import randomised
from xray.saliency.gallery import Explained, explain, lesion_mask, write_gallery
from xray.saliency.gradcam import Explainable, check_method
from xray.saliency.scorecard import (
    NO_MASKS,
    NOTE,
    pick,
    score_faithfulness,
    score_maps,
    titled,
    without_masks,
)
from xray.saliency.selection import choose
from xray.stats.rule import EVEN
from xray.types import Split

log = logging.getLogger(__name__)


class GradCAMCallback(pl.Callback):
    """Explain a fixed choice of validation images now and then, and of test images at the end.

    Images whose folder is named after COVID-19 come first. The pictures go to
    `dirpath`/val/epoch_<e>/ and `dirpath`/test/, each with an index.csv, and the validation images
    to TensorBoard. Of further test images the maps are scored beside controls: `dirpath`/test/
    scorecard.json and .csv: against the masks beside the images, which costs two maps an image; or,
    where there are none, by ROAD, deletion and insertion, which take a hundred times as long.

    The trainer needs a data module whose `dataset(split)` has `samples`, `root` and
    `pixels(index)`, the (1, H, W) uint8 image that the network is given.

    Args:
        method: A key of `gradcam.METHODS`.
        n: How many images, at most; 0: none.
        every_n_epochs: Period, in epochs: with 5, after the epochs 4, 9, 14, ... (the first is 0).
        seed: Which images.
        dirpath: Folder of the pictures.
        scorecard: Of how many test images, at most, the maps are scored; 0: none. The classifier
            must be an `XrayClassifier`, which can be given random weights.
        faithfulness: Of how many test images, where there are no masks, it is followed what becomes
            of the answer as pixels go or come; 0: none.

    Raises:
        ConfigError: An argument is out of range.
    """

    def __init__(
        self,
        method: str,
        n: int,
        every_n_epochs: int,
        seed: int,
        dirpath: str | Path,
        *,
        scorecard: int = 0,
        faithfulness: int = 0,
    ) -> None:
        check_method(method)
        for key, count in {
            "n": n,
            "scorecard": scorecard,
            "faithfulness": faithfulness,
        }.items():
            if count < 0:
                raise ConfigError(
                    f"callbacks.gradcam.{key}={count}: give a number of images, 0 or more."
                )
        if every_n_epochs < 1:
            raise ConfigError(
                f"callbacks.gradcam.every_n_epochs={every_n_epochs}: give a number of epochs, "
                "1 or more."
            )
        self.method = method
        self.n = n
        self.every_n_epochs = every_n_epochs
        self.seed = seed
        self.dirpath = Path(dirpath)
        self.scorecard = scorecard
        self.faithfulness = faithfulness

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Explain validation images, when the period is over."""
        epoch = trainer.current_epoch
        fitting = trainer.state.fn is TrainerFn.FITTING and not trainer.sanity_checking
        if fitting and (epoch + 1) % self.every_n_epochs == 0:
            drawn = self._draw(
                trainer, pl_module, "val", self.dirpath / "val" / f"epoch_{epoch:03d}"
            )
            for logger in trainer.loggers:
                log_pictures(logger, drawn, epoch)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Explain test images, and score their maps."""
        folder = self.dirpath / "test"
        self._draw(trainer, pl_module, "test", folder)
        if self.scorecard and trainer.is_global_zero:
            self._score(_dataset(trainer, "test"), pl_module, folder)

    def _score(self, dataset: Any, pl_module: pl.LightningModule, folder: Path) -> None:
        assert isinstance(pl_module, XrayClassifier)
        chosen = pick(len(dataset), self.scorecard, self.seed)
        log.info("scoring the maps of %d test images", len(chosen))
        other = randomised(pl_module, self.seed)
        options: dict[str, Any] = {
            "method": self.method,
            "device": pl_module.device,
            "threshold": pl_module.threshold,
            # The Trainer's own bar may still be on the terminal, which holds one at a time.
            "bar": False,
        }
        rows, note = score_maps(pl_module, other, dataset, chosen, **options), NOTE
        if without_masks(rows):
            note = f"{NOTE} {NO_MASKS}"
            if some := pick(len(dataset), self.faithfulness, self.seed):
                log.info("taking pixels out of %d test images", len(some))
                options["seed"] = self.seed
                rows += score_faithfulness(pl_module, other, dataset, some, **options)
        title = titled(self.method, "test", len(chosen), len(dataset))
        save_rows(folder / "scorecard.json", title, note, rows)

    def _draw(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: Split, folder: Path
    ) -> list[Explained]:
        """Choose, explain and write; by one process only."""
        if self.n == 0 or not trainer.is_global_zero:
            return []
        dataset = _dataset(trainer, split)
        model = cast(Explainable, pl_module)
        chosen = choose(dataset.samples, self.n, self.seed, classes=model.classes)
        drawn = list(
            explain(
                model,
                dataset.samples,
                dataset.pixels,
                chosen,
                method=self.method,
                device=pl_module.device,
                mask=partial(lesion_mask, root=dataset.root),
                threshold=getattr(pl_module, "threshold", EVEN),
            )
        )
        write_gallery(folder, drawn)
        return drawn


def _dataset(trainer: pl.Trainer, split: Split) -> Any:
    # Lightning declares no such attribute, and None stands for a trainer without a data module.
    datamodule: Any = getattr(trainer, "datamodule", None)
    if datamodule is None:
        raise ConfigError(
            "callbacks.gradcam draws what a data module holds: give the trainer one, "
            "or drop the callback (callbacks=none)."
        )
    return datamodule.dataset(split)


def log_pictures(logger: Logger, drawn: Sequence[Explained], epoch: int) -> None:
    """Show pictures in TensorBoard; other loggers take none.

    Args:
        logger: Any logger of the trainer.
        drawn: What to show, each under gradcam/<folder label>/<file name>.
        epoch: The step it is shown at.
    """
    if isinstance(logger, TensorBoardLogger):
        for item in drawn:
            tag = f"gradcam/{item.sample.label}/{item.sample.path.name}"
            logger.experiment.add_image(tag, item.picture, epoch, dataformats="HWC")
