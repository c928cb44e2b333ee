"""The table is complete after any interruption."""

import csv
from pathlib import Path

import pytest

from xray.errors import RunError
from xray.prediction.prediction import Prediction
from xray.prediction.table import PredictionTable

CLASSES = ("normal", "pneumonia")


def prediction(path, error=None):
    if error:
        return Prediction(Path(path), None, {}, 0.25, None, error=error)
    shares = {"normal": 0.1 + 0.2, "pneumonia": 0.7}
    return Prediction(Path(path), "pneumonia", shares, 0.25, (4, 5), ("A.", "B."))


def write(file, predictions):
    with PredictionTable(file, CLASSES) as table:
        for item in predictions:
            table.append(item)
    return table


def test_columns_and_values(tmp_path):
    write(tmp_path / "x.csv", [prediction("/a.png"), prediction("/b.png", "is truncated")])
    with (tmp_path / "x.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["path", "p_normal", "p_pneumonia", "predicted", "threshold", "warnings", "error"],
            ["/a.png", "0.30000000000000004", "0.7", "pneumonia", "0.25", "A. B.", ""],
            ["/b.png", "", "", "", "", "", "is truncated"],
        ]


def test_every_cut_is_repaired(tmp_path):
    paths = ["/a.png", '/odd\r\nname, "b".png', "/c\n.png", "/d.png"]
    file = tmp_path / "x.csv"
    write(file, [prediction(path) for path in paths])
    whole = file.read_bytes()
    for cut in range(len(whole) + 1):
        file.write_bytes(whole[:cut])
        table = PredictionTable(file, CLASSES)
        done = table.recover(map(Path, paths))
        assert whole.startswith(file.read_bytes())
        write(file, [prediction(path) for path in paths[done:]])
        assert file.read_bytes() == whole


def test_zeros_after_a_crash_of_the_machine_are_removed(tmp_path):
    file = tmp_path / "x.csv"
    write(file, [prediction("/a.png"), prediction("/b.png")])
    whole = file.read_bytes()
    file.write_bytes(whole[:-20] + b"\0" * 4096 + b"\n")
    assert PredictionTable(file, CLASSES).recover([Path("/a.png"), Path("/b.png")]) == 1


def test_rows_of_other_images_are_refused(tmp_path):
    file = tmp_path / "x.csv"
    write(file, [prediction("/a.png"), prediction("/b.png")])
    with pytest.raises(RunError, match=r"row 3: found '/b\.png', expected '/c\.png'"):
        PredictionTable(file, CLASSES).recover([Path("/a.png"), Path("/c.png")])
    with pytest.raises(RunError, match="row 3: found"):
        PredictionTable(file, CLASSES).recover([Path("/a.png")])
    (tmp_path / "y.csv").write_text("a,b,c,d,e,f,g\n")
    with pytest.raises(RunError, match="expected 'path'"):
        PredictionTable(tmp_path / "y.csv", CLASSES).recover([])


def test_an_unwritable_folder_is_an_error_with_advice(tmp_path):
    with pytest.raises(RunError, match="cannot be written"):
        write(tmp_path / "missing" / "x.csv", [prediction("/a.png")])
