"""Tested runs that are compared."""

from dataclasses import replace

import numpy as np
import pytest
from made_runs import CONFIG, made, make_run

from xray.errors import RunError
from xray.runs.finished import difference_of_sets, read_runs, repeats


def test_names_are_the_shortest_distinct_ends_of_paths(tmp_path):
    runs = [make_run(tmp_path / name, made(8)) for name in ("x/0", "y/0", "y/1")]
    assert [run.name for run in read_runs(runs)] == ["x/0", "y/0", "y/1"]
    assert [run.name for run in read_runs(runs[1:])] == ["0", "1"]
    with pytest.raises(RunError, match="0 was passed twice"):
        read_runs([runs[0], runs[0]])


def test_images_are_sorted_by_path_and_decided_at_the_threshold_of_the_run(tmp_path):
    given = made(12)
    order = np.random.default_rng(0).permutation(12)
    mixed = replace(
        given,
        paths=[given.paths[k] for k in order],
        patients=[given.patients[k] for k in order],
        targets=given.targets[order],
        probabilities=given.probabilities[order],
    )
    one, other = read_runs(
        [make_run(tmp_path / "a", given), make_run(tmp_path / "b", mixed, threshold=0.2)]
    )
    assert one.predictions.paths == other.predictions.paths == sorted(given.paths)
    np.testing.assert_array_equal(one.predictions.probabilities, other.predictions.probabilities)
    predicted = other.predictions.probabilities[:, 1] > 0.2
    np.testing.assert_array_equal(other.predictions.predicted, predicted)
    assert difference_of_sets(one, other) is None


def test_a_run_without_test_predictions(tmp_path):
    run = make_run(tmp_path / "a", made(5))
    (run / "predictions" / "test.csv").unlink()
    with pytest.raises(RunError, match=r"no predictions/test\.csv\. Test it with `python -m x"):
        read_runs([run])
    with pytest.raises(RunError, match=r"nowhere has no .*Pass a directory that"):
        read_runs([tmp_path / "nowhere"])


def test_damaged_runs(tmp_path):
    run = make_run(tmp_path / "a", made(5))
    (run / "metrics.json").write_text('{"val": {}}')
    with pytest.raises(RunError, match=r"has no test metrics\. Write them with"):
        read_runs([run])
    other = make_run(tmp_path / "b", made(5))
    (other / ".hydra" / "config.yaml").write_text("a: [")
    with pytest.raises(RunError, match=r"config\.yaml cannot be read"):
        read_runs([other])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda p: replace(p, classes=("normal", "covid")),
            "different classes: normal, ",
        ),
        (
            lambda p: replace(p, paths=["z.png", *p.paths[1:]]),
            "1 test images are only in a, 1 only in b, for example 0.png",
        ),
        (
            lambda p: replace(p, targets=1 - p.targets),
            "6 test images have a different class, for example 0.png",
        ),
        (
            lambda p: replace(p, patients=["q", *p.patients[1:]]),
            "1 test images have a different patient, for example 0.png",
        ),
    ],
)
def test_differences_of_the_test_images(tmp_path, change, why):
    given = made(6)
    one, other = read_runs(
        [make_run(tmp_path / "a", given), make_run(tmp_path / "b", change(given))]
    )
    text = difference_of_sets(one, other)
    assert text is not None
    assert text.startswith(why)


def test_repeats_differ_in_seed_or_fold_only(tmp_path):
    configs = {
        "a": CONFIG,
        "b": CONFIG | {"seed": 1, "tag": "b"},
        "c": CONFIG | {"data": {"split_seed": 4, "size": 224, "fold": 2}},
        "d": CONFIG | {"data": {"split_seed": 0, "size": 320}},
        "e": CONFIG | {"model": "resnet50"},
    }
    runs = read_runs(
        [make_run(tmp_path / name, made(5), config=config) for name, config in configs.items()]
    )
    assert [[run.name for run in group] for group in repeats(runs)] == [["a", "b", "c"]]
