"""Draw and score the Grad-CAM heatmaps of a finished run."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from rich.console import Console

from xray.data.dataset import SplitDataset
from xray.model.randomize import randomized
from xray.reporting.failures import explain_failures
from xray.reporting.html import write_report
from xray.reporting.terminal import write_rows
from xray.runs import layout
from xray.saliency.baselines import MapOptions
from xray.saliency.gallery import explain_samples, lesion_mask, write_gallery
from xray.saliency.scorecard import FaithfulnessPlan, score_maps, scorecard_title
from xray.saliency.selection import choose
from xray.session.session import Session
from xray.types import Split


@dataclass(frozen=True)
class Gallery:
    """Grad-CAM overlays of a run's images, and scores of the heatmaps.

    Args:
        split: The split.
        method: A key of `xray.saliency.methods.METHODS`.
        n: Number of images.
        only: A class or folder name; None: all.
        target: The class that is explained: "predicted", "truth" or a class name.
        scorecard: Whether the heatmaps of all images are scored.
        faithfulness: Whether ROAD, deletion and insertion are part of the scores; "auto": if there
            are no masks.
        faithfulness_n: Number of images for these.
        seed: Seed of the choice of images and of random weights.
    """

    split: Split = "test"
    method: str = "gradcam"
    n: int = 16
    only: str | None = None
    target: str = "predicted"
    scorecard: bool = False
    faithfulness: bool | Literal["auto"] = "auto"
    faithfulness_n: int = 32
    seed: int = 0

    def run(self, session: Session, console: Console) -> Path:
        """Write the overlays, the scores and the report into the run directory.

        Returns:
            The folder of the overlays.

        Raises:
            ConfigError: The method or the target is unknown.
            DataError: No image is of the class or folder `only`.
        """
        # A few overlays do not justify reading the whole split.
        dataset = session.dataset(self.split, fill=self.scorecard)
        model, run, device = session.model.to(session.device), session.path, session.device
        folder = self._draw(session, dataset, console)
        errors = explain_failures(
            run, self.split, model, dataset, method=self.method, device=device
        )
        if errors:
            place = run / layout.failures(self.split)
            console.print(f"{errors} confident errors: {place}", soft_wrap=True)
        if self.scorecard:
            self._score(session, dataset, folder / layout.SCORECARD, console)
        console.print(f"report: {write_report(run)}", soft_wrap=True)
        return folder

    def _draw(self, session: Session, dataset: SplitDataset, console: Console) -> Path:
        classes = session.model.classes
        chosen = choose(dataset.samples, self.n, self.seed, classes=classes, only=self.only)
        drawn = explain_samples(
            session.model,
            dataset.samples,
            dataset.pixels,
            chosen,
            method=self.method,
            target=self.target,
            device=session.device,
            mask=partial(lesion_mask, root=dataset.root),
            threshold=session.files.threshold,
        )
        folder = write_gallery(session.path / layout.gallery(self.split), drawn, len(chosen))
        console.print(f"{len(chosen)} overlays: {folder}", soft_wrap=True)
        return folder

    def _score(self, session: Session, dataset: SplitDataset, file: Path, console: Console) -> None:
        n = len(dataset)
        plan = FaithfulnessPlan(
            self.faithfulness_n if self.faithfulness else 0, with_masks=self.faithfulness is True
        )
        card = score_maps(
            session.model,
            randomized(session.model, self.seed),
            dataset,
            range(n),
            MapOptions(self.method, session.device, session.files.threshold),
            seed=self.seed,
            faithfulness=plan,
        )
        title = scorecard_title(self.method, self.split, n, n)
        write_rows(file, title, card.note, card.rows, console)
