"""Write a dataset of phantoms as class folders, with masks."""

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
# Raise whenever the drawing changes, so that older datasets are not mixed with new ones.
DRAWING_VERSION = 1
# Fewer images are drawn within about two seconds and need no progress bar.
_SILENT = 200
# One patient of each disease, and as many normal patients as diseased ones.
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
    """Draw a dataset, unless `root` already contains it.

    Writes `root/<split>/{normal,pneumonia,covid}/patient0012_01.png` (8-bit gray),
    `root/masks/{lung,lesion}/<split>/<class>/patient0012_01.png` (0 or 255), and
    `root/phantoms.json` with the arguments. Half of the patients of each split are normal, a
    quarter have pneumonia and a quarter COVID-19, in shuffled order. Patients are numbered across
    the splits, so that no patient is in two splits. Files are written to a temporary sibling folder
    that is renamed when it is complete: an interrupted run leaves nothing behind.

    Args:
        root: Folder of the dataset.
        patients: Number of patients in each split, at least 4.
        views: Images per patient, at least 1.
        size: Side of the images in pixels, at least 32.
        seed: Seed of anatomy, disease and order.

    Raises:
        ConfigError: An argument is out of range.
        DataError: `root` contains other files, or cannot be written.
    """
    arguments = {
        "drawing": DRAWING_VERSION,
        "patients": {str(split): count for split, count in patients.items()},
        "views": views,
        "size": size,
        "seed": seed,
    }
    if _is_complete(root, arguments):
        return
    _check(patients, views)
    _write_tree(root, list(_orders(patients, views, seed)), arguments, size, seed)


def _write_tree(
    root: Path, orders: list[_Order], arguments: dict[str, object], size: int, seed: int
) -> None:
    part = root.parent / f".{root.name}.{uuid4().hex[:8]}.part"
    try:
        part.mkdir(parents=True)
        _write(part, orders, size, seed)
        (part / MANIFEST).write_text(json.dumps(arguments, indent=2) + "\n")
        _move(part, root, arguments)
    except OSError as error:
        advice = "Free disk space, or choose a folder with write permission."
        raise DataError(f"{root} cannot be written ({error}). {advice}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _is_complete(root: Path, arguments: dict[str, object]) -> bool:
    """Check whether `root` contains the phantoms of these arguments.

    Raises:
        DataError: It contains other files, or other phantoms.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{root} exists and is not a phantom dataset (no readable {MANIFEST}). To train on "
            "your own images, use data=folder; to draw phantoms, choose another folder."
        ) from error
    if found != arguments:
        raise DataError(
            f"{root} contains phantoms with other settings: {found}, expected {arguments}. "
            "Delete the folder to draw it again, or choose another folder."
        )
    return True


def _check(patients: Mapping[Split, int], views: int) -> None:
    if not patients:
        raise ConfigError("data.patients is empty. Set a split, such as data.patients.train=240.")
    for split, count in patients.items():
        if count < _FEWEST:
            raise ConfigError(
                f"data.patients.{split}={count} is too few. Set {_FEWEST} or more, "
                "so that every class has a patient."
            )
    if views < 1:
        raise ConfigError(f"data.views={views} is too few. Set 1 or more images per patient.")


def _orders(patients: Mapping[Split, int], views: int, seed: int) -> Iterator[_Order]:
    first = 0
    for split, count in patients.items():
        diseased = count // 2
        covid = diseased // 2
        kinds: list[Kind] = ["normal"] * (count - diseased)
        kinds.extend(["pneumonia"] * (diseased - covid))
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
    # cv2.imwrite reports a full disk only by its return value; Path raises an error.
    _, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    path.write_bytes(encoded.tobytes())


def _move(part: Path, root: Path, arguments: dict[str, object]) -> None:
    try:
        part.replace(root)
    except OSError:
        # Another process may have written the same dataset in the meantime.
        if not _is_complete(root, arguments):
            raise
