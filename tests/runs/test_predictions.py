from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xray.errors import RunError
from xray.runs.predictions import Predictions, calibrate

HEADER = "path,patient,label,target,predicted,p_normal,p_pneumonia"
"""Columns of older runs, which have no sources."""


def predictions() -> Predictions:
    return Predictions(
        paths=["a.png", 'odd, "name".png', "b\r\nc.png"],
        patients=["p1", "p2", "p2"],
        labels=["NORMAL", "Covid", "Viral Pneumonia"],
        targets=np.array([0, 1, 1]),
        probabilities=np.array([[0.1 + 0.2, 1 - (0.1 + 0.2)], [0.5, 0.5], [1e-300, 1.0]]),
        classes=("normal", "pneumonia"),
        sources=["kermany", "", "covid19_image"],
    )


def test_predicted_is_the_first_most_probable_class():
    assert predictions().predicted.tolist() == [1, 0, 1]
    assert predictions().predicted.dtype == np.int64


def test_csv_contains_class_names_and_all_digits(tmp_path):
    predictions().to_csv(tmp_path / "new" / "test.csv")
    lines = (tmp_path / "new" / "test.csv").read_text().splitlines()
    assert lines[0] == HEADER.replace("label,", "label,source,")
    assert lines[1] == "a.png,p1,NORMAL,kermany,normal,pneumonia,0.30000000000000004,0.7"


def test_csv_round_trip_is_exact(tmp_path):
    before, path = predictions(), tmp_path / "test.csv"
    before.to_csv(path)
    after = Predictions.from_csv(path)
    assert after.paths == before.paths
    assert after.patients == before.patients
    assert after.labels == before.labels
    assert after.sources == before.sources
    assert after.classes == before.classes
    assert after.targets.dtype == np.int64
    np.testing.assert_array_equal(after.targets, before.targets)
    np.testing.assert_array_equal(after.probabilities, before.probabilities)
    assert after.probabilities.dtype == np.float64


def test_calibrated_probabilities_are_further_columns(tmp_path):
    before, path = predictions(), tmp_path / "test.csv"
    calibrated = calibrate(before.probabilities, 2.0)
    np.testing.assert_allclose(calibrated[1], [0.5, 0.5])
    replace(before, calibrated=calibrated).to_csv(path)
    header = path.read_text().splitlines()[0]
    assert header.endswith("p_normal,p_pneumonia,calibrated_normal,calibrated_pneumonia")
    after = Predictions.from_csv(path)
    assert after.calibrated is not None
    np.testing.assert_array_equal(after.calibrated, calibrated)
    np.testing.assert_array_equal(after.probabilities, before.probabilities)
    assert after.classes == before.classes
    path.write_text(path.read_text().replace(",calibrated_pneumonia", ",calibrated_covid", 1))
    with pytest.raises(RunError, match="the columns are"):
        Predictions.from_csv(path)


def test_without_a_temperature_every_digit_is_unchanged():
    before = predictions().probabilities
    assert calibrate(before, None) is before


def test_csv_round_trip_of_a_name_that_is_not_utf8(tmp_path):
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    one = Predictions([name], ["p"], ["é"], np.array([0]), np.array([[1.0, 0.0]]), ("é", "b"))
    one.to_csv(tmp_path / "x.csv")
    assert Predictions.from_csv(tmp_path / "x.csv").paths == [name]
    assert Predictions.from_csv(tmp_path / "x.csv").classes == ("é", "b")


def test_csv_without_images(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(HEADER + "\n")
    assert Predictions.from_csv(path).probabilities.shape == (0, 2)


def test_an_older_csv_has_no_sources(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"{HEADER}\na.png,p,l,normal,pneumonia,0.25,0.75\n")
    found = Predictions.from_csv(path)
    assert (found.paths, found.patients, found.labels) == (["a.png"], ["p"], ["l"])
    assert (found.targets.tolist(), list(found.sources)) == ([0], [])
    found.to_csv(path)
    assert path.read_text().splitlines()[1] == "a.png,p,l,,normal,pneumonia,0.25,0.75"


def test_lists_of_different_lengths_are_an_error(tmp_path):
    wrong = Predictions(["a"], [], ["x"], np.array([0]), np.array([[1.0, 0.0]]), ("n", "p"))
    with pytest.raises(ValueError, match="shorter"):
        wrong.to_csv(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "the columns are ''"),
        ("path,target\n", 1, "the columns are 'path,target', not path,patient,label"),
        ("path,patient,label,target,predicted,p_a\n", 1, "the columns are"),
        (HEADER.replace("p_normal", "normal"), 1, "the columns are"),
        (f"{HEADER}\na,p,l,normal,normal,1\n", 2, "6 fields where 7 are expected"),
        (f"{HEADER}\na,p,l,normal,normal,1,0\n\n", 3, "0 fields where 7 are expected"),
        (f"{HEADER}\na,p,l,covid,normal,1,0\n", 2, "'covid' is none of the classes normal, pneu"),
        (f"{HEADER}\na,p,l,normal,x,1,0\n", 2, "'x' is none of the classes"),
        (f"{HEADER}\na,p,l,normal,normal,1,zero\n", 2, "'zero' is not a probability"),
        (f"{HEADER}\na,p,l,normal,normal,nan,0\n", 2, "'nan' is not a probability"),
        (f"{HEADER}\na,p,l,normal,normal,1,1.5\n", 2, "'1.5' is not a probability"),
        (f'{HEADER}\n"a"b,p,l,normal,normal,1,0\n', 2, "',' expected after '\"'"),
    ],
)
def test_malformed_csv_names_file_and_line(tmp_path, text, line, problem):
    path = tmp_path / "test.csv"
    path.write_text(text)
    with pytest.raises(RunError) as caught:
        Predictions.from_csv(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert problem in str(caught.value)
    assert "python -m xray.evaluate" in str(caught.value)


def test_missing_csv(tmp_path: Path):
    with pytest.raises(RunError, match=r"none\.csv cannot be opened \(No such file"):
        Predictions.from_csv(tmp_path / "none.csv")
