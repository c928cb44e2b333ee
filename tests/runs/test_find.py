"""Finding run directories."""

import os
from pathlib import Path

import pytest
from made_runs import made
from made_runs import make_run as make_tested_run

from xray.errors import RunError
from xray.runs.find import find_run, sweep_directories


def make_run(
    directory: Path, *, metrics_time: int | None = 1, best: bool = True, evaluated: int = 0
) -> Path:
    (directory / ".hydra").mkdir(parents=True)
    (directory / ".hydra" / "config.yaml").touch()
    if best:
        (directory / "checkpoints").mkdir()
        (directory / "checkpoints" / "best.ckpt").touch()
    if metrics_time is not None:
        (directory / "metrics.json").write_text("{}")
        if best:
            os.utime(directory / "checkpoints" / "best.ckpt", (metrics_time, metrics_time))
        later = metrics_time + evaluated
        os.utime(directory / "metrics.json", (later, later))
    return directory


def test_newest_finished_run(tmp_path):
    # Evaluating an old run again does not make it the newest.
    make_run(tmp_path / "train" / "old", metrics_time=1, evaluated=20)
    job = make_run(tmp_path / "multirun" / "sweep" / "0", metrics_time=3)
    make_run(tmp_path / "multirun" / "sweep" / "1", metrics_time=2)
    make_run(tmp_path / "train" / "unfinished", metrics_time=None)
    make_run(tmp_path / "train" / "without", metrics_time=9, best=False)
    make_run(tmp_path / "evaluate" / "later", metrics_time=10)
    assert find_run(tmp_path, None) == find_run(tmp_path, "latest") == job


def test_no_finished_run(tmp_path):
    make_run(tmp_path / "train" / "a", metrics_time=None)
    with pytest.raises(RunError) as caught:
        find_run(tmp_path, None)
    assert str(tmp_path) in str(caught.value)
    assert "make train" in str(caught.value)


def test_given_run_need_not_be_finished(tmp_path):
    run = make_run(tmp_path / "elsewhere", metrics_time=None)
    assert find_run(tmp_path, str(run)) == run


def test_given_path_that_is_not_a_run(tmp_path):
    with pytest.raises(RunError, match=r"run=.*none is not a directory\. Pass a run directory"):
        find_run(tmp_path, str(tmp_path / "none"))
    with pytest.raises(RunError, match=r"no \.hydra/config\.yaml and no checkpoints/best\.ckpt\."):
        find_run(tmp_path, str(tmp_path))


def test_given_run_without_a_best_checkpoint(tmp_path):
    run = make_run(tmp_path / "a", best=False)
    message = rf"no checkpoints/best\.ckpt\. .*xray\.train resume={run}"
    with pytest.raises(RunError, match=message):
        find_run(tmp_path, str(run))


def test_given_sweep_names_its_jobs(tmp_path):
    make_run(tmp_path / "1")
    make_run(tmp_path / "0")
    (tmp_path / "multirun.yaml").touch()
    with pytest.raises(RunError, match=r"is a sweep\. Pass one of its jobs: 0, 1\."):
        find_run(tmp_path, str(tmp_path))


def test_tested_jobs_of_a_sweep_by_number(tmp_path):
    for name in ("10", "2", "notes"):
        make_tested_run(tmp_path / name, made(5))
    (tmp_path / "3").mkdir()
    assert [job.name for job in sweep_directories(tmp_path)] == ["2", "10"]
    with pytest.raises(RunError, match="contains 0 tested jobs; at least 2 are needed"):
        sweep_directories(tmp_path / "2")
