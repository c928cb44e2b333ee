import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from dicoms import radiograph
from PIL import Image
from scipy.stats import spearmanr

from xray.errors import ImageError
from xray.imaging import raster
from xray.imaging.read import IMAGE_SUFFIXES, read_image

ORIENTATION = 0x0112
GRAY, GRAY_ALPHA, COLOR, COLOR_ALPHA = 0, 4, 2, 6


def gradient(height: int = 40, width: int = 60) -> np.ndarray:
    """Return (H, W) uint8 that rises by 4 to the right and by 1 downward; no symmetry."""
    return (np.arange(width)[None, :] * 4 + np.arange(height)[:, None] % 16).astype(np.uint8)


def chunk(name: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + checksum


def png(
    rows: list[bytes], width: int, *, depth: int, color: int, extra: bytes = b"", keep: int = 2**31
) -> bytes:
    """Assemble a PNG, since Pillow cannot write all kinds; `keep` truncates the image data."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, color, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))[:keep]
    parts = [chunk(b"IHDR", header), extra, chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def wide_png(pixels: np.ndarray, color: int, extra: bytes = b"") -> bytes:
    rows = [row.astype(">u2").tobytes() for row in pixels]
    return png(rows, pixels.shape[1], depth=16, color=color, extra=extra)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def file(tmp_path: Path):
    def write(content: bytes, name: str = "x.png") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def rejection(path: Path, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(path, **options)
    assert str(caught.value).startswith(str(path))
    assert caught.value.path == path
    return f"{caught.value.reason} | {caught.value.advice}"


# Files that are read


def test_gray_png_is_unchanged(file):
    pixels = read_image(file(saved(Image.fromarray(gradient()), "PNG")))
    np.testing.assert_array_equal(pixels, gradient())
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


def test_path_may_be_a_string(file):
    path = file(saved(Image.fromarray(gradient()), "PNG"))
    np.testing.assert_array_equal(read_image(str(path)), gradient())


def test_gray_jpeg_differs_by_compression_only(file):
    pixels = read_image(file(saved(Image.fromarray(gradient()), "JPEG", quality=100), "x.jpg"))
    assert pixels.shape == (40, 60)
    assert np.abs(pixels.astype(int) - gradient()).max() <= 2


def test_format_is_detected_from_the_content(file):
    pixels = read_image(file(saved(Image.fromarray(gradient()), "JPEG", quality=100), "x.png"))
    assert np.abs(pixels.astype(int) - gradient()).max() <= 2


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("JPEG", {"quality": 100})])
@pytest.mark.parametrize("space", ["YCbCr", "RGB"])
def test_colors_become_601_luminance(file, kind, options, space):
    image = Image.new("RGB", (64, 64), (200, 100, 50))
    image.paste((0, 0, 255), (32, 0, 64, 64))
    if kind == "JPEG":
        options = options | {"subsampling": 0, "keep_rgb": space == "RGB"}
    pixels = read_image(file(saved(image, kind, **options)))
    # 0.299 R + 0.587 G + 0.114 B
    assert abs(int(pixels[10, 10]) - 124.2) <= 2
    assert abs(int(pixels[10, 50]) - 29.07) <= 2


def test_16_bit_gray_is_scaled_to_the_full_range(file):
    ramp = np.linspace(1000, 5000, 40 * 60).astype(np.uint16)
    pixels = read_image(file(wide_png(ramp.reshape(40, 60), GRAY))).ravel()
    assert pixels[0] == 0
    assert pixels[-1] == 255
    assert (np.diff(pixels.astype(int)) >= 0).all()
    assert len(np.unique(pixels)) == 256
    # (2000 - 1000) / (5000 - 1000) x 255 = 63.75
    assert pixels[np.searchsorted(ramp, 2000)] == 64


@pytest.mark.parametrize("bits", [12, 16])
def test_order_of_16_bit_values_is_preserved(file, bits):
    pixels = radiograph(bits, height=300, width=400)
    gray = read_image(file(wide_png(pixels, GRAY)))
    assert spearmanr(gray.ravel(), pixels.ravel()).statistic >= 0.999


def test_16_bit_color_keeps_its_lower_bits(file):
    # Values 0..255 of 65535: the upper byte is always 0.
    ramp = np.tile(np.arange(256, dtype=np.uint16), (40, 1))
    pixels = read_image(file(wide_png(np.dstack([ramp] * 3), COLOR)))
    np.testing.assert_array_equal(pixels, ramp)


def test_16_bit_color_weights_its_channels(file):
    colors = np.zeros((40, 60, 3), np.uint16)
    colors[:, 20:40] = (0, 0, 60000)
    colors[:, 40:] = (60000, 60000, 60000)
    pixels = read_image(file(wide_png(colors, COLOR)))
    # The weight of blue is 0.114 of white: 0.114 x 255 = 29.07
    assert pixels[0, [0, 30, 50]].tolist() == [0, 29, 255]


def test_16_bit_alpha_is_composited_over_black(file):
    gray = np.tile(np.linspace(100, 60000, 60).astype(np.uint16), (40, 1))
    alpha = np.full_like(gray, 65535)
    alpha[:20] = 0
    pixels = read_image(file(wide_png(np.dstack([gray, alpha]), GRAY_ALPHA)))
    assert (pixels[:20] == 0).all()
    assert pixels[39, -1] == 255
    assert len(np.unique(pixels[20:])) == 60


def test_16_bit_alpha_of_one_value_is_ignored(file):
    gray = np.tile(np.linspace(100, 60000, 60).astype(np.uint16), (40, 1))
    plain = read_image(file(wide_png(gray, GRAY)))
    clear = np.dstack([gray, gray, gray, np.zeros_like(gray)])
    np.testing.assert_array_equal(read_image(file(wide_png(clear, COLOR_ALPHA))), plain)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_are_scaled_to_the_full_range(file, depth):
    row = bytes(range(256))[: 64 * depth // 8]
    pixels = read_image(file(png([row] * 40, 64, depth=depth, color=GRAY)))
    levels = np.unpackbits(np.frombuffer(row, np.uint8)).reshape(64, depth)
    values = levels @ (1 << np.arange(depth)[::-1]) * 255 // (2**depth - 1)
    np.testing.assert_array_equal(pixels, np.tile(values, (40, 1)))


def test_palette_is_applied(file):
    image = Image.fromarray((np.indices((40, 60)).sum(0) % 3).astype(np.uint8)).convert("P")
    image.putpalette([10, 10, 10, 200, 200, 200, 255, 0, 0])
    pixels = read_image(file(saved(image, "PNG")))
    # The weight of red is 0.299: 76.2
    assert pixels[0, :3].tolist() == [10, 200, 76]


def test_transparent_palette_entry_is_black(file):
    image = Image.fromarray((np.indices((40, 60)).sum(0) % 3).astype(np.uint8)).convert("P")
    image.putpalette([10, 10, 10, 200, 200, 200, 255, 0, 0])
    pixels = read_image(file(saved(image, "PNG", transparency=bytes([255, 0, 255]))))
    assert pixels[0, :3].tolist() == [10, 0, 76]


def test_alpha_is_composited_over_black_where_it_varies(file):
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[:, 30:] = 128
    image = Image.new("RGB", (60, 40), (100, 100, 100))
    image.putalpha(Image.fromarray(alpha))
    pixels = read_image(file(saved(image, "PNG")))
    assert pixels[0, [0, 59]].tolist() == [100, 50]


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_of_one_value_is_ignored(file, value, mode):
    image = Image.fromarray(gradient()).convert(mode)
    image.putalpha(value)
    np.testing.assert_array_equal(read_image(file(saved(image, "PNG"))), gradient())


def test_inverted_cmyk_of_adobe_is_not_read_as_a_negative(file):
    ink = Image.new("CMYK", (64, 64), (0, 0, 0, 255))
    ink.paste((0, 0, 0, 0), (32, 0, 64, 64))
    content = saved(ink, "JPEG", quality=100)
    assert b"Adobe" in content
    pixels = read_image(file(content, "x.jpg"))
    assert pixels[10, 10] <= 2
    assert pixels[10, 50] >= 253


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, gradient()),
        (2, gradient()[:, ::-1]),
        (3, gradient()[::-1, ::-1]),
        (4, gradient()[::-1]),
        (5, gradient().T),
        (6, np.rot90(gradient(), -1)),
        (7, gradient()[::-1, ::-1].T),
        (8, np.rot90(gradient())),
        (9, gradient()),
    ],
)
def test_exif_orientation_is_applied(file, orientation, expected):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    pixels = read_image(file(saved(Image.fromarray(gradient()), "PNG", exif=exif)))
    np.testing.assert_array_equal(pixels, expected)
    assert pixels.flags.c_contiguous


def test_exif_orientation_is_applied_to_jpeg_and_to_16_bits(file):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    jpeg = read_image(file(saved(Image.fromarray(gradient()), "JPEG", quality=100, exif=exif)))
    assert jpeg.shape == (60, 40)
    assert abs(int(jpeg[0, 0]) - int(gradient()[-1, 0])) <= 2
    ramp = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60)
    tag = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    wide = read_image(file(wide_png(ramp, GRAY, extra=tag)))
    assert wide.shape == (60, 40)
    assert wide[0, 39] == 0
    assert wide[59, 0] == 255


def test_damaged_exif_is_ignored(file):
    tag = chunk(b"eXIf", b"not a TIFF header")
    rows = [row.tobytes() for row in gradient()]
    pixels = read_image(file(png(rows, 60, depth=8, color=GRAY, extra=tag)))
    np.testing.assert_array_equal(pixels, gradient())


def test_decoder_warnings_are_silenced(file):
    # Pillow warns about the invalid MPF segment, and warnings are errors in these tests.
    content = saved(Image.fromarray(gradient()), "JPEG", quality=100)
    segment = b"MPF\0MM\0*nonsense"
    marker = b"\xff\xe2" + struct.pack(">H", len(segment) + 2) + segment
    pixels = read_image(file(content[:2] + marker + content[2:], "x.jpg"))
    assert pixels.shape == (40, 60)


def test_suffixes_are_lower_case():
    raster = {".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".tif", ".tiff", ".webp"}
    assert raster | {".dcm", ".dicom"} == IMAGE_SUFFIXES


# Files that are rejected


def test_missing_file(tmp_path):
    message = rejection(tmp_path / "none.png")
    assert "cannot be opened (No such file or directory) | Check the path" in message


def test_broken_link(tmp_path):
    (tmp_path / "link.png").symlink_to(tmp_path / "none.png")
    assert "is a broken link" in rejection(tmp_path / "link.png")


def test_directory(tmp_path):
    assert "is a directory" in rejection(tmp_path)


def test_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert "not a regular file" in rejection(tmp_path / "pipe.png")


def test_zero_bytes(file):
    assert "is empty (0 bytes)" in rejection(file(b""))


@pytest.mark.parametrize("method", ["stat", "open"])
def test_file_without_permission(file, monkeypatch, method):
    path = file(saved(Image.fromarray(gradient()), "PNG"))

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, method, refuse)
    message = rejection(path)
    assert "cannot be opened (Permission denied)" in message
    assert "permission to read the file" in message


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {}), ("PNG", {"compress_level": 0})])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
def test_truncated(file, kind, options, share):
    content = saved(Image.fromarray(gradient(200, 60)), kind, **options)
    message = rejection(file(content[: int(len(content) * share)]))
    assert "is truncated" in message
    assert "intact copy" in message


def test_png_with_valid_checksums_and_too_few_rows(file):
    rows = [row.tobytes() for row in gradient(200, 60)]
    content = png(rows, 60, depth=8, color=GRAY, keep=200)
    assert "is truncated" in rejection(file(content))


def test_corrupted_png(file):
    content = bytearray(saved(Image.fromarray(gradient()), "PNG"))
    content[len(content) // 2] ^= 0x55
    assert "is corrupted" in rejection(file(bytes(content)))


def test_corrupted_jpeg(file):
    content = bytearray(saved(Image.fromarray(gradient()), "JPEG"))
    tables = content.index(b"\xff\xc4")
    content[tables + 5 : tables + 20] = b"\xff" * 15
    assert "is corrupted" in rejection(file(bytes(content), "x.jpg"))


def test_header_without_image_data(file):
    assert "is corrupted" in rejection(file(b"\xff\xd8\xff\xe0", "x.jpg"))
    assert "is corrupted" in rejection(file(b"\x89PNG\r\n\x1a\n"))


def test_16_bit_color_that_libpng_rejects(file, monkeypatch):
    path = file(wide_png(np.dstack([np.arange(4096, dtype=np.uint16).reshape(64, 64)] * 3), COLOR))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    assert "libpng cannot decode it" in rejection(path)


@pytest.mark.parametrize("content", [b"\x89PNG", b"\0" * 200])
def test_unknown_content(file, content):
    assert "is not an image that can be read | Remove it" in rejection(file(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "is text, not an image | Remove it"),
        (
            b"\xef\xbb\xbf \n<HTML>",
            "is an HTML page, which is not read | The download returned a web page",
        ),
        (b"version https://git-lfs.github.com/spec/v1", "is a Git LFS pointer, which is not read"),
        (b"PK\x03\x04", "is a ZIP archive, which is not read | Unpack it"),
    ],
)
def test_other_content_is_named(file, content, message):
    assert message in rejection(file(content))


@pytest.mark.parametrize(("kind", "name"), [("GIF", "GIF"), ("JPEG2000", "JPEG 2000")])
def test_other_format_is_named(file, kind, name):
    message = rejection(file(saved(Image.fromarray(gradient()), kind)))
    assert f"is a {name} image, which is not read | Convert it to PNG or JPEG" in message


def test_big_tiff_and_text_that_begins_like_a_bmp_are_named(file):
    assert "is a BigTIFF image" in rejection(file(b"II+\x00" + bytes(40)))
    assert "is text" in rejection(file(b"BMI,age,patient\n23,50,p1\n", "x.bmp"))


@pytest.mark.parametrize("kind", ["PNG", "MPO"])
def test_several_frames(file, kind):
    frames = [Image.fromarray(np.roll(gradient(), n, axis=0)) for n in range(3)]
    content = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    assert "is animated or contains several images (3)" in rejection(file(content))


@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
def test_blank(file, mode):
    assert "is blank" in rejection(file(saved(Image.new(mode, (64, 64)), "PNG")))


def test_blank_16_bit(file):
    assert "is blank" in rejection(file(wide_png(np.full((40, 60), 700), GRAY)))


@pytest.mark.parametrize("size", [(31, 64), (64, 31), (1, 1)])
def test_too_small(file, size):
    message = rejection(file(saved(Image.new("L", size), "PNG")))
    assert f"has {size[0]} x {size[1]} pixels, fewer than 32" in message


def test_32_pixels_are_enough(file):
    assert read_image(file(saved(Image.fromarray(gradient(32, 32)), "PNG"))).shape == (32, 32)


def test_pixel_cap_is_inclusive(file):
    path = file(saved(Image.fromarray(gradient()), "PNG"))
    assert read_image(path, max_pixels=2400).shape == (40, 60)
    message = rejection(path, max_pixels=2399)
    assert "has 60 x 40 pixels, more than the 2,399 allowed" in message
    assert "max_pixels" in message


def test_picture_bomb_is_rejected_by_its_header(file, monkeypatch):
    # The header claims 30000 x 30000 pixels, more than the limit of Pillow.
    path = file(png([b""], 30000, depth=8, color=GRAY))
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 30000, 30000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    monkeypatch.setattr(raster, "_decode_png", lambda *_: pytest.fail("decoded"))
    assert "has 30000 x 30000 pixels, more than the 100,000,000 allowed" in rejection(path)


def test_limit_of_pillow_does_not_apply(file, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_image(file(saved(Image.fromarray(gradient()), "PNG"))).shape == (40, 60)
