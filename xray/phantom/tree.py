"""A whole dataset of phantoms on disk, laid out as an ImageFolder with masks beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from xray.errors import ConfigError, DataError
from xray.phantom.draw import Kind, draw_phantom

if TYPE_CHECKING:
    from xray.types import Split

MANIFEST = "phantoms.json"
# Raised whenever the drawing changes, so that a tree drawn before is not taken for a new one.
DRAWING_VERSION = 1
# Fewer are drawn within about two seconds, and need no progress bar.
_SILENT = 200
# One normal, one of each disease, and as many sick as healthy.
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class _Order:
    """One image to draw."""

    folder: str
    kind: Kind
    patient: int
    view: int

    @property
    def name(self) -> str:
        return f"{self.folder}/{self.kind}/patient{self.patient:04d}_{self.view + 1:02d}.png"


def write_phantom_tree(
    root: Path, *, patients: Mapping[Split, int], views: int, size: int, seed: int
) -> None:
    """Draw a dataset, unless it is there already.

    Writes `root/<split>/{normal,pneumonia,covid}/patient0012_01.png` (8-bit grey), beside them
    `root/masks/{lung,lesion}/<split>/<class>/patient0012_01.png` (0 or 255), and
    `root/phantoms.json` with the numbers it was made from. Of each split's patients half are
    normal, a quarter have pneumonia and a quarter COVID-19, in shuffled order. Patients are
    numbered across the splits, so none is shared. All is written to a sibling folder that is
    renamed when complete: a stopped run leaves no root.

    Args:
        root: Folder to make.
        patients: Patients of each split, at least 4.
        views: Images of one patient, at least 1.
        size: Side of the images in pixels, at least 32.
        seed: Seed of anatomy, disease and order.

    Raises:
        ConfigError: A number is out of range.
        DataError: `root` holds something else than these phantoms, or cannot be written.
    """
    asked = {
        "drawing": DRAWING_VERSION,
        "patients": {str(split): count for split, count in patients.items()},
        "views": views,
        "size": size,
        "seed": seed,
    }
    if _is_complete(root, asked):
        return
    _check(patients, views)
    part = root.parent / f".{root.name}.{uuid4().hex[:8]}.part"
    try:
        part.mkdir(parents=True)
        _write(part, list(_orders(patients, views, seed)), size, seed)
        (part / MANIFEST).write_text(json.dumps(asked, indent=2) + "\n")
        _move(part, root, asked)
    except OSError as error:
        advice = "Free some space there, or point data.root to a folder that you may write."
        raise DataError(f"{root} cannot be written ({error}). {advice}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _is_complete(root: Path, asked: dict[str, object]) -> bool:
    """Whether `root` holds what is asked; raises a DataError where it holds something else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{root} is there but is no phantom dataset (no readable {MANIFEST} in it). "
            "Point data.root to another folder, or to your own images with data=folder."
        ) from error
    if found != asked:
        raise DataError(
            f"{root} holds phantoms drawn from other numbers: {found}; asked: {asked}. "
            "Delete the folder to have it drawn anew, or point data.root to another one."
        )
    return True


def _check(patients: Mapping[Split, int], views: int) -> None:
    if not patients:
        raise ConfigError("data.patients is empty. Name at least one split, such as train: 240.")
    for split, count in patients.items():
        if count < _FEWEST:
            raise ConfigError(
                f"data.patients.{split}={count} is too few. Ask for {_FEWEST} or more, "
                "so that every class has a patient."
            )
    if views < 1:
        raise ConfigError(f"data.views={views} is too few. Ask for 1 or more images of a patient.")


def _orders(patients: Mapping[Split, int], views: int, seed: int) -> Iterator[_Order]:
    first = 0
    for split, count in patients.items():
        sick = count // 2
        covid = sick // 2
        kinds: list[Kind] = ["normal"] * (count - sick)
        kinds.extend(["pneumonia"] * (sick - covid))
        kinds.extend(["covid"] * covid)
        order = np.random.default_rng((seed, first)).permutation(count)
        for offset, index in enumerate(order):
            for view in range(views):
                yield _Order(split, kinds[index], first + offset, view)
        first += count


def _write(part: Path, orders: list[_Order], size: int, seed: int) -> None:
    for folder in {str(Path(order.name).parent) for order in orders}:
        for tree in ("", "masks/lung/", "masks/lesion/"):
            (part / f"{tree}{folder}").mkdir(parents=True)
    quiet = len(orders) <= _SILENT
    for order in track(orders, "Drawing phantoms", disable=quiet, transient=True):
        phantom = draw_phantom(
            order.kind, patient=order.patient, view=order.view, seed=seed, size=size
        )
        _write_png(part / order.name, phantom.image)
        for mask, pixels in (("lung", phantom.lung), ("lesion", phantom.lesion)):
            _write_png(part / "masks" / mask / order.name, pixels.astype(np.uint8) * 255)


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    # cv2.imwrite reports a full disk by its return value alone; Path raises.
    _, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    path.write_bytes(encoded.tobytes())


def _move(part: Path, root: Path, asked: dict[str, object]) -> None:
    try:
        part.replace(root)
    except OSError:
        # Another process may have finished the same tree in the meantime.
        if not _is_complete(root, asked):
            raise
