"""Caches filled by processes that are killed, and by two processes at once."""

import logging
import multiprocessing
import random
import time
from functools import partial

import pytest
import torch
from filelock import FileLock
from small_cache import arrays, build, cache, classifier, counting, write_entry

from xray.caching.entry import Entry, list_entries
from xray.caching.folder import CacheFolder, CacheUnusableError

# Processes with threads are forked; the child uses one thread.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

TREE = {"train/normal": 6, "train/covid": 6, "val/normal": 2, "val/covid": 2, "test/normal": 2,
        "test/covid": 2}  # fmt: skip
VIEWS, ROWS = 6, 6 * 12 + 4
KILLS, BLOCK = 20, 2


@pytest.fixture
def fill(tmp_path, make_tree, transforms, monkeypatch):
    """Return a function that fills a cache in a separate process."""
    monkeypatch.setattr("xray.caching.fill.BLOCK", BLOCK)
    monkeypatch.setattr("xray.caching.part.FLUSH_SECONDS", 0)
    data, model = build(make_tree(TREE), transforms), classifier("block2")
    data.setup()
    compute = model.to_cut

    def run(folder, log, seconds, together=None):
        torch.set_num_threads(1)
        logging.basicConfig(filename=log.with_suffix(".log"), level=logging.INFO, force=True)
        model.to_cut = counting(compute, log, seconds)
        data.serve_images()
        if together:
            together.wait()
        cache(folder, views=VIEWS).attach(model, data, ["train", "val"])

    return run


def start(target, *arguments):
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments)
    process.start()
    return process


@pytest.mark.slow
def test_fill_survives_repeated_kills(tmp_path, fill):
    assert run(start(fill, tmp_path / "whole", tmp_path / "whole.count", 0)) == 0
    assert (tmp_path / "whole.count").stat().st_size == ROWS
    folder, log, draw = tmp_path / "cache", tmp_path / "killed.count", random.Random(0)
    kills, sizes = 0, []
    for i in range(KILLS):
        process = start(fill, folder, log, 0.06)
        # Half of the kills come at any time, half while images are computed.
        before = size(log)
        while i % 2 and size(log) == before and process.is_alive():
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.1 if i % 2 else 0.2))
        process.kill()
        process.join()
        kills += process.exitcode != 0
        sizes.append(size(log))
    assert kills >= KILLS // 2
    assert run(start(fill, folder, log, 0)) == 0
    assert arrays(folder) == arrays(tmp_path / "whole")
    # Only the interrupted blocks are computed again.
    assert ROWS <= log.stat().st_size <= ROWS + BLOCK * kills
    # The kills happened during the fill, not before or after it.
    assert len({size for size in sizes if 0 < size < ROWS}) >= 3
    assert [entry.complete for entry in list_entries(folder)] == [True, True]
    assert not list(folder.glob("*.part"))
    assert not list(folder.glob("*.journal"))


def size(path):
    return path.stat().st_size if path.exists() else 0


def run(process) -> int | None:
    process.join()
    return process.exitcode


@pytest.mark.slow
def test_two_processes_compute_each_image_once(tmp_path, fill):
    folder, log = tmp_path / "cache", tmp_path / "two.count"
    together = multiprocessing.get_context("fork").Barrier(2)
    both = [start(fill, folder, log, 0.03, together) for _ in range(2)]
    assert [run(process) for process in both] == [0, 0]
    assert log.stat().st_size == ROWS
    assert (
        "waiting for another process to compute activations" in log.with_suffix(".log").read_text()
    )


def hold(folder, names, ready):
    held = CacheFolder(folder, 1).reserve(names)
    ready.set()
    time.sleep(60)
    del held


def test_entries_of_live_processes_are_not_evicted(tmp_path, caplog):
    old, new = "val_" + 16 * "0", "val_" + 16 * "1"
    write_entry(tmp_path, old, rows=600)
    ready = multiprocessing.get_context("fork").Event()
    process = start(partial(hold, tmp_path, {old: 600 * 1024}, ready))
    try:
        assert ready.wait(10)
        small = CacheFolder(tmp_path, 1000 / 2**20)
        with pytest.raises(CacheUnusableError, match=r"running processes use 0\.6 MiB of "):
            small.reserve({new: 600 * 1024})
        assert small.clear([Entry(tmp_path, old)]) == [Entry(tmp_path, old)]
    finally:
        process.kill()
        process.join()
    assert isinstance(small.reserve({new: 600 * 1024})[new], FileLock)
    assert [entry.name for entry in list_entries(tmp_path)] == [new]
    assert [path.name for path in tmp_path.glob(".*.use")]
