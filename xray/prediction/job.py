"""Predict all images of a source into a folder; a killed process can continue."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from rich.console import Console

from xray.errors import DataError, RunError
from xray.files import write_json
from xray.prediction.inputs import inputs_from, read_inputs, write_inputs
from xray.prediction.listing import list_images
from xray.prediction.overlays import Request, write_overlays
from xray.prediction.page import MAX_PICTURES, write_page
from xray.prediction.predictor import Predictor
from xray.prediction.progress import follow
from xray.prediction.summary import Summary, choose_overlays, summarize
from xray.prediction.table import PredictionTable

TABLE, INPUTS, RECORD, PAGE = "predictions.csv", "inputs.csv", "predict.json", "predictions.html"
OVERLAYS = "overlays"


@dataclass(frozen=True)
class PredictionJob:
    """Predictions of one source.

    The folder contains predictions.csv, predictions.html, overlays/ and what is needed to continue:
    inputs.csv (the list of images) and predict.json (the settings). None of them contains anything
    from the header of a DICOM file.

    Args:
        source: An image, a folder, a list or a table, see `xray.prediction.listing`.
        output: The folder.
        predictor: The predictor.
        settings: Plain values that the predictions depend on; they must be the same to continue.
    """

    source: Path
    output: Path
    predictor: Predictor
    settings: Mapping[str, Any]

    def run(self, overlays: int | Literal["all", "none"], console: Console) -> Summary:
        """Predict the images that are not yet predicted, then draw overlays and write the page.

        Args:
            overlays: See `xray.prediction.summary.choose_overlays`.
            console: The terminal.

        Raises:
            DataError: The source does not exist or contains no image.
            RunError: The folder belongs to other predictions or is in use, or cannot be written.
        """
        self.output.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.output / ".lock", timeout=0):
                total = self._prepare()
                table = self._predict(total, console)
                summary = summarize(table.read(), self.predictor.classes)
                pictures = self._explain(table, overlays, summary, console)
                facts = self._facts()
                write_page(self.output / PAGE, summary, facts, pictures, self.source)
        except Timeout as error:
            raise RunError(
                f"output={self.output} is used by another process. Wait for it, or pass another "
                "output=<folder>."
            ) from error
        return summary

    def _prepare(self) -> int:
        """List the images and compare the settings with those of an earlier start."""
        record, inputs = self.output / RECORD, self.output / INPUTS
        if not record.is_file() and (self.output / TABLE).exists():
            raise RunError(
                f"output={self.output} contains a {TABLE} without {RECORD}, so it cannot be "
                "continued. Pass another output=<folder>."
            )
        listed = inputs if not record.is_file() else inputs.with_name(".inputs_now.csv")
        count, digest = write_inputs(listed, list_images(self.source, exclude=self.output))
        if listed != inputs:
            listed.unlink()
        if not count:
            raise DataError(
                f"input={self.source} contains no image. Expected PNG, JPEG or DICOM files."
            )
        found = {"input": str(self.source), "images": count, "images_sha256": digest}
        wanted = {**found, **json.loads(json.dumps(self.settings))}
        if record.is_file():
            self._compare(record, wanted)
        else:
            write_json(record, wanted)
        return count

    def _compare(self, record: Path, wanted: Mapping[str, Any]) -> None:
        try:
            before = json.loads(record.read_text(encoding="utf-8", errors="surrogateescape"))
        except (OSError, ValueError) as error:
            raise RunError(f"{record} cannot be read: {error}. Pass another output.") from error
        changed = [key for key in wanted if before.get(key) != wanted[key]]
        if changed:
            differences = "; ".join(f"{k}: {before.get(k)} then, {wanted[k]} now" for k in changed)
            raise RunError(
                f"output={self.output} contains predictions with other settings ({differences}). "
                "Pass another output=<folder>, or remove that folder."
            )

    def _predict(self, total: int, console: Console) -> PredictionTable:
        inputs = self.output / INPUTS
        table = PredictionTable(self.output / TABLE, self.predictor.classes)
        done = table.recover(read_inputs(inputs))
        if done:
            text = f"continuing: {done:,} of {total:,} images are already predicted"
            console.print(text, highlight=False)
        left = total - done
        if left or not table.path.is_file():
            predictions = self.predictor.stream(inputs_from(inputs, done), left)
            with table:
                for prediction in follow(predictions, "Predicting", total=left, console=console):
                    table.append(prediction)
        return table

    def _explain(
        self,
        table: PredictionTable,
        overlays: int | Literal["all", "none"],
        summary: Summary,
        console: Console,
    ) -> list[tuple[Request, Path]]:
        requests = choose_overlays(table.read(), overlays, self.predictor.classes)
        readable = summary.predicted.total()
        total = min(readable, overlays) if isinstance(overlays, int) else readable
        if overlays == "none" or not total:
            return []
        written = write_overlays(self.output / OVERLAYS, self.predictor, requests)
        pictures: list[tuple[Request, Path]] = []
        for item in follow(written, "Explaining", total=total, console=console):
            if len(pictures) < MAX_PICTURES:
                pictures.append(item)
        return pictures

    def _facts(self) -> dict[str, str]:
        point, threshold = self.predictor.point, self.predictor.threshold
        facts = {"input": str(self.source), "run": str(self.settings.get("run", "-"))}
        if threshold is not None:
            second = self.predictor.classes[1]
            facts["threshold"] = f"{second} if its probability is greater than {threshold:.4f}"
        temperature = point.temperature
        text = "none" if temperature is None else f"{temperature:.4f}"
        return {**facts, "temperature": text, "table": TABLE}
