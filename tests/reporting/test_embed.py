"""Pictures of an untrusted run directory are embedded safely or left out with a reason."""

import base64
import csv
import io
import os
import struct
import zlib

import pytest
from PIL import Image

from xray.reporting import embed as module
from xray.reporting.embed import CHART_WIDTH, WIDTH, embed
from xray.reporting.html import write_report


def bomb(width: int, height: int, lines: int = 1) -> bytes:
    """Return a PNG whose header announces more pixels than it has data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes((width + 1) * lines))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])))


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run" / "figures").mkdir(parents=True)
    return tmp_path / "run"


def test_wide_pictures_are_scaled_down(run):
    Image.new("L", (4000, 1000)).save(run / "a.png")
    photograph = embed(run, "a.png", "alt", "caption")
    assert (photograph.alt, photograph.caption, photograph.problem) == ("alt", "caption", "")
    assert photograph.uri.startswith("data:image/jpeg;")
    assert decoded(photograph.uri).size == (WIDTH, WIDTH // 4)
    chart = embed(run, "a.png", "alt", chart=True)
    assert chart.uri.startswith("data:image/png;")
    assert decoded(chart.uri).size == (CHART_WIDTH, CHART_WIDTH // 4)
    Image.new("L", (4000, 1)).save(run / "flat.png")
    assert decoded(embed(run, "flat.png", "alt").uri).size == (WIDTH, 1)


@pytest.mark.parametrize("side", [7_000, 10_000, 12_000, 20_000, 60_000])
def test_picture_bombs_are_not_decoded(run, side, monkeypatch):
    def convert(*_):
        raise AssertionError("decoded")

    (run / "bomb.png").write_bytes(bomb(side, side))
    monkeypatch.setattr(Image.Image, "convert", convert)
    found = embed(run, "bomb.png", "alt")
    assert found.uri == ""
    assert "pixels" in found.problem
    assert f"{module.MAX_PIXELS:,}" in found.problem


def test_large_files_are_not_opened(run, monkeypatch):
    with (run / "large.png").open("wb") as file:
        file.truncate(module.MAX_BYTES + 1)
    assert "64,000,001 bytes" in embed(run, "large.png", "alt").problem


def damaged():
    buffer = io.BytesIO()
    Image.linear_gradient("L").save(buffer, "PNG")
    png = buffer.getvalue()
    buffer = io.BytesIO()
    Image.linear_gradient("L").save(buffer, "GIF")
    return {
        "empty": b"",
        "text": b"no picture",
        "cut": png[: len(png) // 2],
        "broken chunk": png[:40] + b"\xff\xff\xff\xff" + png[44:],
        "other format": buffer.getvalue(),
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }


@pytest.mark.parametrize("name", list(damaged()))
def test_damaged_pictures_and_other_formats_are_left_out(run, name):
    (run / "a.png").write_bytes(damaged()[name])
    found = embed(run, "a.png", "alt")
    assert found.uri == ""
    assert "damaged" in found.problem


@pytest.mark.parametrize(
    "link",
    [
        "../secret.png",
        "figures/../../secret.png",
        "gradcam/test/../../../secret.png",
        "{absolute}",
        "link.png",
        "folder/secret.png",
    ],
)
def test_pictures_outside_the_run_directory_are_left_out(run, tmp_path, link):
    secret = tmp_path / "secret.png"
    Image.new("L", (50, 50)).save(secret)
    (run / "link.png").symlink_to(secret)
    (run / "folder").symlink_to(tmp_path)
    found = embed(run, link.format(absolute=secret), "alt")
    assert (found.uri, found.problem) == ("", "it is outside the run directory")


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("gone.png", "missing"),
        ("figures", "missing"),
        ("pipe", "missing"),
        ("a\0b.png", "not a valid path"),
        ("x" * 5000, "not a valid path"),
        ("loop.png", ""),
    ],
)
def test_other_paths_are_left_out(run, link, reason):
    os.mkfifo(run / "pipe")
    (run / "loop.png").symlink_to(run / "loop.png")
    found = embed(run, link, "alt")
    assert found.uri == ""
    assert reason in found.problem != ""


def test_report_names_the_pictures_that_were_left_out(run, tmp_path):
    (run / "figures" / "test_roc.png").write_bytes(bomb(12_000, 12_000))
    Image.new("L", (50, 50)).save(tmp_path / "secret.png")
    folder = run / "gradcam" / "test"
    folder.mkdir(parents=True)
    (folder / "bomb.png").write_bytes(bomb(20_000, 20_000))
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "path", "label", "truth", "predicted", "probability"])
        for name in ("../../../secret.png", str(tmp_path / "secret.png"), "bomb.png"):
            writer.writerow([name, "a.png", "normal", "normal", "normal", "0.9"])
    html = write_report(run).read_text()
    markdown = (run / "report.md").read_text()
    for text in (html, markdown):
        assert text.count("was left out: ") == 4
        assert text.count("it is outside the run directory") == 1
        # An absolute path is looked up below the gallery.
        assert text.count("the file is missing") == 1
    assert "<img" not in html
    assert "](" not in markdown


def test_charts_are_not_written_through_a_link(tmp_path, caplog):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "figures").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "run" / "metrics.csv").write_text("epoch,step,val/loss\n0,1,0.5\n")
    write_report(tmp_path / "run")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert "out of the run directory" in caplog.text
