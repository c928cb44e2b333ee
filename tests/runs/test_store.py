import json
import os
from pathlib import Path

import pytest

from xray.errors import RunError
from xray.runs import store


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


def test_json_round_trip_and_form(tmp_path):
    path = tmp_path / "new" / "x.json"
    store.write_json(path, {"b": 1, "a": [0.1, None, "é"]})
    expected = '{\n  "b": 1,\n  "a": [\n    0.1,\n    null,\n    "é"\n  ]\n}\n'
    assert path.read_text(encoding="utf-8") == expected
    assert store.read_json(path) == {"b": 1, "a": [0.1, None, "é"]}
    assert list(path.parent.iterdir()) == [path]


def test_json_replaces_and_keeps_the_usual_permissions(tmp_path):
    path, usual = tmp_path / "x.json", tmp_path / "usual"
    usual.touch()
    store.write_json(path, 1)
    store.write_json(path, 2)
    assert store.read_json(path) == 2
    assert path.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": object()}])
def test_what_is_no_json_leaves_the_file_as_it_was(tmp_path, value):
    path = tmp_path / "x.json"
    store.write_json(path, 1)
    with pytest.raises((ValueError, TypeError)):
        store.write_json(path, value)
    assert store.read_json(path) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    store.write_json(path, 1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"x\.json cannot be written \(No space left on device\)"):
        store.write_json(path, 2)
    assert store.read_json(path) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_json_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        store.write_json(tmp_path / "file" / "x.json", 1)


def test_missing_json(tmp_path):
    with pytest.raises(RunError, match=r"x\.json cannot be opened \(No such file"):
        store.read_json(tmp_path / "x.json")


@pytest.mark.parametrize(("text", "line"), [("", 1), ('{"a": 1,\n', 2)])
def test_corrupt_json(tmp_path, text, line):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(RunError, match=rf"x\.json is not JSON \(line {line}: "):
        store.read_json(tmp_path / "x.json")


def test_environment_is_written(tmp_path):
    store.write_environment(tmp_path, 7, ["python", "-m", "xray.train"])
    written = json.loads((tmp_path / "environment.json").read_text())
    assert written["seed"] == 7
    assert written["command"] == ["python", "-m", "xray.train"]


def test_weights_are_noted_beside_the_rest(tmp_path):
    store.write_environment(tmp_path, 7, ["python"])
    before = store.read_json(tmp_path / "environment.json")
    store.note_facts(tmp_path, weights="random")
    assert store.read_json(tmp_path / "environment.json") == {**before, "weights": "random"}


def test_environment_knows_its_own_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.orig_argv", ["python", "-m", "xray.train", "seed=1"])
    store.write_environment(tmp_path, 1)
    written = json.loads((tmp_path / "environment.json").read_text())
    assert written["command"] == ["python", "-m", "xray.train", "seed=1"]


def test_newest_finished_run(tmp_path):
    # Evaluating an old run again does not make it the newest.
    make_run(tmp_path / "train" / "old", metrics_time=1, evaluated=20)
    job = make_run(tmp_path / "multirun" / "sweep" / "0", metrics_time=3)
    make_run(tmp_path / "multirun" / "sweep" / "1", metrics_time=2)
    make_run(tmp_path / "train" / "unfinished", metrics_time=None)
    make_run(tmp_path / "train" / "without", metrics_time=9, best=False)
    make_run(tmp_path / "evaluate" / "later", metrics_time=10)
    assert store.find_run(tmp_path, None) == job


def test_no_finished_run(tmp_path):
    make_run(tmp_path / "train" / "a", metrics_time=None)
    with pytest.raises(RunError) as caught:
        store.find_run(tmp_path, None)
    assert str(caught.value) == (
        f"There is no finished run below {tmp_path}: start one with `make train`."
    )


def test_given_run_need_not_be_finished(tmp_path):
    run = make_run(tmp_path / "elsewhere", metrics_time=None)
    assert store.find_run(tmp_path, str(run)) == run


def test_given_run_that_is_none(tmp_path):
    with pytest.raises(RunError, match=r"run=.*none is not a directory\. Name a run directory"):
        store.find_run(tmp_path, str(tmp_path / "none"))
    with pytest.raises(RunError, match=r"lacks \.hydra/config\.yaml and checkpoints/best\.ckpt\."):
        store.find_run(tmp_path, str(tmp_path))


def test_given_run_without_a_best_checkpoint(tmp_path):
    run = make_run(tmp_path / "a", best=False)
    message = rf"lacks checkpoints/best\.ckpt\. .*xray\.train resume={run}"
    with pytest.raises(RunError, match=message):
        store.find_run(tmp_path, str(run))


def test_given_sweep_names_its_jobs(tmp_path):
    make_run(tmp_path / "1")
    make_run(tmp_path / "0")
    (tmp_path / "multirun.yaml").touch()
    with pytest.raises(RunError, match=r"is a sweep\. Name one of its jobs: 0, 1\."):
        store.find_run(tmp_path, str(tmp_path))
