"""The bench at a tiny size: that it runs and what it writes, never how long anything takes."""

import json

import pytest

from benchmarks import run, training
from benchmarks.limits import limits
from benchmarks.setting import Setting, Timed, ours, plain
from benchmarks.table import insert, markdown
from xray.imaging.phantom_tree import write_phantom_tree


@pytest.fixture
def setting(tmp_path):
    outputs = tmp_path / "scratch"
    outputs.mkdir()
    return Setting(tmp_path / "set", outputs, epochs=1, size=32, weights="random", pairs=1)


def test_both_loops_train_on_the_same_folder(setting):
    counts = {"train": 6, "val": 4, "test": 4}
    write_phantom_tree(setting.root, patients=counts, views=1, size=32, seed=0)
    for timed in (plain(setting, "head"), ours(setting, setting.outputs, "trainer=cpu")):
        assert 0 <= timed.auroc <= 1
    assert list(setting.outputs.glob("cache/features/train_*.npy"))


def test_a_loop_that_fails_says_why(setting):
    with pytest.raises(SystemExit, match="FileNotFoundError"):
        plain(setting, "head")


def test_limits_are_positive(setting):
    rows = limits(setting, side=64, seconds=0.01)
    assert [row["unit"] for row in rows] == ["GFLOP/s", "GB/s", "images/s"]
    assert all(row["value"] > 0 for row in rows)


def test_ratios_are_medians_of_pairs(setting, monkeypatch):
    bases = iter([Timed(10.0, 0.7), Timed(30.0, 0.8), Timed(12.0, 0.9)])
    own = iter(Timed(s, 1.0) for s in (5.0, 1.0, 10.0, 2.0, 4.0, 3.0))
    monkeypatch.setattr(training, "plain", lambda *_: next(bases))
    monkeypatch.setattr(training, "ours", lambda *_: next(own))
    cold, warm = training.block5(Setting(setting.root, setting.outputs, 1, 32, "random", 3))
    assert cold == {
        "name": "block5, cold cache, views=1",
        "base_seconds": 12.0,
        "seconds": 5.0,
        # Of 10 / 5, 30 / 10 and 12 / 4.
        "ratio": 3.0,
        "base_auroc": 0.9,
        "auroc": 1.0,
    }
    # Of 10 / 1, 30 / 2 and 12 / 3.
    assert warm["ratio"] == 10.0


def test_a_bench_in_parts_keeps_what_is_finished(tmp_path, monkeypatch):
    calls = []

    def family(name):
        def rows(setting):
            calls.append(name)
            return [{"name": name, "value": 2.0, "unit": "GB/s"}]

        return rows

    monkeypatch.setattr(run, "FAMILIES", {name: family(name) for name in ("limits", "head")})
    readme = tmp_path / "README.md"
    readme.write_text("above\n<!-- bench -->\nold\n<!-- /bench -->\nbelow\n")
    tiny = ["n=4", "m=4", "size=32", "epochs=1"]
    path = run.main([*tiny, "only=limits"], tmp_path, readme)
    run.main(tiny, tmp_path, readme)
    assert calls == ["limits", "head"]
    assert list(json.loads(path.read_text())["rows"]) == ["limits", "head"]
    text = readme.read_text()
    assert text.startswith("above\n<!-- bench -->\n")
    assert text.endswith("<!-- /bench -->\nbelow\n")
    assert "head 2 GB/s" in text
    assert "old" not in text
    # Rows of another setting are not mixed with these.
    run.main([*tiny, "epochs=2", "only=head"], tmp_path, readme)
    assert list(json.loads(path.read_text())["rows"]) == ["head"]


@pytest.mark.parametrize("word", ["epoch=3", "only=heads"])
def test_what_is_mistyped_is_refused(word, tmp_path):
    with pytest.raises(SystemExit, match=r"unknown: epoch|only=heads"):
        run.main([word], tmp_path, tmp_path / "README.md")


def test_the_table_and_a_file_without_markers(tmp_path):
    row = {"name": "head", "base_seconds": 50.0, "seconds": 5.04, "ratio": 9.92}
    row |= {"base_auroc": 0.9876, "auroc": None}
    table = markdown({"machine": "M", "setting": "S", "rows": {"head": [row]}})
    assert table.splitlines()[-1] == "| head | 50.0 | 5.0 | 9.9 | 0.988, - |"
    path = tmp_path / "plain.md"
    path.write_text("no markers")
    assert not insert(path, table)
    assert path.read_text() == "no markers"
