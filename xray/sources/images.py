"""Write images to a folder: copied, linked or resized, and verified."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from xray.data.manifest_row import Row
from xray.errors import DataError, ImageError
from xray.imaging.dicom_tags import dicom_tags
from xray.imaging.format import SUFFIXES, Format, is_dicom
from xray.imaging.limits import MIN_SIDE
from xray.imaging.read import IMAGE_SUFFIXES, read_image
from xray.integrity.fingerprint import fingerprint
from xray.machine import in_threads
from xray.sources.select import Chosen

# Formats that are copied. Other images are written as PNG, and so is DICOM, whose header contains
# the name of the patient.
_COPIED = IMAGE_SUFFIXES - SUFFIXES[Format.DICOM]
# Fewer images take about two seconds and need no progress bar.
_SILENT = 200


@dataclass(frozen=True, slots=True)
class Treatment:
    """How each image is written.

    Attributes:
        size: Longer side, pixels; None: unchanged.
        keep_aspect: Whether the aspect ratio is kept; otherwise both sides become `size`.
        upscale: Whether images smaller than `size` are enlarged.
        verify: Whether each image is opened. Otherwise its size and bit depth are unknown.
        link: Whether hard links are made instead of copies.
    """

    size: int | None = None
    keep_aspect: bool = True
    upscale: bool = False
    verify: bool = True
    link: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """An image that cannot be used.

    Attributes:
        source: Name of its dataset.
        path: Path below the folder of the dataset.
        reason: Reason, as a clause ("is empty").
    """

    source: str
    path: str
    reason: str


def write_images(
    root: Path,
    chosen: Sequence[Chosen],
    treatment: Treatment,
    *,
    work: Path,
    folders: dict[str, Path],
    workers: int,
) -> Iterator[Row | Rejected]:
    """Write images and their masks in several threads.

    Args:
        root: Folder of the prepared dataset.
        chosen: N images.
        treatment: How each is written.
        work: Folder of temporary files on the file system of `root`, which are linked instead of
            copied.
        folders: Source -> folder of its images.
        workers: Number of threads.

    Yields:
        N rows of the manifest, or reasons for the rejection, in order.

    Raises:
        DataError: A hard link cannot be made.
    """
    for folder in {root / one.place.parent for one in chosen}:
        folder.mkdir(parents=True, exist_ok=True)

    def write(one: Chosen) -> Row | Rejected:
        place = one.item.path
        try:
            return _write(root, one, treatment, is_temporary=place.is_relative_to(work))
        except ImageError as error:
            for target in (root / one.place, root / one.place.with_suffix(".png")):
                target.unlink(missing_ok=True)
            return Rejected(one.source, below(folders[one.source], place), error.reason)

    yield from in_threads(write, chosen, "Preparing images", quiet=_SILENT, workers=workers)


def below(folder: Path, path: Path) -> str:
    """Return a path relative to a folder; only the file name if it is not below it."""
    return (path.relative_to(folder) if path.is_relative_to(folder) else Path(path.name)).as_posix()


def _write(root: Path, one: Chosen, treatment: Treatment, *, is_temporary: bool) -> Row:
    source, target = one.item.path, root / one.place
    is_kept = source.suffix.lower() in _COPIED and not is_dicom(source)
    pixels = None if is_kept and treatment.size is None else read_image(source)
    if pixels is None or (is_kept and fit(pixels.shape, treatment) == pixels.shape):
        _copy(source, target, link=treatment.link, is_temporary=is_temporary)
    else:
        target = target.with_suffix(".png")
        _write_png(target, resize(pixels, fit(pixels.shape, treatment)))
    row = _row(root, target, one, verify=treatment.verify or treatment.size is not None)
    for kind, mask in one.item.masks.items():
        beside = root / "masks" / kind / Path(row.path).with_suffix(mask.suffix)
        beside.parent.mkdir(parents=True, exist_ok=True)
        _copy(mask, beside, link=treatment.link, is_temporary=is_temporary)
    return row


def _row(root: Path, target: Path, one: Chosen, *, verify: bool) -> Row:
    known = fingerprint(target) if verify else None
    return Row(
        path=target.relative_to(root).as_posix(),
        source=one.source,
        label=one.item.label,
        class_name=one.class_name,
        patient=f"{one.source}-{one.item.patient}" if one.item.patient else None,
        view=one.item.view or _view(one.item.path),
        width=known.width if known else None,
        height=known.height if known else None,
        bits=known.bits if known else None,
        sha256=known.sha256 if known else hashlib.sha256(target.read_bytes()).hexdigest(),
        split=one.split,
    )


def _view(source: Path) -> str | None:
    # Only the view is used; the pseudonym of the patient, which the salt protects, is not.
    return dicom_tags(source, salt="-").view if is_dicom(source) else None


def fit(shape: tuple[int, ...], treatment: Treatment) -> tuple[int, int]:
    """Compute the size of a resized image.

    Args:
        shape: (H, W) of the original, pixels.
        treatment: How the image is written.

    Returns:
        (H, W), pixels; each at least 1.
    """
    height, width = shape
    if treatment.size is None:
        return height, width
    if not treatment.keep_aspect:
        sides = [treatment.size if treatment.upscale else min(treatment.size, s) for s in shape]
        return sides[0], sides[1]
    scale = treatment.size / max(height, width)
    if scale > 1 and not treatment.upscale:
        return height, width
    return max(1, round(height * scale)), max(1, round(width * scale))


def resize(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an (H, W) uint8 image, by area averages to reduce and cubic splines to enlarge."""
    if size == pixels.shape:
        return pixels
    grows = size[0] > pixels.shape[0] or size[1] > pixels.shape[1]
    interpolation = cv2.INTER_CUBIC if grows else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, size[::-1], interpolation=interpolation), np.uint8)


def _write_png(target: Path, pixels: NDArray[np.uint8]) -> None:
    if min(pixels.shape) < MIN_SIDE:
        height, width = pixels.shape
        reason = f"would have {width} x {height} pixels, fewer than {MIN_SIDE} on a side"
        raise ImageError(target, reason, "Pass a larger size=.")
    target.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def _copy(source: Path, target: Path, *, link: bool, is_temporary: bool) -> None:
    """Link or copy a file; temporary files are linked if possible, which takes no space."""
    if not os.access(source, os.R_OK):
        advice = "Check its permissions."
        raise ImageError(source, "cannot be opened", advice)
    if link or is_temporary:
        try:
            os.link(source.resolve(), target)
        except OSError as error:
            if link:
                raise DataError(
                    f"{source} cannot be linked to {target.parent} ({error.strerror}). Hard links "
                    "require the same file system, and files that you own. Pass link=false."
                ) from error
        else:
            return
    shutil.copyfile(source, target)
