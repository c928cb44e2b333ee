"""The command `xray.compare` with its configuration."""

import json
import sys
from pathlib import Path

import pytest
from made_runs import made, make_run

from xray import compare


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that runs the command."""

    def run(*arguments: str) -> None:
        paths = f"paths.outputs={tmp_path / 'outputs'}"
        monkeypatch.setattr(sys, "argv", ["compare", paths, *arguments])
        compare.main()

    return run


def test_runs_and_sweeps_are_compared_into_new_folders(call, tmp_path):
    for number in range(2):
        make_run(tmp_path / "sweep" / str(number), made(40))
    call(f"sweep={tmp_path / 'sweep'}")
    call(f"runs=[{tmp_path / 'sweep' / '0'},{tmp_path / 'sweep' / '1'}]")
    first, second = sorted((tmp_path / "outputs" / "compare").iterdir())
    for folder in (first, second):
        found = json.loads((folder / "compare.json").read_text())
        assert [run["name"] for run in found["runs"]] == ["0", "1"]
        assert (folder / ".hydra" / "config.yaml").is_file()


def test_sweep_without_tested_jobs_is_rejected(call, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        call(f"sweep={tmp_path}")
    assert stop.value.code == 1
    assert "contains 0 tested jobs; at least 2 are needed" in capsys.readouterr().err
