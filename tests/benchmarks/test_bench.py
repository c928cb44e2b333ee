"""Options, result file and tables of the benchmark."""

import json

import pytest

from benchmarks import run
from benchmarks.table import insert, markdown

TINY = ["n=4", "m=4", "size=32", "epochs=1"]
LIMIT = {"name": "memcpy", "value": 9.42, "unit": "GB/s"}


@pytest.fixture
def measured(monkeypatch):
    """Replace the families by two that only record their calls and settings."""
    calls = []

    def family(name):
        def rows(setting):
            calls.append((name, setting))
            assert len(list(setting.root.glob("train/*/*"))) == 4
            assert len(list(setting.small.glob("val/*/*"))) == 4
            return [LIMIT]

        return rows

    monkeypatch.setattr(run, "FAMILIES", {name: family(name) for name in ("limits", "gpu2")})
    return calls


@pytest.mark.slow
def test_finished_families_are_kept(tmp_path, measured):
    readme = tmp_path / "README.md"
    readme.write_text("above\n<!-- bench -->\nold\n<!-- /bench -->\nbelow\n")
    path = run.main([*TINY, "only=limits"], tmp_path, readme)
    run.main(TINY, tmp_path, readme)
    assert [name for name, _ in measured] == ["limits", "gpu2"]
    result = json.loads(path.read_text())
    assert list(result["rows"]) == list(result["measured"]) == ["limits", "gpu2"]
    text = readme.read_text()
    assert text.startswith("above\n<!-- bench -->\n")
    assert text.endswith("<!-- /bench -->\nbelow\n")
    assert "memcpy 9.42 GB/s" in text
    assert "old" not in text
    run.main([*TINY, "only=limits", "again=true"], tmp_path, readme)
    assert [name for name, _ in measured] == ["limits", "gpu2", "limits"]
    # Rows of other settings or versions are not mixed with these.
    run.main([*TINY, "views=2", "only=gpu2"], tmp_path, readme)
    assert list(json.loads(path.read_text())["rows"]) == ["gpu2"]
    result = json.loads(path.read_text())
    result["versions"]["torch"] = "1.0"
    path.write_text(json.dumps(result))
    run.main([*TINY, "views=2", "only=limits"], tmp_path, readme)
    assert list(json.loads(path.read_text())["rows"]) == ["limits"]


def test_result_file_contains_no_paths(tmp_path, measured, make_tree):
    root = make_tree({"train/NORMAL": 16, "train/PNEUMONIA": 16})
    weights = tmp_path / "mine.pth"
    weights.write_bytes(b"1")
    asked = [*TINY, f"root={root}", f"weights={weights}", "only=limits"]
    path = run.main(asked, tmp_path / "results", tmp_path / "README.md")
    (_, setting), text = measured[0], path.read_text()
    assert setting.weights == str(weights)
    assert "/" not in text.replace("GB/s", "")
    assert "mine" not in text
    written = json.loads(text)["setting"]
    # SHA-256 of "1".
    assert written["weights"] == "pretrained (SHA-256 6b86b273)"
    assert written["data"] == "X-rays of a folder"
    assert (written["n"], written["views"], written["small_n"]) == (4, 4, 4)


@pytest.fixture(autouse=True)
def readme(tmp_path):
    (tmp_path / "README.md").write_text("no markers")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("epoch=3", "unknown argument: epoch; choose from root, data"),
        ("only=heads", "only=heads is unknown; choose from limits, head"),
        ("n=many", "n=many; expected a whole number"),
        ("pairs=0", "pairs=0; expected a whole number"),
        ("weights=imagenet", "weights=imagenet is not a file"),
    ],
)
def test_wrong_arguments_are_rejected(word, message, tmp_path):
    with pytest.raises(SystemExit, match=message):
        run.main([word], tmp_path, tmp_path / "README.md")


def test_machine_is_described_by_its_kind():
    found = {"cpu": {"model": "M", "cores": 2}, "gpus": []}
    assert run.machine(found) == "M, 2 cores, no GPU"
    assert run.machine({**found, "gpus": ["G", "G"]}) == "M, 2 cores, G, G"


def result(**rows):
    setting = {"data": "D", "n": 5, "m": 4, "epochs": 3, "size": 32, "views": 2, "pairs": 1}
    setting |= {"small_n": 2, "small_m": 1, "batch": 32, "threads": 2, "weights": "random"}
    versions = {"torch": "9.9"}
    measured = {"limits": "2026-01-02", "head": "2026-01-01"}
    made = {"machine": "M", "versions": versions, "setting": setting, "measured": measured}
    return {**made, "rows": rows}


def test_table_of_trainings():
    row = {"name": "head", "against": "loop", "base_seconds": 50.0, "seconds": 5.04}
    row |= {"ratio": 9.92, "base_auroc": 0.9876, "base_best_auroc": 0.99, "base_peak": 3.21e9}
    row |= {"auroc": None, "best_auroc": None, "peak": 1e9}
    heading, table, _ = markdown(result(head=[row])).split("\n\n")
    assert heading == (
        "M; 2 threads; torch 9.9; 2026-01-02. 5 training and 4 validation images (D), 32 px, "
        "3 epochs, batches of 32, random weights; each training once."
    )
    assert table.splitlines()[1] == "| --- | --- | --: | --: | --: | --: | --: |"
    assert table.splitlines()[2] == (
        "| head | loop | 50.0 | 5.0 | **9.9** | 0.988 (0.990) / - | 3.2 / 1.0 |"
    )


def test_other_tables():
    base = {"base_seconds": 10.0, "seconds": 25.0, "ratio": 0.4, "base_peak": 1e9, "peak": 2e9}
    sweep = base | {"name": "20 heads", "against": "one", "multiple": 2.5}
    maps = {"name": "Grad-CAM", "against": "theirs", "base_seconds": 6.0, "seconds": 2.0}
    maps |= {"ratio": 3.0, "difference": 2.4e-7}
    cost = {"seconds": 0.125, "gflop": 30.694, "peak": 1.5e9}
    speed = {"name": "all", "against": "bare loop", "base_speed": 200.0, "speed": 150.0}
    rows = {"sweep": [sweep], "gradcam": [maps], "limits": [LIMIT, LIMIT | {"value": 437.2}]}
    rows |= {"costs": [{"name": "all", "pixels": cost}]}
    rows |= {"gpu": [speed | {"share": 75.0}, {"name": "head", "against": "", "speed": 9.0}]}
    text = markdown(result(**rows))
    assert (
        "20 heads: 25.0 s, 2.5 times the time of one (10.0 s); 2.0 GB compared with 1.0 GB." in text
    )
    assert "Grad-CAM: 2.00 s, 3.0 times as fast as theirs (6.00 s); the maps, from 0 to 1, " in text
    assert "differ by 2e-07 at most." in text
    assert "| all | - | - | - | 0.12 | 30.7 | 1.5 |" in text
    assert "Limits: memcpy 9.42 GB/s; memcpy 437 GB/s." in text
    assert "| all | 150 | 75 % of a bare loop (200) |" in text
    assert "| head | 9 | - |" in text
    assert markdown(result()).count("\n") == 0


def test_file_without_markers_is_not_changed(tmp_path):
    assert not insert(tmp_path / "README.md", "table")
    assert (tmp_path / "README.md").read_text() == "no markers"
