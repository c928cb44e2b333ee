from pathlib import Path

import pytest

from xray.errors import RunError
from xray.reporting.curves import curves_figure, read_curves

# Two steps an epoch; the rates come without an epoch, the losses of an epoch in several rows.
LOG = """epoch,lr-AdamW,step,train/loss,val/loss,val/auroc,test/loss
,0.1,0,,,,
0,,0,0.8,,,
0,,1,0.6,,,
0,,1,,0.9,0.7,
,0.01,2,,,,
1,,3,0.4,,,
1,,3,,0.5,0.8,
,0.001,4,,,,
1,,4,,,,0.3
,0.001,9,,,,
,0.001,,,,,
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    return path


def test_series_are_means_of_each_epoch(tmp_path):
    log = LOG.replace("1,,4,,,,0.3\n", "2,,4,,,,0.3\n")
    assert read_curves(write(tmp_path, log)) == {
        "lr-AdamW": {0: 0.1, 1: 0.01, 2: 0.001},
        "train/loss": {0: pytest.approx(0.7), 1: 0.4},
        "val/loss": {0: 0.9, 1: 0.5},
        "val/auroc": {0: 0.7, 1: 0.8},
        "test/loss": {2: 0.3},
    }


def test_figure_has_a_panel_a_kind(tmp_path):
    figure = curves_figure(write(tmp_path, LOG))
    loss, validation, rate = figure.axes
    assert [a.get_title(loc="left") for a in figure.axes] == [
        "Loss",
        "Validation",
        "Learning rate",
    ]
    assert [line.get_label() for line in loss.lines] == ["train/loss", "val/loss"]
    assert loss.lines[1].get_xydata().tolist() == [[0, 0.9], [1, 0.5]]
    assert [line.get_label() for line in validation.lines] == ["auroc"]
    assert [line.get_label() for line in rate.lines] == ["AdamW"]
    assert rate.get_yscale() == "log"


def test_rate_of_zero_is_drawn_on_a_plain_scale(tmp_path):
    (rate,) = curves_figure(write(tmp_path, "epoch,lr-SGD,step\n0,0.0,0\n")).axes
    assert rate.get_yscale() == "linear"


def test_nothing_logged(tmp_path):
    assert curves_figure(write(tmp_path, "epoch,step\n0,1\n")) is None
    assert curves_figure(write(tmp_path, "")) is None


@pytest.mark.parametrize("row", ["0,1,high", "0,1,2,3"])
def test_cell_that_is_no_number(tmp_path, row):
    path = write(tmp_path, f"epoch,step,val/loss\n0,1,0.5\n{row}\n")
    with pytest.raises(RunError, match=r"metrics\.csv, line 3: .*Remove the file"):
        read_curves(path)
