import io

import pytest
from made_runs import made
from rich.console import Console

from xray.errors import RunError
from xray.evaluation.testing import correct_prior, read_val, write_results
from xray.evaluation.thresholds import decide
from xray.runs.store import read_json
from xray.stats.rule import HEADLINE, parse_rule


def test_what_is_fitted_on_val_is_measured_elsewhere(tmp_path):
    shown = io.StringIO()
    console = Console(file=shown, width=160)
    write_results(tmp_path, {"val": made(60), "test": made(80, seed=1)}, console)
    metrics = read_json(tmp_path / "metrics.json")
    assert "operating_points" not in metrics["val"]
    assert "calibration" not in metrics["val"]
    assert len(metrics["test"]["operating_points"]) == 4
    assert metrics["test"]["calibration"]["temperature"] is not None
    assert "Operating points on test, chosen on val" in shown.getvalue()
    value = metrics["test"]["auroc"]
    assert f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" in shown.getvalue()


def test_evaluating_again_takes_val_from_the_run_and_changes_nothing(tmp_path):
    console = Console(file=io.StringIO())
    write_results(tmp_path, {"val": made(60), "test": made(80, seed=1)}, console)
    before = (tmp_path / "metrics.json").read_bytes()
    val = read_val(tmp_path, HEADLINE)
    write_results(tmp_path, {"test": made(80, seed=1)}, console, val=val)
    assert (tmp_path / "metrics.json").read_bytes() == before


def test_another_folders_val_is_measured_by_the_runs_own(tmp_path):
    own, other = made(60), made(80, seed=1)
    rule = parse_rule("youden")
    write_results(tmp_path, {"val": other}, Console(file=io.StringIO()), rule=rule, val=own)
    entry = read_json(tmp_path / "metrics.json")["val"]
    assert entry["threshold"] == pytest.approx(decide(own, rule, own).threshold)
    assert entry["threshold"] != pytest.approx(decide(other, rule, other).threshold)
    assert entry["operating_points"]


def test_another_rule_is_the_headline_and_an_operating_point(tmp_path):
    rule = parse_rule("sens@0.99")
    splits = {"val": made(60), "test": made(80, seed=1)}
    write_results(tmp_path, splits, Console(file=io.StringIO()), rule=rule)
    test = read_json(tmp_path / "metrics.json")["test"]
    first = test["operating_points"][0]
    assert first["rule"] == "sens@0.99"
    assert first["threshold"] == test["threshold"] != 0.5
    assert first["sensitivity"]["value"] == test["recall"]["value"]
    assert len(test["operating_points"]) == 5


def test_what_validation_teaches_is_kept_beside_the_checkpoints(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    rule, console = parse_rule("sens@0.95"), Console(file=io.StringIO())
    splits = {"val": made(60), "test": made(80, seed=1)}
    write_results(tmp_path, splits, console, rule=rule)
    kept = read_json(tmp_path / "checkpoints" / "operating_points.json")
    test = read_json(tmp_path / "metrics.json")["test"]
    assert (kept["rule"], kept["images"], kept["patients"]) == ("sens@0.95", 60, 60)
    assert kept["classes"] == ["normal", "pneumonia"]
    assert kept["thresholds"] == {p["rule"]: p["threshold"] for p in test["operating_points"]}
    assert kept["thresholds"]["sens@0.95"] == test["threshold"]
    assert kept["temperature"] == test["calibration"]["temperature"]
    # Of another folder's images nothing is kept.
    write_results(tmp_path, {"val": made(80, seed=2)}, console, rule=rule, val=made(60))
    assert read_json(tmp_path / "checkpoints" / "operating_points.json") == kept


def test_thresholds_are_kept_whole(tmp_path):
    val, test = made(60), made(80, seed=1)
    for predictions in (val, test):
        predictions.probabilities[:, 1] *= 1e-12
        predictions.probabilities[:, 0] = 1 - predictions.probabilities[:, 1]
    rule = parse_rule("spec@0.90")
    write_results(tmp_path, {"val": val, "test": test}, Console(file=io.StringIO()), rule=rule)
    entry = read_json(tmp_path / "metrics.json")["test"]
    assert entry["threshold"] == decide(test, rule, val).threshold > 0
    assert 0 < entry["specificity"]["value"] < 1


def test_metrics_of_before_stand_beside(tmp_path):
    shown = io.StringIO()
    console, other = Console(file=shown, width=160), made(30, seed=4)
    write_results(tmp_path / "a", {"test": made(80, seed=1)}, console)
    own = read_json(tmp_path / "a" / "metrics.json")["test"]
    write_results(tmp_path / "b", {"test": other}, console, beside={"own test": own})
    assert "own test" not in read_json(tmp_path / "b" / "metrics.json")
    table = shown.getvalue().split("own test")[1]
    assert f"{own['auroc']['value']:.3f}" in table
    # Thresholds are alike here; where they are not, each is told of its column.
    assert "test: positive" not in shown.getvalue()
    write_results(
        tmp_path / "b", {"test": other}, console, beside={"own test": own | {"threshold": 0.3}}
    )
    assert "own test: positive: pneumonia, above a probability of 0.3" in shown.getvalue()


def test_without_val_a_rule_says_what_to_do(tmp_path):
    assert read_val(tmp_path, HEADLINE) is None
    with pytest.raises(RunError, match=r"threshold=youden is chosen on .*val\.csv, which is missi"):
        read_val(tmp_path, parse_rule("youden"))


def test_a_prior_cannot_be_corrected_without_validation_images():
    with pytest.raises(RunError, match=r"predictions/val\.csv of the run, which is missing"):
        correct_prior(made(20), None, Console())
