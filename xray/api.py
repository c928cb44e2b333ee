"""The public interface of xray: open a finished run, predict images and explain predictions."""

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from xray.config import prepare_environment
from xray.data.datamodule import XrayDataModule
from xray.errors import DataError
from xray.imaging.read import load_image
from xray.model.classifier import XrayClassifier
from xray.prediction.inputs import distinct
from xray.prediction.listing import LIST, TABLES, list_images
from xray.prediction.overlays import heatmaps
from xray.prediction.prediction import Prediction
from xray.prediction.predictor import Predictor
from xray.runs.find import find_run
from xray.saliency.gradcam import explain
from xray.saliency.overlay import overlay
from xray.session.prediction import make_predictor
from xray.session.session import Session

__all__ = ["Run", "explain", "load_run"]

Image = str | Path | NDArray[np.uint8]
"""An image file, or an (H, W) uint8 array."""

_GPUS: Mapping[str, int | Literal["auto"]] = {"auto": "auto", "cpu": 0, "cuda": 1}


def load_run(
    path: str | Path = "latest",
    *,
    images: str | Path | None = None,
    trust: bool = False,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    outputs: str | Path | None = None,
) -> "Run":
    """Open a finished run.

    Args:
        path: A run directory, or "latest" for the newest finished run below `outputs`.
        images: The folder that contains the images of the run now, if they were moved.
        trust: Whether classes from outside xray may be imported. They execute their own code: pass
            True only for runs of a known origin.
        device: "auto" uses a GPU if there is one.
        outputs: The folder that contains train/ and multirun/; by default "outputs" in the
            directory XRAY_ROOT, which is the checkout or the working directory.

    Raises:
        RunError: There is no such run, or it is incomplete.

    Examples:
        >>> run = xray.load_run(directory)
        >>> run.classes
        ('normal', 'pneumonia')
        >>> run.predict(image).label in run.classes
        True
    """
    prepare_environment()
    folder = Path(os.environ["XRAY_ROOT"]) / "outputs" if outputs is None else Path(outputs)
    return Run(find_run(folder, path), images=images, trust=trust, device=device)


class Run:
    """A finished run: its results, its network and its predictions.

    The network and the data are loaded when they are first needed.

    Args:
        path: The run directory.
        images: See `load_run`.
        trust: See `load_run`.
        device: See `load_run`.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        images: str | Path | None = None,
        trust: bool = False,
        device: Literal["auto", "cpu", "cuda"] = "auto",
    ) -> None:
        self.path = Path(path)
        self._session = partial(
            Session,
            self.path,
            images=None if images is None else Path(images),
            trust=trust,
            gpus=_GPUS[device],
        )

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @cached_property
    def session(self) -> Session:
        """The data, the model and the Trainer of the run."""
        return self._session()

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Metrics by split, as in metrics.json: `run.metrics["test"]["auroc"]["value"]`."""
        return self.session.files.metrics

    @property
    def data(self) -> XrayDataModule:
        """The data module; no image is read before `setup`."""
        return self.session.data

    @property
    def model(self) -> XrayClassifier:
        """The best model, in evaluation mode."""
        return self.session.model

    @property
    def classes(self) -> tuple[str, ...]:
        """K class names, in the order of the network's outputs."""
        return self._predictor.classes

    @property
    def threshold(self) -> float | None:
        """Threshold on the calibrated probabilities; None with more than two classes."""
        return self._predictor.threshold

    @property
    def temperature(self) -> float | None:
        """Temperature that divides the logits; None if validation determined none."""
        return self._predictor.point.temperature

    @cached_property
    def _predictor(self) -> Predictor:
        return make_predictor(self.session)

    @overload
    def predict(self, images: str | Path | NDArray[np.uint8]) -> Any: ...
    @overload
    def predict(self, images: Iterable[Image]) -> Iterator[Prediction]: ...

    def predict(self, images: Image | Iterable[Image]) -> Prediction | Iterator[Prediction]:
        """Predict one image or many.

        Args:
            images: An image file or an (H, W) uint8 array; or a folder, a list of paths (.txt), a
                table with a column "path" (.csv), or an iterable of files and arrays.

        Returns:
            One prediction for a file or an array. Otherwise an iterator of predictions, which is
            computed in batches as it is consumed; a file that cannot be read is a prediction with
            `error` and without a label.

        Raises:
            ImageError: The only image cannot be read.
            DataError: The file or folder does not exist, or an array has another shape or type.
        """
        if isinstance(images, np.ndarray):
            return self._predictor.predict_array(_checked(images))
        if not isinstance(images, str | Path):
            return self._predict_each(images)
        path = Path(images)
        if path.is_dir() or path.suffix.lower() in (LIST, *TABLES):
            paths = list(distinct(list_images(path)))
            return self._predictor.stream(partial(iter, paths), len(paths))
        return self._predictor.predict_file(path)

    def _predict_each(self, images: Iterable[Image]) -> Iterator[Prediction]:
        for image in images:
            if isinstance(image, np.ndarray):
                yield self._predictor.predict_array(_checked(image))
            else:
                yield from self._predictor.stream(partial(iter, [Path(image)]), 1)

    def heatmap(
        self, image: Image, label: str | None = None, *, method: str = "gradcam"
    ) -> NDArray[np.float32]:
        """Compute the heatmap of an image.

        Args:
            image: An image file, or an (H, W) uint8 array.
            label: The class that is explained; None: the predicted class.
            method: "gradcam" or another key of `xray.saliency.methods.METHODS`.

        Returns:
            (H, W) float32 in [0, 1], of the size of the image.

        Raises:
            ImageError: The file cannot be read.
            ConfigError: The class or the method is unknown.

        Examples:
            >>> heatmap = xray.load_run(directory).heatmap(image)
            >>> heatmap.shape, heatmap.dtype.name
            ((40, 40), 'float32')
        """
        pixels = _pixels(image)
        label = str(self._predictor.predict_array(pixels).label) if label is None else label
        return heatmaps(self._predictor, [pixels], [label], method)[0]

    def overlay(
        self, image: Image, label: str | None = None, *, method: str = "gradcam"
    ) -> NDArray[np.uint8]:
        """Draw the heatmap over the image.

        Args:
            image: See `heatmap`.
            label: See `heatmap`.
            method: See `heatmap`.

        Returns:
            (H, W, 3) uint8, RGB.
        """
        return overlay(_pixels(image), self.heatmap(image, label, method=method))


def _pixels(image: Image) -> NDArray[np.uint8]:
    return _checked(image) if isinstance(image, np.ndarray) else load_image(image).pixels


def _checked(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.ndim != 2 or image.dtype != np.uint8:  # noqa: PLR2004
        raise DataError(
            f"The array has shape {image.shape} and type {image.dtype}; expected (H, W) uint8 in "
            "[0, 255]. Convert color images to grayscale, and scale other types to [0, 255]."
        )
    return image
