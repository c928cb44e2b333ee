import csv
from pathlib import Path

import pytest

from xray.cli.moved_images import locate_images
from xray.errors import RunError

NAMES = [f"{label}/{i}.png" for label in ("NORMAL", "PNEUMONIA") for i in range(2)]


def write_predictions(run: Path, split: str, root: str) -> None:
    path = run / "predictions" / f"{split}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path"])
        writer.writerows([f"{root}/{split}/{name}"] for name in NAMES)


def make_images(root: Path) -> Path:
    for name in [f"{split}/{name}" for split in ("val", "test") for name in NAMES]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_a_split_that_was_predicted_after_the_move(tmp_path):
    here = make_images(tmp_path / "here")
    write_predictions(tmp_path / "run", "val", "/before/images")
    write_predictions(tmp_path / "run", "test", str(here))
    assert locate_images(tmp_path / "run", here) == here


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_missing_image_is_named(tmp_path, split):
    here = make_images(tmp_path / "here")
    for name in ("val", "test"):
        write_predictions(tmp_path / "run", name, "/before/images")
    (here / split / "NORMAL" / "1.png").unlink()
    with pytest.raises(RunError, match=r"NORMAL/1\.png is missing.*images=<folder>"):
        locate_images(tmp_path / "run", here)
