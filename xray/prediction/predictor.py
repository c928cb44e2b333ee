"""Predict images with a restored network."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xray.machine import core_count
from xray.model.operating_point import OperatingPoint
from xray.prediction.prediction import Prediction
from xray.prediction.reader import ImageBatch, Paths, Reader, load_batches, make_batch
from xray.runs.predictions import calibrate
from xray.stats.scores import BINARY, predict_classes


class Predictor:
    """Predicts images in the way `xray.evaluate` does: same transform, precision and decisions.

    Args:
        model: Maps (B, 1, H, W) uint8 to logits (B, K), in evaluation mode on `device`.
        classes: K class names.
        reader: Reads and transforms an image.
        point: Temperature and threshold.
        context: Makes the autocast context of the run's precision.
        device: The device of the model.
        batch_size: Images per batch.
    """

    def __init__(
        self,
        model: nn.Module,
        classes: Sequence[str],
        reader: Reader,
        point: OperatingPoint,
        *,
        context: Callable[[], AbstractContextManager[Any]],
        device: torch.device,
        batch_size: int = 32,
    ) -> None:
        self.model = model
        self.classes = tuple(classes)
        self.reader = reader
        self.point = point
        self.device = device
        self.context = context
        self._batch_size = batch_size

    @property
    def threshold(self) -> float | None:
        """Threshold on the calibrated probabilities; None with more than two classes."""
        if len(self.classes) != BINARY:
            return None
        threshold = self.point.calibrated_threshold
        return 0.5 if threshold is None else threshold

    def predict_file(self, path: Path) -> Prediction:
        """Predict one image file.

        Raises:
            ImageError: The file cannot be read.
        """
        record = self.reader.load(path)
        return self._finish(make_batch([record], self.reader.transform.size))[0]

    def predict_array(self, image: NDArray[np.uint8]) -> Prediction:
        """Predict one image, (H, W) uint8 in [0, 255]."""
        record = self.reader.prepare(image)
        return self._finish(make_batch([record], self.reader.transform.size))[0]

    def stream(self, paths: Paths, total: int) -> Iterator[Prediction]:
        """Predict image files in order, while loader processes read the next ones.

        A file that cannot be read is a prediction with an error.

        Args:
            paths: Lists the files.
            total: Their number, which decides on the number of loader processes.
        """
        workers = self._workers(total)
        batches = load_batches(paths, self.reader, batch_size=self._batch_size, workers=workers)
        pending: tuple[ImageBatch, Tensor] | None = None
        for batch in batches:
            # A GPU computes this batch while the results of the previous one are used.
            started = batch, self._compute(batch.images)
            if pending is not None:
                yield from self._predictions(*pending)
            pending = started
        if pending is not None:
            yield from self._predictions(*pending)

    def _workers(self, total: int) -> int:
        """Choose the number of loader processes.

        Decoding takes a small share of the time that a CPU needs for the network, so there one
        process per four cores suffices; a GPU is served by all cores.
        """
        if total <= self._batch_size:
            return 0
        cores = core_count()
        most = -(-total // self._batch_size)
        return min(most, max(1, cores // 4) if self.device.type == "cpu" else cores)

    def _finish(self, batch: ImageBatch) -> list[Prediction]:
        return self._predictions(batch, self._compute(batch.images))

    def _compute(self, images: Tensor) -> Tensor:
        """Compute (N, K) float32 probabilities without temperature; a GPU still works on them."""
        if not len(images):
            return torch.empty(0, len(self.classes))
        with torch.inference_mode(), self.context():
            logits: Tensor = self.model(images.to(self.device, non_blocking=True))
            return logits.float().softmax(dim=1)

    def _predictions(self, batch: ImageBatch, computed: Tensor) -> list[Prediction]:
        raw = computed.double().cpu().numpy()
        predicted = iter(predict_classes(raw, self.point.threshold).tolist())
        calibrated = iter(calibrate(raw, self.point.temperature).tolist())
        found = []
        for record in batch.records:
            readable = record.error is None
            shares = dict(zip(self.classes, next(calibrated), strict=True)) if readable else {}
            found.append(
                Prediction(
                    path=record.path,
                    label=self.classes[next(predicted)] if readable else None,
                    probabilities=shares,
                    threshold=self.threshold,
                    size=record.size,
                    warnings=record.warnings,
                    error=record.error,
                )
            )
        return found
