import io
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from xray.errors import ImageError
from xray.imaging.jpeg import UNCHECKED, check_jpeg
from xray.imaging.read import load_image, read_image

HEIGHT, WIDTH = 160, 192


def radiographic() -> Image.Image:
    """Return a smooth image with texture, so that the entropy-coded data are long."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    noise = np.random.default_rng(0).integers(-20, 20, (HEIGHT, WIDTH))
    return Image.fromarray((100 + 60 * np.sin(x / 20) * np.cos(y / 25) + noise).astype(np.uint8))


def saved(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def frame_header(content: bytes) -> int:
    """Return the position of the height in the frame header; the width follows."""
    return max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2")) + 5


def resized(content: bytes, height: int, width: int) -> bytes:
    at = frame_header(content)
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return content[:at] + size + content[at + 4 :]


def zeroed(content: bytes, start: float, stop: float) -> bytes:
    first, last = int(start * len(content)), int(stop * len(content))
    return content[:first] + bytes(last - first) + content[last:]


DAMAGE = {
    "end marker too early": lambda c: c[: len(c) * 2 // 3] + b"\xff\xd9",
    "cut": lambda c: c[: len(c) * 2 // 3],
    "without an end marker": lambda c: c[:-2],
    "height too small": lambda c: resized(c, HEIGHT - 64, WIDTH),
    "height too large": lambda c: resized(c, HEIGHT + 64, WIDTH),
    "width too small": lambda c: resized(c, HEIGHT, WIDTH - 64),
    "width too large": lambda c: resized(c, HEIGHT, WIDTH + 64),
    "middle zeroed": lambda c: zeroed(c, 0.5, 0.6),
    "end zeroed": lambda c: zeroed(c, 0.7, 0.99),
    "declared as arithmetic coding": lambda c: c.replace(b"\xff\xc0", b"\xff\xc9"),
    "two frame headers": lambda c: (
        c[: frame_header(c) - 5]
        + c[frame_header(c) - 5 : frame_header(c) + 6] * 2
        + c[frame_header(c) + 6 :]
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["x.jpg", "other.JPEG", "scan.jfif", "x.png"])
def test_damage_is_named(tmp_path: Path, damage, name):
    path = tmp_path / name
    path.write_bytes(DAMAGE[damage](saved(radiographic())))
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert caught.value.reason.startswith(("is truncated", "is corrupted"))
    assert "intact copy" in caught.value.advice


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 2}])
def test_damage_of_all_kinds_of_jpeg(tmp_path, mode, options):
    content = saved(radiographic().convert(mode), **options)
    path = tmp_path / "x.jpg"
    for damaged in (content[: len(content) * 2 // 3] + b"\xff\xd9", zeroed(content, 0.3, 0.4)):
        path.write_bytes(damaged)
        with pytest.raises(ImageError, match=r"is (truncated|corrupted)"):
            read_image(path)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"optimize": True},
        {"restart_marker_rows": 1},
        {"subsampling": 0},
        {"keep_rgb": True},
        {"quality": 1},
        {"comment": "text"},
    ],
)
@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (33, 47)])
def test_pixels_are_those_of_pillow(tmp_path, mode, options, size):
    if mode != "RGB":
        options = {name: value for name, value in options.items() if name != "keep_rgb"}
    content = saved(radiographic().resize(size).convert(mode), **options)
    path = tmp_path / "x.jpg"
    # Data after the end marker, such as a maker's note, are no damage.
    path.write_bytes(content + b"appended")
    with Image.open(io.BytesIO(content)) as image:
        image.draft("L", None)
        expected = np.asarray(image.convert("L"))
    np.testing.assert_array_equal(read_image(path), expected)


def test_a_stream_of_another_size():
    content = saved(radiographic())
    check_jpeg(content, (WIDTH, HEIGHT))
    with pytest.raises(ValueError, match="192 x 160 pixels, the header 100 x 160"):
        check_jpeg(content, (100, HEIGHT))


def test_thousands_of_scans_are_rejected():
    content = saved(radiographic())
    scan = content.index(b"\xff\xda")
    with pytest.raises(ValueError, match="it has 1001 scans, more than the 200 allowed"):
        check_jpeg(content[:scan] + b"\xff\xda\x00\x02" * 1000 + content[scan:], (WIDTH, HEIGHT))


def test_a_rare_subsampling_is_read_with_a_note(tmp_path, monkeypatch):
    path = tmp_path / "x.jpg"
    path.write_bytes(saved(radiographic().convert("RGB")))
    expected = read_image(path)

    def fail(content: bytes) -> None:
        raise ValueError("tjDecompressHeader3(): Could not determine subsampling level")

    monkeypatch.setattr(simplejpeg, "decode_jpeg_header", fail)
    loaded = load_image(path)
    np.testing.assert_array_equal(loaded.pixels, expected)
    assert loaded.notes == (UNCHECKED,)
    check_jpeg(path.read_bytes(), (WIDTH, HEIGHT))


def test_turbojpeg_names_the_subsampling_it_does_not_support():
    content = bytearray(saved(radiographic().convert("RGB"), subsampling=0))
    first = content.index(b"\xff\xc0") + 11
    assert content[first] == 0x11
    content[first] = 0x31
    with pytest.raises(ValueError, match="subsampling"):
        simplejpeg.decode_jpeg_header(bytes(content))
