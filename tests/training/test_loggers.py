import csv

from xray.training.loggers import RunCSVLogger, drop_rows_after


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_resumed_run_continues_its_curves(tmp_path):
    first = RunCSVLogger(str(tmp_path))
    first.log_metrics({"val/loss": 1.0}, step=9)
    first.log_metrics({"val/loss": 0.5}, step=19)
    first.log_metrics({"val/loss": 0.4}, step=25)
    path = tmp_path / "metrics.csv"
    drop_rows_after(path, 20)
    second = RunCSVLogger(str(tmp_path))
    second.log_metrics({"val/loss": 0.25, "val/auroc": 0.75}, step=29)
    assert [(row["step"], row["val/loss"], row["val/auroc"]) for row in rows(path)] == [
        ("9", "1.0", ""),
        ("19", "0.5", ""),
        ("29", "0.25", "0.75"),
    ]


def test_missing_curves_are_ignored(tmp_path):
    drop_rows_after(tmp_path / "metrics.csv", 3)
    assert list(tmp_path.iterdir()) == []
