"""One policy for missing and damaged files."""

from pathlib import Path

import pytest
from made_runs import made, make_run

from xray.errors import RunError
from xray.runs.reading import read_json, read_mapping, read_table
from xray.runs.run import RunFiles, read_run

DAMAGED = {
    "environment": ("environment.json", "[]"),
    "data": ("data.json", '{"classes": ['),
    "metrics": ("metrics.json", '{"test": '),
    "operating_points": ("checkpoints/operating_points.json", "{"),
    "config": (".hydra/config.yaml", "a: ["),
    "curves": ("metrics.csv", "epoch,step\n1\n2,3\n"),
    "overlays": ("gradcam/test/index.csv", 'file,path\n"a"b,c\n'),
    "failures": ("gradcam/val/failures/index.csv", "file\na,b,c\n"),
    "measured": ("gradcam/test/scorecard.json", "no JSON"),
    "external": ("external/x/metrics.json", "{"),
}


def test_missing_json(tmp_path):
    with pytest.raises(RunError, match=r"x\.json cannot be opened \(No such file"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize(("text", "line"), [("", 1), ('{"a": 1,\n', 2)])
def test_damaged_json(tmp_path, text, line):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(RunError, match=rf"x\.json is not valid JSON \(line {line}: "):
        read_json(tmp_path / "x.json")


def test_a_missing_optional_file_is_empty(tmp_path):
    assert read_mapping(tmp_path / "x.json") == read_mapping(tmp_path / "x.yaml") == {}
    assert read_table(tmp_path / "x.csv") == []
    files = RunFiles(tmp_path)
    assert [getattr(files, name) for name in DAMAGED] == [{}] * 5 + [[]] + [{}] * 4
    assert files.predictions("test") is None
    assert (files.split, files.threshold) == (None, 0.5)


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, name: str):
    file, content = DAMAGED[name]
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(content)
    with pytest.raises(RunError) as caught:
        getattr(RunFiles(tmp_path), name)
    assert str(tmp_path / file) in str(caught.value)
    tolerant = read_run(tmp_path)
    found = getattr(tolerant, name)
    # A damaged file of several is listed without content.
    assert not any(found.values()) if isinstance(found, dict) else found == []
    assert [str(tmp_path / file) in message for message in tolerant.damaged] == [True]


def test_damaged_predictions(tmp_path):
    run = make_run(tmp_path / "run", made(5))
    (run / "predictions" / "test.csv").write_text("path,target\n")
    with pytest.raises(RunError, match=r"test\.csv, line 1"):
        RunFiles(run).predictions("test")
    tolerant = read_run(run)
    assert tolerant.predictions("test") is None
    assert "test.csv" in tolerant.damaged[0]


def test_an_incomplete_last_line_of_a_table_is_ignored(tmp_path):
    (tmp_path / "x.csv").write_text("epoch,loss\n0,0.5\n1")
    assert read_table(tmp_path / "x.csv") == [{"epoch": "0", "loss": "0.5"}]


def test_the_threshold_is_that_of_the_headline_split(tmp_path):
    run = make_run(tmp_path / "run", made(5), threshold=0.3)
    files = RunFiles(run)
    assert (files.split, files.threshold) == ("test", 0.3)
    predictions = files.predictions("test")
    assert predictions is not None
    assert predictions.threshold == 0.3
