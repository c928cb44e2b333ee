"""Writing the record of a run."""

import json

from xray.runs import store
from xray.runs.reading import read_json


def test_environment_is_written(tmp_path):
    store.write_environment(tmp_path, 7, ["python", "-m", "xray.train"])
    written = json.loads((tmp_path / "environment.json").read_text())
    assert written["seed"] == 7
    assert written["command"] == ["python", "-m", "xray.train"]


def test_facts_are_added_to_the_environment(tmp_path):
    store.write_environment(tmp_path, 7, ["python"])
    before = read_json(tmp_path / "environment.json")
    store.record_facts(tmp_path, weights="random")
    assert read_json(tmp_path / "environment.json") == {**before, "weights": "random"}


def test_default_command_line_is_that_of_the_process(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.orig_argv", ["python", "-m", "xray.train", "seed=1"])
    store.write_environment(tmp_path, 1)
    written = json.loads((tmp_path / "environment.json").read_text())
    assert written["command"] == ["python", "-m", "xray.train", "seed=1"]
