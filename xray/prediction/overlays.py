"""Grad-CAM overlays of predicted images."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from xray.errors import ConfigError
from xray.files import replacing
from xray.imaging.read import load_image
from xray.prediction.geometry import to_image
from xray.prediction.predictor import Predictor
from xray.saliency.gradcam import explain
from xray.saliency.overlay import overlay

BATCH = 8
_SIDE = 1024
_STEM = 60


class Request(NamedTuple):
    """An image to explain.

    Attributes:
        row: Its position in the table of predictions, from 0.
        path: The file.
        label: The class to explain.
    """

    row: int
    path: Path
    label: str


def heatmaps(
    predictor: Predictor,
    images: Sequence[NDArray[np.uint8]],
    labels: Sequence[str],
    method: str = "gradcam",
) -> list[NDArray[np.float32]]:
    """Compute one heatmap per image, of the image's size.

    Args:
        predictor: The predictor.
        images: (H, W) uint8 each.
        labels: The class to explain of each image.
        method: A key of `xray.saliency.methods.METHODS`.

    Returns:
        (H, W) float32 in [0, 1] each.

    Raises:
        ConfigError: A class or the method is unknown, or the model has no layer to explain.
    """
    unknown = [label for label in labels if label not in predictor.classes]
    if unknown:
        names = ", ".join(predictor.classes)
        raise ConfigError(f"{unknown[0]!r} is not a class of the model; expected one of {names}.")
    transform = predictor.reader.transform
    batch = torch.stack([transform(image) for image in images])
    targets = [predictor.classes.index(label) for label in labels]
    maps = explain(predictor.model, batch, classes=targets, method=method)
    return [
        to_image(heat, transform, (image.shape[0], image.shape[1]))
        for heat, image in zip(maps, images, strict=True)
    ]


def write_overlays(
    folder: Path, predictor: Predictor, requests: Iterator[Request]
) -> Iterator[tuple[Request, Path]]:
    """Write one overlay per image; files that exist are not written again.

    Args:
        folder: Receives `<row>_<name>.png`, at most 1024 pixels wide and high.
        predictor: The predictor.
        requests: The images.

    Yields:
        Each request and its file, as soon as it is written.
    """
    while chunk := list(islice(requests, BATCH)):
        files = [folder / _name(request) for request in chunk]
        new = [i for i, file in enumerate(files) if not file.is_file()]
        if new:
            images = [load_image(chunk[i].path).pixels for i in new]
            maps = heatmaps(predictor, images, [chunk[i].label for i in new])
            for i, image, heat in zip(new, images, maps, strict=True):
                _save(files[i], image, heat)
        yield from zip(chunk, files, strict=True)


def _name(request: Request) -> str:
    stem = re.sub(r"[^\w.-]+", "_", request.path.stem)[:_STEM]
    return f"{request.row:06d}_{stem}.png"


def _save(file: Path, image: NDArray[np.uint8], heat: NDArray[np.float32]) -> None:
    factor = min(1.0, _SIDE / max(image.shape))
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    with replacing(file) as part:
        picture = overlay(small, np.asarray(cv2.resize(heat, size), np.float32))
        Image.fromarray(picture).save(part, "PNG")
