"""Run directories made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from made_runs import CONFIG, made, make_run

from xray.errors import RunError
from xray.runs.finished import difference_of_sets, read_runs, repeats, sweep_directories


def test_runs_are_named_by_what_tells_them_apart(tmp_path):
    runs = [make_run(tmp_path / name, made(8)) for name in ("x/0", "y/0", "y/1")]
    assert [run.name for run in read_runs(runs)] == ["x/0", "y/0", "y/1"]
    assert [run.name for run in read_runs(runs[1:])] == ["0", "1"]
    with pytest.raises(RunError, match="0 is given twice"):
        read_runs([runs[0], runs[0]])


def test_images_come_by_path_and_are_decided_as_the_run_did(tmp_path):
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
    called = other.predictions.probabilities[:, 1] > 0.2
    np.testing.assert_array_equal(other.predictions.predicted, called)
    assert difference_of_sets(one, other) is None


def test_a_run_that_was_not_tested_says_how(tmp_path):
    run = make_run(tmp_path / "a", made(5))
    (run / "predictions" / "test.csv").unlink()
    with pytest.raises(RunError, match=r"lacks predictions/test\.csv. Test it with `python -m x"):
        read_runs([run])
    with pytest.raises(RunError, match=r"nowhere lacks .*Name a directory that"):
        read_runs([tmp_path / "nowhere"])


def test_damaged_runs(tmp_path):
    run = make_run(tmp_path / "a", made(5))
    (run / "metrics.json").write_text('{"val": {}}')
    with pytest.raises(RunError, match=r"has no test metrics\. Write it with"):
        read_runs([run])
    other = make_run(tmp_path / "b", made(5))
    (other / ".hydra" / "config.yaml").write_text("a: [")
    with pytest.raises(RunError, match=r"cannot be read: .* Leave that run out"):
        read_runs([other])


def test_jobs_of_a_sweep_that_were_tested(tmp_path):
    for name in ("10", "2", "notes"):
        make_run(tmp_path / name, made(5))
    (tmp_path / "3").mkdir()
    assert [job.name for job in sweep_directories(tmp_path)] == ["2", "10"]
    with pytest.raises(RunError, match="holds 0 tested jobs, and two are needed"):
        sweep_directories(tmp_path / "2")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda p: replace(p, classes=("normal", "covid")), "other classes: normal, pneumonia, "),
        (
            lambda p: replace(p, paths=["z.png", *p.paths[1:]]),
            "1 test images are only in a, 1 only in b, such as 0.png",
        ),
        (
            lambda p: replace(p, targets=1 - p.targets),
            "6 test images have another class, such as 0.png",
        ),
        (
            lambda p: replace(p, patients=["q", *p.patients[1:]]),
            "1 test images have another patient, such as 0.png",
        ),
    ],
)
def test_other_test_images_are_said(tmp_path, change, why):
    given = made(6)
    one, other = read_runs(
        [make_run(tmp_path / "a", given), make_run(tmp_path / "b", change(given))]
    )
    said = difference_of_sets(one, other)
    assert said is not None
    assert said.startswith(why)


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
