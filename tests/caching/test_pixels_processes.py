"""Maps decoded by processes that are killed, and by two processes at once."""

import multiprocessing
import os
import time

import pytest
import torch
from small_cache import TREE, arrays, build

from xray.caching.entry import list_entries
from xray.caching.pixels import PixelCache
from xray.data import dataset as dataset_module

# Processes with threads are forked; the child uses one thread.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

FORK = multiprocessing.get_context("fork")
IMAGES = 8


@pytest.fixture
def fill(tmp_path, make_tree, transforms, monkeypatch):
    """Return a function that decodes a split in a separate process and counts its reads."""
    monkeypatch.setattr("xray.caching.fill.BLOCK", 2)
    monkeypatch.setattr("xray.caching.part.FLUSH_SECONDS", 0)
    root, log, read = make_tree(TREE), tmp_path / "reads", dataset_module.read_image

    def run(folder, *, hang_at=None, reached=None, together=None):
        torch.set_num_threads(1)
        done = []

        def counted(path):
            if len(done) == hang_at:
                reached.set()
                time.sleep(600)
            done.append(path)
            descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            os.write(descriptor, b"x")
            os.close(descriptor)
            return read(path)

        dataset_module.read_image = counted
        if together:
            together.wait()
        PixelCache(folder, "auto", 1.0).attach(build(root, transforms), ["val"])

    return run


def start(target, *arguments, **options):
    process = FORK.Process(target=target, args=arguments, kwargs=options)
    process.start()
    return process


def test_killed_fill_is_continued(tmp_path, fill):
    folder, reached = tmp_path / "cache", FORK.Event()
    process = start(fill, folder, hang_at=5, reached=reached)
    assert reached.wait(60)
    process.kill()
    process.join()
    (entry,) = list_entries(folder)
    assert not entry.complete
    assert (tmp_path / "reads").stat().st_size == 5
    again = start(fill, folder)
    again.join()
    assert again.exitcode == 0
    # One of the two images of the interrupted block was finished.
    assert (tmp_path / "reads").stat().st_size == IMAGES + 1
    whole = start(fill, tmp_path / "whole")
    whole.join()
    assert arrays(folder) == arrays(tmp_path / "whole") != {}


def test_two_processes_read_each_file_once(tmp_path, fill):
    together = FORK.Barrier(2)
    both = [start(fill, tmp_path / "cache", together=together) for _ in range(2)]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert (tmp_path / "reads").stat().st_size == IMAGES
