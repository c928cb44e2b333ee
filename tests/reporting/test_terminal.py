import io
import math

from rich.console import Console

from xray.reporting.terminal import (
    SweepRow,
    metrics_table,
    operating_table,
    ranked,
    sweep_table,
    write_rows,
)


def shown(table) -> list[str]:
    console = Console(file=io.StringIO(), width=160)
    console.print(table)
    return console.file.getvalue().splitlines()


def cells(table, name: str) -> list[str]:
    for line in shown(table):
        fields = [field.strip() for field in line.split("│")[1:-1]]
        if fields and fields[0] == name:
            return fields[1:]
    raise AssertionError(f"no row {name}")


def summary(**changes):
    return {
        "n": 1624,
        "patients": 1500,
        "verdict": "clean",
        "classes": ["normal", "pneumonia"],
        "threshold": 0.5,
        "accuracy": {"value": 0.91234, "low": 0.9, "high": 0.92},
        "auroc": {"value": None, "low": None, "high": None},
        "f1": {"value": 0.5, "low": None, "high": None},
        "confusion_matrix": [[1, 0], [0, 1]],
        "per_label": {"Covid": {"n": 1, "recall": 1.0}},
    } | changes


def row(value, run, *overrides, status="finished", **metrics) -> SweepRow:
    return SweepRow(list(overrides), value, metrics, run, status)


def test_metrics_table_has_one_column_per_split():
    table = metrics_table({"val": summary(n=80), "test": summary()})
    assert [column.header for column in table.columns] == ["metric", "val", "test"]
    assert cells(table, "images") == ["80", "1,624"]
    assert cells(table, "patients") == ["1,500", "1,500"]
    assert cells(table, "Accuracy") == ["0.912 [0.900, 0.920]"] * 2
    assert cells(table, "F1 score") == ["0.500", "0.500"]
    assert cells(table, "AUROC") == ["-", "-"]
    assert table.row_count == 5


def test_caption_names_the_positive_class_or_the_macro_average():
    caption = " ".join(str(metrics_table({"test": summary()}).caption).split())
    assert "positive class: pneumonia, predicted if its probability is above 0.5" in caption
    assert caption.endswith("bootstrap over patients split verdict: clean")
    three = summary(classes=["a", "b", "c"], threshold=None)
    assert "unweighted mean" in str(metrics_table({"test": three}).caption)


def test_jobs_are_ranked_by_mode_with_failed_jobs_last():
    rows = [row(None, "a"), row(0.2, "b"), row(0.9, "c"), row(math.nan, "d"), row(0.0, "e")]
    assert [r.run for r in ranked(rows, "max")] == ["c", "b", "e", "a", "d"]
    assert [r.run for r in ranked(rows, "min")] == ["e", "b", "c", "a", "d"]


def test_sweep_table_has_one_column_per_override():
    rows = [
        row(0.8, "0", "optim.lr=1e-3", "model.head.hidden=[b]", accuracy=0.75),
        row(0.9, "1", "optim.lr=1e-4", accuracy=None),
        row(None, "2", "optim.lr=10", "x=a=b", status="loss is not a number"),
    ]
    table = sweep_table(rows, "val/auroc", "max")
    assert [str(column.header) for column in table.columns] == [
        "#",
        "optim.lr",
        "model.head.hidden",
        "x",
        "val/auroc",
        "accuracy",
        "run",
        "status",
    ]
    assert cells(table, "1") == ["1e-4", "", "", "0.9000", "-", "1", "finished"]
    assert cells(table, "2") == ["1e-3", "[b]", "", "0.8000", "0.7500", "0", "finished"]
    assert cells(table, "-") == ["10", "", "a=b", "-", "-", "2", "loss is not a number"]
    assert "Sweep by val/auroc (max): 2 of 3 jobs finished" in shown(table)[0]


def test_operating_table_has_one_row_per_rule():
    share = {"value": 0.9, "low": 0.85, "high": 0.94}
    undefined = {"value": None, "low": None, "high": None}
    point = {"rule": "youden", "threshold": 0.4321, "sensitivity": share, "specificity": share}
    points = [
        point | {"ppv": undefined, "npv": share, "accuracy": share},
        {"rule": "sens@0.95", "threshold": None},
    ]
    table = operating_table(points, "test")
    interval = "0.900 [0.850, 0.940]"
    assert cells(table, "youden") == ["0.4321", interval, interval, "-", interval]
    assert cells(table, "sens@0.95") == ["-"] * 5


def test_absent_classes_are_named_below_the_table():
    table = metrics_table({"test": summary(absent=["covid"])})
    assert 'No images of class "covid": metrics marked "-" are undefined.' in str(table.caption)


def test_rows_are_written_and_shown(tmp_path):
    console = Console(file=io.StringIO(), width=160)
    rows = [{"images": "corners hidden", "measure": "auroc", "value": 0.9, "low": 0.8, "high": 1.0}]
    write_rows(tmp_path / "a.json", "Shortcuts", "Note.", rows, console)
    shown = console.file.getvalue()
    for text in ("Shortcuts", "AUROC", "0.900 [0.800, 1.000]", "Note.", "a.json"):
        assert text in shown
    assert "low" not in shown
    assert (tmp_path / "a.csv").read_text().splitlines()[0] == "images,measure,value,low,high"
