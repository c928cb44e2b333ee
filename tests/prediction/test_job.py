"""A whole source is predicted into a folder, also by a process that is killed."""

import csv
import multiprocessing
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from made_images import write_image
from rich.console import Console
from small_predictor import make_predictor

from xray.errors import DataError, RunError
from xray.prediction.job import PredictionJob

SETTINGS = {"run": "/run", "threshold": 0.5}


def job(source, output, *, settings=SETTINGS, **options):
    return PredictionJob(source, output, make_predictor(**options), settings)


def run(source, output, overlays="none", **options):
    return job(source, output, **options).run(overlays, Console(quiet=True))


def rows(output):
    with (output / "predictions.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of 12 images that become brighter, and an unreadable file."""
    folder = tmp_path / "images"
    for i in range(12):
        write_image(folder / f"{i % 2}" / f"{i:02d}.png", level=30 + 18 * i, seed=i)
    (folder / "broken.png").write_bytes(b"no")
    return folder


def test_files_of_a_finished_job(tmp_path, images):
    output = tmp_path / "out"
    summary = run(images, output, 3)
    assert (summary.images, summary.errors) == (13, 1)
    assert sum(summary.predicted.values()) == 12
    found = rows(output)
    assert [row["path"] for row in found] == sorted(map(str, images.rglob("*.png")))
    # The images with the highest probability of pneumonia are explained.
    brightest = sorted(found, key=lambda row: -float(row["p_pneumonia"] or 0))[:3]
    names = {path.name.partition("_")[2] for path in (output / "overlays").iterdir()}
    assert names == {Path(row["path"]).name for row in brightest}
    page = (output / "predictions.html").read_text()
    assert "13 images" in page
    assert "1 unreadable" in page
    assert page.count("data:image/jpeg") == 3
    assert "broken.png" in page
    assert "http" not in page


def test_all_overlays_and_none(tmp_path, images):
    run(images, tmp_path / "a", "all")
    assert len(list((tmp_path / "a" / "overlays").iterdir())) == 12
    run(images, tmp_path / "b", 0)
    assert not (tmp_path / "b" / "overlays").exists()


def test_a_finished_job_is_not_repeated(tmp_path, images, monkeypatch):
    run(images, tmp_path / "out")
    before = (tmp_path / "out" / "predictions.csv").read_bytes()
    monkeypatch.setattr(
        "xray.prediction.predictor.Predictor.stream",
        lambda *args: pytest.fail("images were predicted again"),
    )
    run(images, tmp_path / "out")
    assert (tmp_path / "out" / "predictions.csv").read_bytes() == before


def test_output_inside_the_input_is_not_an_input(tmp_path, images):
    run(images, images / "out", "all")
    assert run(images, images / "out", "all").images == 13


@pytest.mark.parametrize(
    ("change", "key"),
    [({"threshold": 0.7}, "threshold: 0.5 then, 0.7 now"), ({"run": "/other"}, "run: /run then")],
)
def test_other_settings_are_refused(tmp_path, images, change, key):
    run(images, tmp_path / "out")
    with pytest.raises(RunError, match=key):
        run(images, tmp_path / "out", settings=SETTINGS | change)


def test_other_images_are_refused(tmp_path, images):
    run(images, tmp_path / "out")
    write_image(images / "new.png")
    with pytest.raises(RunError, match="images: 13 then, 14 now"):
        run(images, tmp_path / "out")


def test_a_folder_of_something_else_is_refused(tmp_path, images):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "predictions.csv").write_text("mine")
    with pytest.raises(RunError, match=r"predictions\.csv without predict\.json"):
        run(images, tmp_path / "out")
    assert (tmp_path / "out" / "predictions.csv").read_text() == "mine"


def test_a_source_without_images(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="contains no image"):
        run(tmp_path / "empty", tmp_path / "out")


def test_two_processes_do_not_share_a_folder(tmp_path, images):
    (tmp_path / "out").mkdir()
    with (
        FileLock(tmp_path / "out" / ".lock"),
        pytest.raises(RunError, match="used by another process"),
    ):
        run(images, tmp_path / "out")


@pytest.mark.slow
def test_each_path_is_listed_once_after_three_kills(tmp_path):
    torch.set_num_threads(1)
    folder, output = tmp_path / "images", tmp_path / "out"
    for i in range(240):
        if i % 10 == 3:
            folder.mkdir(exist_ok=True)
            (folder / f"{i:03d}.png").write_bytes(b"broken")
        else:
            write_image(folder / f"{i:03d}.png", level=40 + i // 2, seed=i)
    table, counts = output / "predictions.csv", []
    for kill in range(3):
        context = multiprocessing.get_context("fork")
        child = context.Process(target=run, args=(folder, output), kwargs={"seconds": 0.25})
        child.start()
        size = table.stat().st_size if table.exists() else 0
        deadline = time.monotonic() + 60
        while (table.stat().st_size if table.exists() else 0) <= size:
            assert time.monotonic() < deadline
            assert child.is_alive()
            time.sleep(0.01)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        if kill == 1:
            # The disk was full, or the machine stopped, in the middle of a row.
            os.truncate(table, table.stat().st_size - 5)
        counts.append(len(rows(output)))
    assert counts[0] < counts[2] < 240
    summary = run(folder, output)
    assert (summary.images, summary.errors) == (240, 24)
    found = Counter(row["path"] for row in rows(output))
    assert found == Counter(map(str, folder.iterdir()))
    undisturbed = tmp_path / "undisturbed"
    run(folder, undisturbed)
    assert (undisturbed / "predictions.csv").read_bytes() == table.read_bytes()
