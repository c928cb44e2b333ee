"""Callback that draws heatmaps during training and after testing, and scores them."""

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from pytorch_lightning.trainer.states import TrainerFn

from xray.errors import ConfigError
from xray.files import save_rows
from xray.model.randomize import randomized
from xray.saliency.baselines import MapOptions
from xray.saliency.gallery import Explanation, explain_samples, lesion_mask, write_gallery
from xray.saliency.gradcam import Explainable
from xray.saliency.methods import check_method
from xray.saliency.scorecard import FaithfulnessPlan, pick, score_maps, scorecard_title
from xray.saliency.selection import choose
from xray.stats.rule import EVEN
from xray.types import Split

log = logging.getLogger(__name__)


class GradCAMCallback(pl.Callback):
    """Explain the same validation images every few epochs, and test images at the end.

    Images whose folder is named after COVID-19 come first. The pictures are written to
    `dirpath`/val/epoch_<e>/ and `dirpath`/test/, each with an index.csv, and those of validation
    images to TensorBoard.

    After testing, the maps of further test images are scored against baselines, see
    `xray.saliency.scorecard`: `dirpath`/test/scorecard.json and .csv. With lesion or lung masks
    next to the images this takes two maps for each image. Without masks, ROAD, deletion and
    insertion are measured on a few images, with over a hundred forward passes for each, within a
    share of the run's time.

    The trainer needs a data module whose `dataset(split)` has `samples`, `root` and
    `pixels(index)`, which returns the (1, H, W) uint8 image that the network receives.

    Args:
        method: A key of `xray.saliency.methods.METHODS`.
        n: Number of images to draw at most; 0: none.
        every_n_epochs: Period in epochs: 5 means after the epochs 4, 9, 14, ... (the first is 0).
        seed: Seed of the choice of images.
        dirpath: Folder of the pictures, in the run directory.
        scorecard: Number of test images at most whose maps are scored; 0: none.
        faithfulness: Number of these images at most for ROAD, deletion and insertion, which are
            measured if the images have no masks; 0: none.
        budget: Time limit of ROAD, deletion and insertion, as a share of the time since this
            callback was created, greater than 0. ROAD of one image is always measured. None: no
            limit.
        sweep: Whether the run is a job of a sweep, which skips ROAD, deletion and insertion unless
            `budget` is None.

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
        budget: float | None = 0.2,
        sweep: bool = False,
    ) -> None:
        check_method(method)
        counts = {"n": n, "scorecard": scorecard, "faithfulness": faithfulness}
        _check_arguments(counts, every_n_epochs, budget)
        self.method = method
        self.n = n
        self.every_n_epochs = every_n_epochs
        self.seed = seed
        self.dirpath = Path(dirpath)
        self.scorecard = scorecard
        self.faithfulness = faithfulness
        self.budget = budget
        self.sweep = sweep
        self._created = time.monotonic()

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Explain validation images every `every_n_epochs` epochs."""
        epoch = trainer.current_epoch
        fitting = trainer.state.fn is TrainerFn.FITTING and not trainer.sanity_checking
        if fitting and (epoch + 1) % self.every_n_epochs == 0:
            folder = self.dirpath / "val" / f"epoch_{epoch:03d}"
            drawn = self._draw(trainer, pl_module, "val", folder)
            for logger in trainer.loggers:
                log_pictures(logger, drawn, epoch)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Explain test images and score their maps."""
        folder = self.dirpath / "test"
        self._draw(trainer, pl_module, "test", folder)
        if self.scorecard and trainer.is_global_zero:
            self._score(_dataset(trainer, "test"), pl_module, folder)

    def _score(self, dataset: Any, pl_module: pl.LightningModule, folder: Path) -> None:
        """Write scorecard.json and .csv for some test images."""
        chosen = pick(len(dataset), self.scorecard, self.seed)
        log.info("scoring the saliency maps of %d test images", len(chosen))
        card = score_maps(
            cast(Explainable, pl_module),
            randomized(cast(Any, pl_module), self.seed),
            dataset,
            chosen,
            # A terminal shows one progress bar at a time, and the Trainer's may still be there.
            MapOptions(
                self.method, pl_module.device, getattr(pl_module, "threshold", EVEN), bar=False
            ),
            seed=self.seed,
            faithfulness=self._plan(),
            run=self.dirpath.absolute().parent,
        )
        if card.skipped:
            log.info(card.skipped)
        title = scorecard_title(self.method, "test", len(chosen), len(dataset))
        save_rows(folder / "scorecard.json", title, card.note, card.rows)

    def _plan(self) -> FaithfulnessPlan:
        """Limit faithfulness to a share of the time since the callback was created."""
        if self.budget is None:
            return FaithfulnessPlan(self.faithfulness)
        if self.sweep:
            reason = (
                "Faithfulness (ROAD, deletion, insertion) is not measured in the jobs of a sweep."
            )
            return FaithfulnessPlan(self.faithfulness, skipped=reason)
        seconds = self.budget * (time.monotonic() - self._created)
        return FaithfulnessPlan(self.faithfulness, seconds=seconds)

    def _draw(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: Split, folder: Path
    ) -> list[Explanation]:
        """Choose, explain and write images, in the first process only."""
        if self.n == 0 or not trainer.is_global_zero:
            return []
        dataset = _dataset(trainer, split)
        model = cast(Explainable, pl_module)
        chosen = choose(dataset.samples, self.n, self.seed, classes=model.classes)
        drawn = list(
            explain_samples(
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


def _check_arguments(counts: Mapping[str, int], every_n_epochs: int, budget: float | None) -> None:
    """Check the ranges of numeric arguments."""
    for key, count in counts.items():
        if count < 0:
            raise ConfigError(
                f"callbacks.gradcam.{key} is {count}; expected a number of images, 0 or greater."
            )
    if every_n_epochs < 1:
        raise ConfigError(
            f"callbacks.gradcam.every_n_epochs is {every_n_epochs}; expected a number of "
            "epochs, 1 or greater."
        )
    if budget is not None and not budget > 0:
        raise ConfigError(
            f"callbacks.gradcam.budget is {budget}; expected a share of the run's time, "
            "greater than 0, or null for no limit. To skip ROAD, deletion and insertion, pass "
            "callbacks.gradcam.faithfulness=0."
        )


def _dataset(trainer: pl.Trainer, split: Split) -> Any:
    # Lightning does not declare this attribute; it is None for a trainer without a data module.
    datamodule: Any = getattr(trainer, "datamodule", None)
    if datamodule is None:
        raise ConfigError(
            "callbacks.gradcam needs a data module, but the trainer was given data loaders only. "
            "Pass datamodule=... to the trainer, or remove the callback (~callbacks.gradcam)."
        )
    return datamodule.dataset(split)


def log_pictures(logger: Logger, drawn: Sequence[Explanation], epoch: int) -> None:
    """Show pictures in TensorBoard; other loggers are skipped.

    Args:
        logger: Any logger of the trainer.
        drawn: Explanations, shown under gradcam/<folder label>/<file name>.
        epoch: The step at which they are shown.
    """
    if isinstance(logger, TensorBoardLogger):
        for item in drawn:
            tag = f"gradcam/{item.sample.label}/{item.sample.path.name}"
            logger.experiment.add_image(tag, item.picture, epoch, dataformats="HWC")
