"""The console command `xray <command> ...`."""

import subprocess
import sys
from pathlib import Path

import pytest

import xray
from xray.cli import main

PACKAGE = Path(xray.__file__).parent


def test_every_command_is_listed():
    modules = {path.stem for path in PACKAGE.glob("*.py") if "launch(" in path.read_text()}
    assert set(main.COMMANDS) == modules


def test_help_describes_every_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["xray", "--help"])
    main.main()
    shown = capsys.readouterr().out
    assert all(f"{name} " in shown and text in shown for name, text in main.COMMANDS.items())


def test_a_misspelled_command_is_corrected(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["xray", "predcit", "input=x"])
    with pytest.raises(SystemExit) as stop:
        main.main()
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert "'predcit'" in error
    assert "predict" in error


def test_help_of_predict():
    words = [sys.executable, "-m", "xray", "predict", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    listed = {line.split()[0] for line in done.stdout.partition("Keys")[2].splitlines() if line}
    assert {"input", "run", "output", "overlays", "batch_size", "gpus", "trust", "images"} <= listed
    assert "python -m xray.predict" in done.stdout
