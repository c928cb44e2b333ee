from pathlib import Path

import pytest

from xray.errors import RunError
from xray.reporting.curves import best_epoch, curves_figure, read_curves

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


def test_values_are_averaged_in_each_epoch(tmp_path):
    log = LOG.replace("1,,4,,,,0.3\n", "2,,4,,,,0.3\n")
    assert read_curves(write(tmp_path, log)) == {
        "lr-AdamW": {0: 0.1, 1: 0.01, 2: 0.001},
        "train/loss": {0: pytest.approx(0.7), 1: 0.4},
        "val/loss": {0: 0.9, 1: 0.5},
        "val/auroc": {0: 0.7, 1: 0.8},
        "test/loss": {2: 0.3},
    }


def test_one_panel_per_metric_with_the_best_epoch_marked(tmp_path):
    figure = curves_figure(read_curves(write(tmp_path, LOG)), best=1)
    loss, auroc, rate, unused = figure.axes
    assert [axes.get_title(loc="left") for axes in (loss, auroc, rate)] == [
        "Loss",
        "AUROC",
        "Learning rate",
    ]
    assert not unused.axison
    train, val, best = loss.lines
    assert [line.get_label() for line in (train, val, best)] == ["train", "val", "best epoch (1)"]
    assert val.get_xydata().tolist() == [[0, 0.9], [1, 0.5]]
    assert list(best.get_xdata()) == [1, 1]
    assert [text.get_text() for text in auroc.get_legend().get_texts()] == ["val", "best epoch (1)"]
    assert rate.lines[0].get_label() == "AdamW"
    assert rate.get_yscale() == "log"


@pytest.mark.parametrize(("rows", "least"), [("0,0.0,0\n", 0.0), ("0,0.1,0\n1,0.1,1\n", 0.0)])
def test_constant_learning_rate_has_a_linear_scale_from_zero(tmp_path, rows, least):
    (rate,) = curves_figure(read_curves(write(tmp_path, f"epoch,lr-SGD,step\n{rows}"))).axes
    assert rate.get_yscale() == "linear"
    assert rate.get_ylim()[0] == least


def test_no_figure_without_metrics(tmp_path):
    assert curves_figure(read_curves(write(tmp_path, "epoch,step\n0,1\n"))) is None
    assert curves_figure(read_curves(write(tmp_path, ""))) is None


def test_best_epoch_is_that_of_the_checkpoint():
    series = {
        "val/auroc": {0: 0.7, 1: 0.9, 2: 0.9, 3: 0.8},
        "val/loss": {0: 0.2, 1: 0.6, 2: 0.5, 3: 0.4},
    }
    # Two epochs have the same AUROC; the checkpoint is that of the lower validation loss.
    assert best_epoch(series, "val/auroc", "max") == 2
    assert best_epoch(series, "val/loss", "min") == 0
    assert best_epoch(series, "val/f1", "max") is None


def test_undefined_values_are_left_out(tmp_path):
    series = read_curves(write(tmp_path, "epoch,step,val/auroc\n0,0,nan\n1,1,0.5\nnan,2,0.9\n"))
    assert series == {"val/auroc": {1: 0.5}}
    assert best_epoch(series, "val/auroc", "max") == 1


@pytest.mark.parametrize("row", ["0,1,high", "0,1,2,3"])
def test_cell_that_is_not_a_number_is_an_error(tmp_path, row):
    path = write(tmp_path, f"epoch,step,val/loss\n0,1,0.5\n{row}\n")
    with pytest.raises(RunError, match=r"metrics\.csv, line 3: .*Remove the line"):
        read_curves(path)
