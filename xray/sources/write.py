"""Images into a tree: copied, linked or resized, verified, and known by their fingerprints."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from xray.data.manifest import Row
from xray.errors import DataError, ImageError
from xray.imaging.dicom_tags import dicom_tags
from xray.imaging.format import SUFFIXES, Format, is_dicom
from xray.imaging.limits import MIN_SIDE
from xray.imaging.read import IMAGE_SUFFIXES, read_image
from xray.integrity.fingerprint import fingerprint
from xray.machine import in_threads
from xray.sources.select import Chosen

# What a folder of images may hold; anything else that is read is written as PNG, and so is DICOM,
# whose header names the patient.
_KEPT = IMAGE_SUFFIXES - SUFFIXES[Format.DICOM]
# Fewer are written within about two seconds, and need no progress bar.
_SILENT = 200


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done with each image.

    Attributes:
        size: Longer side, pixels; None: as it is.
        keep_aspect: Otherwise both sides become `size`.
        upscale: Whether sides shorter than `size` are stretched to it.
        verify: Open each image; else it is copied on trust, and its numbers are not known.
        link: Hard links in place of copies.
    """

    size: int | None = None
    keep_aspect: bool = True
    upscale: bool = False
    verify: bool = True
    link: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """An image that is not in the tree.

    Attributes:
        source: Name of its dataset.
        path: Below the dataset's folder.
        reason: Why, as a clause.
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
    """Write images and their masks, several at a time; yield what became of each, in order.

    Args:
        root: Of the tree.
        chosen: What goes where.
        treatment: What is done with each.
        work: Files below it are ours, on the file system of `root`: they are linked, not copied.
        folders: Source -> the folder that its images lie in.
        workers: Threads; decoding and hashing run beside each other in them.

    Raises:
        DataError: The tree cannot be written.
    """
    for folder in {root / one.place.parent for one in chosen}:
        folder.mkdir(parents=True, exist_ok=True)

    def write(one: Chosen) -> Row | Rejected:
        place = one.item.path
        try:
            return _write(root, one, treatment, is_ours=place.is_relative_to(work))
        except ImageError as error:
            for target in (root / one.place, root / one.place.with_suffix(".png")):
                target.unlink(missing_ok=True)
            return Rejected(one.source, below(folders[one.source], place), error.reason)

    yield from in_threads(write, chosen, "Preparing images", quiet=_SILENT, workers=workers)


def below(folder: Path, path: Path) -> str:
    """Write a path as it stands below a folder; outside of it, its name alone."""
    return (path.relative_to(folder) if path.is_relative_to(folder) else Path(path.name)).as_posix()


def _write(root: Path, one: Chosen, treatment: Treatment, *, is_ours: bool) -> Row:
    source, target = one.item.path, root / one.place
    is_kept = source.suffix.lower() in _KEPT and not is_dicom(source)
    pixels = None if is_kept and treatment.size is None else read_image(source)
    if pixels is None or (is_kept and fit(pixels.shape, treatment) == pixels.shape):
        _copy(source, target, link=treatment.link, is_ours=is_ours)
    else:
        target = target.with_suffix(".png")
        _write_png(target, resize(pixels, fit(pixels.shape, treatment)))
    row = _row(root, target, one, verify=treatment.verify or treatment.size is not None)
    for kind, mask in one.item.masks.items():
        beside = root / "masks" / kind / Path(row.path).with_suffix(mask.suffix)
        beside.parent.mkdir(parents=True, exist_ok=True)
        _copy(mask, beside, link=treatment.link, is_ours=is_ours)
    return row


def _row(root: Path, target: Path, one: Chosen, *, verify: bool) -> Row:
    print_ = fingerprint(target) if verify else None
    return Row(
        path=target.relative_to(root).as_posix(),
        source=one.source,
        label=one.item.label,
        class_name=one.class_name,
        patient=f"{one.source}-{one.item.patient}" if one.item.patient else None,
        view=one.item.view or _view(one.item.path),
        width=print_.width if print_ else None,
        height=print_.height if print_ else None,
        bits=print_.bits if print_ else None,
        sha256=print_.sha256 if print_ else hashlib.sha256(target.read_bytes()).hexdigest(),
        split=one.split,
    )


def _view(source: Path) -> str | None:
    # No patient leaves this function, so that the salt of its pseudonym does not matter.
    return dicom_tags(source, salt="-").view if is_dicom(source) else None


def fit(shape: tuple[int, ...], treatment: Treatment) -> tuple[int, int]:
    """Work out the size that an image gets.

    Args:
        shape: (H, W) as it is.
        treatment: What is asked.

    Returns:
        (H, W), no side shorter than 1.
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
    """Resize (H, W) uint8: areas are averaged where it shrinks, cubic splines where it grows."""
    if size == pixels.shape:
        return pixels
    grows = size[0] > pixels.shape[0] or size[1] > pixels.shape[1]
    interpolation = cv2.INTER_CUBIC if grows else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, size[::-1], interpolation=interpolation), np.uint8)


def _write_png(target: Path, pixels: NDArray[np.uint8]) -> None:
    if min(pixels.shape) < MIN_SIDE:
        reason = f"would have {pixels.shape[1]} x {pixels.shape[0]} pixels, too few on a side"
        raise ImageError(target, reason, "Choose a greater size.")
    target.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def _copy(source: Path, target: Path, *, link: bool, is_ours: bool) -> None:
    """Link or copy a file; one of ours is linked where that can be, which takes no room."""
    if not os.access(source, os.R_OK):
        advice = "Check that you have the permission to read it."
        raise ImageError(source, "cannot be opened", advice)
    if link or is_ours:
        try:
            os.link(source.resolve(), target)
        except OSError as error:
            if link:
                raise DataError(
                    f"{source} cannot be linked to {target.parent} ({error.strerror}). Hard links "
                    "need one file system that has them, and your own files: pass link=false."
                ) from error
        else:
            return
    shutil.copyfile(source, target)
