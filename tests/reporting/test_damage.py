"""Unexpected values in the files of a run never prevent its report."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from xray.reporting.damage import section
from xray.reporting.html import make_page, render, write_report
from xray.reporting.page import Picture, Text
from xray.runs.run import read_run

FIXTURE = Path(__file__).parents[1] / "fixtures" / "run_v0_1" / "outputs" / "train" / "run"
FILES = [
    "metrics.json",
    "data.json",
    "environment.json",
    "shortcuts.json",
    "gradcam/test/scorecard.json",
    "external/images_e2fe9d/metrics.json",
    ".hydra/config.yaml",
]
OTHERS = (None, 7, -1.5, "text", "<script>", True, [], [None], {}, {"value": "x"}, float("nan"))


def variants(content: Any, depth: int) -> Iterator[Any]:
    """Yield copies of a JSON value in which one part has another type."""
    yield from OTHERS
    if not isinstance(content, dict | list) or depth == 0:
        return
    items = content.items() if isinstance(content, dict) else enumerate(content)
    # The first two members of a list are representative.
    for key, value in list(items)[: None if isinstance(content, dict) else 2]:
        for other in variants(value, depth - 1):
            changed = dict(content) if isinstance(content, dict) else list(content)
            changed[key] = other
            yield changed


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a copy of a run; its pictures are not decoded, which takes most of the time."""
    for module in ("result_sections", "detail_sections"):
        monkeypatch.setattr(
            f"xray.reporting.{module}.embed", lambda _, *texts, **__: Picture(*texts)
        )
    ignored = shutil.ignore_patterns("*.ckpt", "events*")
    return shutil.copytree(FIXTURE, tmp_path / "run", ignore=ignored)


def read(path: Path) -> Any:
    return (
        yaml.safe_load(path.read_text()) if path.suffix == ".yaml" else json.loads(path.read_text())
    )


@pytest.mark.parametrize("name", FILES)
def test_values_of_another_type_never_prevent_a_report(run, name):
    content = read(run / name)
    found = list(variants(content, 4))
    for changed in found[:: max(1, len(found) // 30)]:
        (run / name).write_text(json.dumps(changed))
        page = make_page(read_run(run))
        assert "Research only" in render(page, "report.html")
        assert "Research only" in render(page, "report.md")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FILES, "predictions/test.csv", "gradcam/test/index.csv"])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\0\0", b"[" * 100_000, b'"\0"', b"a,b\n1"]
)
def test_damaged_files_never_prevent_a_report(run, name, content):
    (run / name).write_bytes(content)
    page = make_page(read_run(run))
    assert "Research only" in render(page, "report.html")


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    ["epoch,step,val/loss\n0,1,high\n", "epoch,step\n\0\n", "epoch\n0,1,2\n", "x" * 200_000],
)
def test_damaged_learning_curves_never_prevent_a_report(run, content):
    (run / "metrics.csv").write_text(content)
    assert "Research only" in write_report(run).read_text()


@pytest.mark.slow
def test_files_linked_from_elsewhere_are_not_read(run, tmp_path):
    secret = {"test": {"n": 424242, "classes": ["a", "b"], "auroc": 0.5}}
    (tmp_path / "secret.json").write_text(json.dumps(secret))
    with (tmp_path / "secret.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "path"], ["secretname.png", "secretname.png"]])
    (run / "metrics.json").unlink()
    (run / "metrics.json").symlink_to(tmp_path / "secret.json")
    (run / "gradcam" / "test" / "index.csv").unlink()
    (run / "gradcam" / "test" / "index.csv").symlink_to(tmp_path / "secret.csv")
    text = write_report(run).read_text()
    assert "424,242" not in text
    assert "secretname" not in text
    assert "Damaged files" in text


def test_large_files_are_not_read(run, monkeypatch):
    monkeypatch.setattr("xray.runs.reading.MAX_BYTES", 10_000)
    (run / "data.json").write_text(json.dumps({"root": "x" * 20_000}))
    page = make_page(read_run(run))
    assert page.sections[0].title == "Damaged files"
    assert "data.json" in page.sections[0].blocks[0].text


def test_only_the_damaged_part_of_a_section_is_left_out(caplog):
    def damaged():
        yield Text("before the damage")
        raise KeyError("name")

    found = section("Title", lambda: [Text("first")], damaged, lambda: [Text("last")])
    texts = [block.text for block in found.blocks]
    assert texts[0] == "first"
    assert "left out" in texts[-2]
    assert "'name'" in texts[-2]
    assert texts[-1] == "last"
    assert "Title" in caplog.text
