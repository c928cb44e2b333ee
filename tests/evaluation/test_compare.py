import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from made_runs import CONFIG, made, make_run
from rich.console import Console

from xray.evaluation.compare import compare
from xray.reporting.comparison import write_comparison
from xray.runs.finished import read_runs
from xray.stats.tests import delong_test, mcnemar


def noisy(predictions, seed: int, scale: float = 2.0):
    """Return predictions of the same images with noise."""
    rng = np.random.default_rng(seed)
    noise = np.exp(scale * rng.normal(size=predictions.probabilities.shape))
    odds = predictions.probabilities * noise
    return replace(predictions, probabilities=odds / odds.sum(axis=1, keepdims=True))


@pytest.fixture
def three(tmp_path):
    """Return a run, a worse one with another seed, and one with other images."""
    good = made(300, sharpness=1.0)
    return read_runs(
        [
            make_run(tmp_path / "good", good, auroc={"value": 0.8, "low": 0.7, "high": 0.9}),
            make_run(
                tmp_path / "bad",
                noisy(good, 1),
                config=CONFIG | {"seed": 1},
                auroc={"value": 0.6, "low": 0.5, "high": 0.7},
            ),
            make_run(tmp_path / "other", made(40), config=CONFIG | {"model": "resnet50"}),
        ]
    )


def test_pairs_are_compared_image_by_image(three):
    found = compare(three)
    [pair] = found["pairs"]
    one, other = three[0].predictions, three[1].predictions
    assert (pair["a"], pair["b"]) == ("good", "bad")
    correct = [p.predicted == p.targets for p in (one, other)]
    assert pair["accuracy"]["value"] == pytest.approx(correct[0].mean() - correct[1].mean())
    assert pair["auroc"]["low"] > 0
    p = delong_test(one.targets == 1, one.probabilities[:, 1], other.probabilities[:, 1])
    assert pair["delong"]["p"] == pytest.approx(p, rel=1e-5)
    assert pair["mcnemar"]["p"] == pytest.approx(mcnemar(*correct), rel=1e-5)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_runs_with_other_images_are_not_paired(three):
    found = compare(three)
    assert [(u["a"], u["b"]) for u in found["unpaired"]] == [("good", "other"), ("bad", "other")]
    assert found["unpaired"][0]["why"].startswith("260 test images are only in good, 0 only in ot")
    assert [run["n"] for run in found["runs"]] == [300, 300, 40]


def test_spread_over_seeds_exact_values(three):
    [group] = compare(three)["repeats"]
    assert group["runs"] == ["good", "bad"]
    assert group["metrics"]["auroc"] == {
        "mean": pytest.approx(0.7),
        "sd": pytest.approx(0.02**0.5),
        "min": 0.6,
        "max": 0.8,
    }


def test_paired_intervals_are_narrow(tmp_path):
    good = made(300)
    runs = [make_run(tmp_path / "a", good), make_run(tmp_path / "b", noisy(good, 1, 0.2))]
    [pair] = compare(read_runs(runs))["pairs"]
    assert pair["auroc"]["high"] - pair["auroc"]["low"] < 0.05


def test_equal_predictions_do_not_differ(tmp_path):
    runs = [make_run(tmp_path / name, made(50)) for name in "ab"]
    [pair] = compare(read_runs(runs))["pairs"]
    assert pair["auroc"] == {"value": 0.0, "low": None, "high": None}
    assert pair["delong"] == pair["mcnemar"] == {"p": 1.0, "holm": 1.0}


def test_p_values_are_corrected_for_the_number_of_pairs(tmp_path):
    good = made(200)
    runs = read_runs(
        [make_run(tmp_path / f"r{k}", noisy(good, k) if k else good) for k in range(3)]
    )
    pairs = compare(runs)["pairs"]
    assert len(pairs) == 3
    smallest = min(pairs, key=lambda pair: pair["mcnemar"]["p"])
    assert smallest["mcnemar"]["holm"] == pytest.approx(min(1, 3 * smallest["mcnemar"]["p"]))


def test_three_classes_have_no_delong(tmp_path):
    runs = [make_run(tmp_path / name, made(60, k=3), threshold=None) for name in "ab"]
    [pair] = compare(read_runs(runs))["pairs"]
    assert pair["delong"] == {"p": None, "holm": None}
    assert pair["mcnemar"]["p"] == 1.0


def test_tables_and_files(three, tmp_path):
    shown = io.StringIO()
    found = compare(three)
    write_comparison(tmp_path / "out", found, Console(file=shown, width=200))
    text = shown.getvalue()
    assert "0.800 [0.700, 0.900]" in text
    assert "good - bad" in text
    assert "0.700 ± 0.141" in text
    assert "not compared: good and other: 260 test images are only in good" in text
    assert "independent" not in text
    assert json.loads((tmp_path / "out" / "compare.json").read_text()) == found
    with (tmp_path / "out" / "compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["good", "bad", "other"]
    assert (rows[0]["auroc"], rows[0]["auroc_low"], rows[2]["auroc"]) == ("0.8", "0.7", "")
    with (tmp_path / "out" / "pairs.csv").open() as file:
        [pair] = csv.DictReader(file)
    assert float(pair["delong_p"]) == found["pairs"][0]["delong"]["p"]
    assert float(pair["auroc_low"]) == found["pairs"][0]["auroc"]["low"]


def test_comparison_states_that_tests_ignore_patients(tmp_path):
    twice = replace(made(50), patients=[f"p{k // 2}" for k in range(50)])
    runs = read_runs([make_run(tmp_path / name, twice) for name in "ab"])
    shown = io.StringIO()
    write_comparison(tmp_path, compare(runs), Console(file=shown, width=200))
    assert "The p-values assume independent images" in shown.getvalue()
