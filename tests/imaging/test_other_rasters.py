"""BMP, TIFF and WebP files, and color."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from xray.errors import ImageError
from xray.imaging import raster, webp
from xray.imaging.color import color_share
from xray.imaging.read import load_image, read_image

ORIENTATION = 0x0112


def gradient(height: int = 40, width: int = 60) -> np.ndarray:
    return (np.arange(width)[None, :] * 4 + np.arange(height)[:, None] % 16).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def file(tmp_path: Path):
    def write(content: bytes, name: str = "x.png") -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def reason(path: Path, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(path, **options)
    return caught.value.reason


GRAY = {
    "BMP": saved(Image.fromarray(gradient()), "BMP"),
    "BMP, RGB": saved(Image.fromarray(gradient()).convert("RGB"), "BMP"),
    "BMP, top down": b"",
    "TIFF": saved(Image.fromarray(gradient()), "TIFF"),
    "TIFF, big endian": b"",
    "TIFF, LZW": saved(Image.fromarray(gradient()), "TIFF", compression="tiff_lzw"),
    "TIFF, deflate": saved(Image.fromarray(gradient()), "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, PackBits": saved(Image.fromarray(gradient()), "TIFF", compression="packbits"),
    "TIFF, white is zero": saved(Image.fromarray(gradient()), "TIFF", tiffinfo={262: 0}),
    "WebP": saved(Image.fromarray(gradient()), "WEBP", lossless=True),
}


def top_down(content: bytes) -> bytes:
    """Flip a BMP file and write its height as a negative number."""
    offset = struct.unpack("<I", content[10:14])[0]
    rows = np.frombuffer(content[offset:], np.uint8).reshape(40, 60)[::-1]
    return content[:22] + struct.pack("<i", -40) + content[26:offset] + rows.tobytes()


def big_endian(content: bytes) -> bytes:
    """Write a minimal big-endian TIFF file of the gradient."""
    entries = [(256, 60), (257, 40), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 40)]
    entries.append((279, 2400))
    body = gradient().tobytes()
    directory = struct.pack(">H", len(entries))
    directory += b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in entries)
    return b"MM\0*" + struct.pack(">I", 8 + len(body)) + body + directory + bytes(4)


GRAY["BMP, top down"] = top_down(GRAY["BMP"])
GRAY["TIFF, big endian"] = big_endian(b"")


@pytest.mark.parametrize("kind", GRAY)
def test_lossless_files_are_read_unchanged(file, kind):
    np.testing.assert_array_equal(read_image(file(GRAY[kind])), gradient())


def test_lossy_webp_differs_by_compression_only(file):
    pixels = read_image(file(saved(Image.fromarray(gradient()), "WEBP", quality=95)))
    assert np.abs(pixels.astype(int) - gradient()).max() <= 12


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "WEBP"])
def test_colors_become_601_luminance(file, kind):
    image = Image.new("RGB", (64, 64), (200, 100, 50))
    image.paste((0, 0, 255), (32, 0, 64, 64))
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = read_image(file(saved(image, kind, **options)))
    assert pixels[10, [10, 50]].tolist() == [124, 29]


@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
def test_alpha_is_composited_over_black(file, kind):
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[:, 30:] = 128
    image = Image.new("RGB", (60, 40), (100, 100, 100))
    image.putalpha(Image.fromarray(alpha))
    options = {"lossless": True} if kind == "WEBP" else {}
    assert read_image(file(saved(image, kind, **options)))[0, [0, 59]].tolist() == [100, 50]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_16_bit_tiff_is_scaled(file, compression, white_is_zero):
    wide = gradient().astype(np.uint16) * 20 + 1000
    stored = 65535 - wide if white_is_zero else wide
    info = {262: 0} if white_is_zero else {}
    image = Image.fromarray(stored)
    content = saved(image, "TIFF", compression=compression, tiffinfo=info)
    expected = np.rint((wide - 1000) * (255 / (wide.max() - 1000))).astype(int)
    assert np.abs(read_image(file(content)).astype(int) - expected).max() <= 1
    wide[20, 30] = 65535
    hot = saved(Image.fromarray(wide), "TIFF", compression=compression)
    assert "outlier" in load_image(file(hot)).notes[0]


@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(file, kind, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image = Image.fromarray(gradient())
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = read_image(file(saved(image, kind, exif=exif, **options)))
    png = read_image(file(saved(image, "PNG", exif=exif), "y.png"))
    np.testing.assert_array_equal(pixels, png)


@pytest.mark.parametrize("kind", ["BMP", "TIFF, LZW", "TIFF", "TIFF, deflate", "WebP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated(file, kind, share):
    content = GRAY[kind]
    found = reason(file(content[: int(len(content) * share)]))
    assert found.startswith(("is truncated", "is corrupted"))


def test_corrupted_compressed_data(file):
    for kind in ("TIFF, deflate", "WebP"):
        content = bytearray(GRAY[kind])
        middle = len(content) // 2
        content[middle : middle + 30] = bytes(30)
        assert reason(file(bytes(content))).startswith(("is truncated", "is corrupted"))


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ({"compression": "jpeg"}, "L"),
        ({"compression": "group4"}, "1"),
        ({"compression": "lzma"}, "L"),
        ({"compression": "zstd"}, "L"),
        ({}, "F"),
        ({}, "I"),
        ({}, "CMYK"),
        ({}, "LAB"),
    ],
)
def test_other_kinds_of_tiff_are_rejected(file, options, mode):
    if options and not features.check("libtiff"):
        pytest.skip("Pillow has no libtiff")
    image = Image.fromarray(gradient())
    image = image.convert("RGB").convert(mode) if mode == "CMYK" else image
    made = Image.new("LAB", (60, 40)) if mode == "LAB" else image.convert(mode)
    assert "is a TIFF image of a" in reason(file(saved(made, "TIFF", **options)))


@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
def test_several_images_in_one_file(file, kind):
    frames = [Image.fromarray(np.roll(gradient(), n, axis=0)) for n in range(3)]
    content = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    assert "several" in reason(file(content))


def test_run_length_encoded_bmp_is_rejected(file):
    content = bytearray(GRAY["BMP"])
    content[30:34] = struct.pack("<I", 1)
    assert "is a compressed BMP image" in reason(file(bytes(content)))


def test_picture_bombs_are_rejected_before_decoding(file, monkeypatch):
    monkeypatch.setattr(raster, "_decode", lambda *_: pytest.fail("decoded"))
    monkeypatch.setattr(webp, "WebPImageFile", lambda *_: pytest.fail("decoded"))
    bmp = bytearray(GRAY["BMP"])
    bmp[18:26] = struct.pack("<II", 40_000, 40_000)
    lossless, extended = bytearray(GRAY["WebP"]), bytearray(GRAY["WebP"])
    lossless[21:25] = struct.pack("<I", 16_383 | 16_383 << 14)
    extended[12:30] = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\x00\xff\xff\x00"
    big = big_endian(b"").replace(
        struct.pack(">HHII", 256, 4, 1, 60), struct.pack(">HHII", 256, 4, 1, 90_000)
    )
    big = big.replace(struct.pack(">HHII", 257, 4, 1, 40), struct.pack(">HHII", 257, 4, 1, 90_000))
    for content in (bytes(bmp), bytes(lossless), bytes(extended), big):
        assert "pixels, more than the 100,000,000 allowed" in reason(file(content))


def test_tiles_larger_than_the_limit_are_rejected(file):
    entries = [(256, 60), (257, 40), (258, 8), (259, 1), (262, 1), (277, 1)]
    entries += [(322, 65_536), (323, 65_536), (324, 8), (325, 2400)]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    content = b"II*\0" + struct.pack("<I", 2408) + bytes(2400) + directory + bytes(4)
    assert "has tiles of more than 100,000,000 pixels" in reason(file(content))


# Colors


def test_share_of_colored_pixels():
    colors = np.zeros((100, 100, 3), np.uint8)
    colors[:25] = (200, 100, 50)
    colors[25:50] = (110, 100, 100)
    assert color_share(colors) == 0.25


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
def test_color_is_measured_on_request(file, kind):
    colors = np.full((320, 320, 3), (200, 100, 50), np.uint8)
    colors[160:] = (90, 90, 90)
    colors[::2, :, :] -= 5
    path = file(saved(Image.fromarray(colors), kind))
    assert load_image(path).color == 0
    assert load_image(path, color=True).color == pytest.approx(0.5, abs=0.03)
    gray = file(saved(Image.fromarray(colors).convert("L").convert("RGB"), kind), "gray.png")
    assert load_image(gray, color=True).color == 0
    np.testing.assert_array_equal(load_image(path, color=True).pixels, read_image(path))
