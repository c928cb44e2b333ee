"""The table and the comparison of a sweep, from directories written by hand."""

import json
from pathlib import Path

import pytest
from made_runs import made, make_run

from xray.reporting.sweep import best_command, read_sweep, show_sweep, write_sweep_csv

PROGRAM = ["python", "-m", "xray.train"]


def job(sweep: Path, number: int, overrides: list[str], config: str = "test: true") -> Path:
    directory = sweep / str(number)
    (directory / ".hydra").mkdir(parents=True)
    (directory / ".hydra" / "overrides.yaml").write_text(json.dumps(overrides))
    (directory / ".hydra" / "config.yaml").write_text(config)
    return directory


def result(directory: Path, val: float, test: float) -> None:
    metrics = {
        "val": {"n": 10, "auroc": {"value": val, "low": 0.1, "high": 0.9}},
        "test": {"auroc": {"value": test}, "accuracy": {"value": test / 2}, "f1": {"value": None}},
    }
    (directory / "metrics.json").write_text(json.dumps(metrics))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Four jobs: two finished, one failed after some epochs, one killed."""
    result(job(tmp_path, 0, ["seed=1", "optim.lr=0.1", "tag='a b'"]), 0.7, 0.6)
    failed = job(tmp_path, 1, ["seed=1", "optim.lr=9", "tag='a b'"])
    (failed / "error.txt").write_text("loss is nan. Lower optim.lr.\nmore\n")
    (failed / "metrics.csv").write_text("epoch,val/auroc\n0,0.99\n")
    job(tmp_path, 2, ["seed=1", "optim.lr=0.3", "tag='a b'"])
    result(job(tmp_path, 10, ["seed=1", "optim.lr=0.2", "tag='a b'"]), 0.8, 0.5)
    (tmp_path / "multirun.yaml").write_text("")
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_finished_jobs_are_ranked_and_the_others_follow_by_number(sweep: Path) -> None:
    jobs = read_sweep(sweep, "val/auroc", "max")
    assert [(int(j.directory.name), j.state, j.value) for j in jobs] == [
        (10, "finished", 0.8),
        (0, "finished", 0.7),
        (1, "failed", None),
        (2, "unfinished", None),
    ]
    assert jobs[0].test == {"auroc": 0.5, "accuracy": 0.25}
    assert jobs[2].error == "loss is nan. Lower optim.lr."
    lowest = read_sweep(sweep, "val/auroc", "min")
    assert [int(j.directory.name) for j in lowest] == [0, 10, 1, 2]


def test_best_command_is_quoted_for_the_shell(sweep: Path) -> None:
    jobs = read_sweep(sweep, "val/auroc", "max")
    command = """python -m xray.train seed=1 optim.lr=0.2 'tag='"'"'a b'"'"''"""
    assert best_command(jobs, PROGRAM) == command
    assert best_command(jobs[2:], PROGRAM) is None
    assert best_command([], PROGRAM) is None


def test_table_is_shown_and_written(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_sweep(sweep, "val/auroc", "max", PROGRAM) == ["loss is nan. Lower optim.lr."]
    shown = capsys.readouterr().out
    assert "2 of 4 jobs finished" in shown
    for header in ("optim.lr", "val/auroc", "test/auroc", "test/accuracy"):
        assert header in "".join(shown.split())
    assert "seed" not in shown.partition("sweep:")[0]
    assert shown.splitlines()[-2] == f"sweep: {sweep}"
    assert shown.splitlines()[-1].startswith("best: python -m xray.train seed=1 optim.lr=0.2 ")
    assert (sweep / "sweep.csv").read_text().splitlines() == [
        "job,state,optim.lr,val/auroc,test/auroc,test/accuracy,error",
        "10,finished,0.2,0.8,0.5,0.25,",
        "0,finished,0.1,0.7,0.6,0.3,",
        "1,failed,9,,,,loss is nan. Lower optim.lr.",
        "2,unfinished,0.3,,,,",
    ]


def test_sweep_without_results_has_no_best_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show_sweep(tmp_path, "val/auroc", "max", PROGRAM) == []
    assert capsys.readouterr().out == ""
    (job(tmp_path, 0, ["seed=1"]) / "metrics.json").write_text("{damaged")
    assert show_sweep(tmp_path, "val/auroc", "max", PROGRAM) == []
    assert "best:" not in capsys.readouterr().out


@pytest.mark.parametrize(("mode", "value"), [("min", 0.25), ("max", 0.5)])
def test_job_without_a_test_is_ranked_by_its_learning_curve(
    tmp_path: Path, mode: str, value: float
) -> None:
    directory = job(tmp_path, 0, [], "test: false")
    rows = "epoch,val/loss\n0,0.5\n1,\n2,nan\n3,0.25\n4,0.4\n"
    (directory / "metrics.csv").write_text(rows)
    [found] = read_sweep(tmp_path, "val/loss", mode)
    assert (found.state, found.value) == ("unfinished", None)
    (directory / "report.html").touch()
    [found] = read_sweep(tmp_path, "val/loss", mode)
    assert (found.state, found.value, found.test) == ("finished", value, {})
    [found] = read_sweep(tmp_path, "val/f1", mode)
    assert found.value is None


def test_single_job_shows_all_overrides(tmp_path: Path) -> None:
    result(job(tmp_path, 0, ["seed=1", "model=vgg16"]), 0.5, 0.5)
    jobs = read_sweep(tmp_path, "val/auroc", "max")
    write_sweep_csv(tmp_path / "out.csv", jobs, "val/auroc")
    header = (tmp_path / "out.csv").read_text().splitlines()[0]
    assert header == "job,state,seed,model,val/auroc,test/auroc,test/accuracy,error"


def test_job_without_a_configuration_is_unfinished(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    [found] = read_sweep(tmp_path, "val/auroc", "max")
    assert (found.state, found.overrides) == ("unfinished", ())


def test_comparison_is_written_and_pairs_with_the_best_run_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, val in enumerate((0.6, 0.9, 0.7, 0.5)):
        make_run(tmp_path / str(number), made(60, sharpness=1 + number), config={"seed": number})
        metrics = json.loads((tmp_path / str(number) / "metrics.json").read_text())
        metrics["val"] = {"auroc": {"value": val}}
        (tmp_path / str(number) / "metrics.json").write_text(json.dumps(metrics))
    # This job was not tested.
    result(job(tmp_path, 4, ["seed=4"]), 0.99, 0.5)
    assert show_sweep(tmp_path, "val/auroc", "max", PROGRAM) == []
    found = json.loads((tmp_path / "compare.json").read_text())
    assert [run["name"] for run in found["runs"]] == ["1", "2", "0", "3"]
    assert len(found["pairs"]) == 6
    assert found["repeats"][0]["runs"] == ["1", "2", "0", "3"]
    assert len((tmp_path / "compare.csv").read_text().splitlines()) == 5
    assert len((tmp_path / "pairs.csv").read_text().splitlines()) == 7
    shown = capsys.readouterr().out
    assert all(f"1 - {other}" in shown for other in "203")
    assert "2 - 0" not in shown
    assert "3 of 6 pairs are shown: those with the best run, 1" in shown
    assert shown.splitlines()[-2:][0] == f"sweep: {tmp_path}"


def test_failed_comparison_is_explained(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_sweep(sweep, "val/auroc", "max", PROGRAM)
    assert (
        "The jobs were not compared: 0 jobs were tested, at least two are needed."
        in capsys.readouterr().out
    )
    for number in ("0", "10"):
        (sweep / number / "predictions").mkdir()
        (sweep / number / "predictions" / "test.csv").write_text("damaged")
    show_sweep(sweep, "val/auroc", "max", PROGRAM)
    assert "The jobs were not compared: " in (shown := capsys.readouterr().out)
    assert "test.csv, line 1" in shown
    show_sweep(sweep, "val/auroc", "max", PROGRAM, compared=False)
    assert "compared" not in capsys.readouterr().out


def test_explanations_of_pairs_without_comparison_are_limited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        make_run(tmp_path / str(number), made(20 + number))
    show_sweep(tmp_path, "val/auroc", "max", PROGRAM)
    lines = [x for x in capsys.readouterr().out.splitlines() if x.startswith("not compared")]
    assert len(lines) == 4
    assert lines[-1] == "not compared: 2 more pairs, see compare.json"
