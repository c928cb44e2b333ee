"""write_results: metrics.json, operating points fitted on validation images, terminal tables."""

import io

import pytest
from made_runs import made
from rich.console import Console

from xray.evaluation.testing import read_val
from xray.evaluation.thresholds import decide
from xray.reporting.results import write_results
from xray.runs.reading import read_json
from xray.stats.rule import HEADLINE, parse_rule


def quiet() -> Console:
    return Console(file=io.StringIO(), width=160)


@pytest.mark.slow
def test_operating_points_fitted_on_val_are_reported_for_test_only(tmp_path):
    console = quiet()
    write_results(tmp_path, {"val": made(60), "test": made(80, seed=1)}, console)
    metrics = read_json(tmp_path / "metrics.json")
    assert "operating_points" not in metrics["val"]
    assert "calibration" not in metrics["val"]
    assert len(metrics["test"]["operating_points"]) == 4
    assert metrics["test"]["calibration"]["temperature"] is not None
    shown = console.file.getvalue()
    assert "Operating points on test, chosen on val" in shown
    value = metrics["test"]["auroc"]
    assert f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" in shown


@pytest.mark.slow
def test_evaluating_again_changes_nothing(tmp_path):
    console = quiet()
    write_results(tmp_path, {"val": made(60), "test": made(80, seed=1)}, console)
    before = (tmp_path / "metrics.json").read_bytes()
    val = read_val(tmp_path, HEADLINE)
    write_results(tmp_path, {"test": made(80, seed=1)}, console, val=val)
    assert (tmp_path / "metrics.json").read_bytes() == before


@pytest.mark.slow
def test_threshold_of_another_dataset_is_fitted_on_the_runs_own_val(tmp_path):
    own, other = made(60), made(80, seed=1)
    rule = parse_rule("youden")
    write_results(tmp_path, {"val": other}, quiet(), rule=rule, val=own)
    entry = read_json(tmp_path / "metrics.json")["val"]
    assert entry["threshold"] == pytest.approx(decide(own, rule, own).threshold)
    assert entry["threshold"] != pytest.approx(decide(other, rule, other).threshold)
    assert entry["operating_points"]


@pytest.mark.slow
def test_selected_rule_sets_the_headline_threshold_and_adds_an_operating_point(tmp_path):
    rule = parse_rule("sens@0.99")
    splits = {"val": made(60), "test": made(80, seed=1)}
    write_results(tmp_path, splits, quiet(), rule=rule)
    test = read_json(tmp_path / "metrics.json")["test"]
    first = test["operating_points"][0]
    assert first["rule"] == "sens@0.99"
    assert first["threshold"] == test["threshold"] != 0.5
    assert first["sensitivity"]["value"] == test["recall"]["value"]
    assert len(test["operating_points"]) == 5


@pytest.mark.slow
def test_fitted_operating_points_are_stored_with_the_checkpoints(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    rule = parse_rule("sens@0.95")
    splits = {"val": made(60), "test": made(80, seed=1)}
    write_results(tmp_path, splits, quiet(), rule=rule)
    stored = read_json(tmp_path / "checkpoints" / "operating_points.json")
    test = read_json(tmp_path / "metrics.json")["test"]
    assert (stored["rule"], stored["images"], stored["patients"]) == ("sens@0.95", 60, 60)
    assert stored["classes"] == ["normal", "pneumonia"]
    assert stored["thresholds"] == {p["rule"]: p["threshold"] for p in test["operating_points"]}
    assert stored["thresholds"]["sens@0.95"] == test["threshold"]
    assert stored["temperature"] == test["calibration"]["temperature"]
    # Predictions of another dataset do not change the stored operating points.
    write_results(tmp_path, {"val": made(80, seed=2)}, quiet(), rule=rule, val=made(60))
    assert read_json(tmp_path / "checkpoints" / "operating_points.json") == stored


@pytest.mark.slow
def test_tiny_thresholds_are_stored_without_rounding(tmp_path):
    val, test = made(60), made(80, seed=1)
    for predictions in (val, test):
        predictions.probabilities[:, 1] *= 1e-12
        predictions.probabilities[:, 0] = 1 - predictions.probabilities[:, 1]
    rule = parse_rule("spec@0.90")
    write_results(tmp_path, {"val": val, "test": test}, quiet(), rule=rule)
    entry = read_json(tmp_path / "metrics.json")["test"]
    assert entry["threshold"] == decide(test, rule, val).threshold > 0
    assert 0 < entry["specificity"]["value"] < 1


@pytest.mark.slow
def test_further_metrics_are_shown_but_not_written(tmp_path):
    console, other = quiet(), made(30, seed=4)
    write_results(tmp_path / "a", {"test": made(80, seed=1)}, console)
    own = read_json(tmp_path / "a" / "metrics.json")["test"]
    write_results(tmp_path / "b", {"test": other}, console, beside={"own test": own})
    assert "own test" not in read_json(tmp_path / "b" / "metrics.json")
    shown = console.file.getvalue()
    table = shown.split("own test")[1]
    assert f"{own['auroc']['value']:.3f}" in table
    # The thresholds are equal here, so the caption is not repeated for each column.
    assert "test: positive" not in shown
    beside = {"own test": own | {"threshold": 0.3}}
    write_results(tmp_path / "b", {"test": other}, console, beside=beside)
    assert "own test: positive class: pneumonia" in console.file.getvalue()
