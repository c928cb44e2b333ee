import struct
import time
from pathlib import Path

import numpy as np
import pytest
from dicoms import dataset, radiograph, write
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian

from xray.errors import ImageError
from xray.imaging import raster
from xray.imaging.header import Header, estimate_quality, read_header

ORIENTATION = 0x0112


def picture(mode: str = "L") -> Image.Image:
    return Image.fromarray(radiograph(8, height=40, width=60).astype(np.uint8)).convert(mode)


@pytest.mark.parametrize(
    ("mode", "bits", "channels"),
    [("1", 1, 1), ("L", 8, 1), ("LA", 8, 2), ("P", 8, 1), ("RGB", 8, 3), ("RGBA", 8, 4)],
)
def test_png(tmp_path, mode, bits, channels):
    picture(mode).save(tmp_path / "x.jpg", "PNG")
    assert read_header(tmp_path / "x.jpg") == Header("PNG", 60, 40, bits, channels, None)


def test_wide_png(tmp_path):
    Image.fromarray(radiograph(16, height=40, width=60)).save(tmp_path / "x.png")
    assert read_header(tmp_path / "x.png") == Header("PNG", 60, 40, 16, 1, None)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("CMYK", 4)])
def test_jpeg(tmp_path, mode, channels):
    picture(mode).save(tmp_path / "x.png", "JPEG", quality=85)
    assert read_header(str(tmp_path / "x.png")) == Header("JPEG", 60, 40, 8, channels, 85)


def test_size_is_that_before_the_orientation(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    picture().save(tmp_path / "x.jpg", exif=exif)
    assert (read_header(tmp_path / "x.jpg").width, read_header(tmp_path / "x.jpg").height) == (
        60,
        40,
    )


@pytest.mark.parametrize("quality", [1, 2, 10, 49, 50, 51, 75, 90, 99, 100])
@pytest.mark.parametrize("progressive", [False, True])
def test_quality_setting_of_libjpeg(tmp_path, quality, progressive):
    picture("RGB").save(tmp_path / "x.jpg", quality=quality, progressive=progressive)
    assert read_header(tmp_path / "x.jpg").jpeg_quality == quality


def test_quality_of_another_table_is_the_nearest():
    image = [16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55]
    image += [14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62]
    image += [18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92]
    image += [49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99]
    assert estimate_quality(image) == 50
    assert estimate_quality([(value + 1) // 2 for value in image]) == 75
    assert estimate_quality([value + 1 for value in image]) in {49, 50}
    assert estimate_quality([1] * 64) == 100


def test_jpeg_without_tables_has_no_quality(tmp_path):
    picture().save(tmp_path / "x.jpg")
    content = (tmp_path / "x.jpg").read_bytes()
    start = content.index(b"\xff\xdb")
    length = struct.unpack(">H", content[start + 2 : start + 4])[0]
    (tmp_path / "x.jpg").write_bytes(content[:start] + content[start + 2 + length :])
    assert read_header(tmp_path / "x.jpg") == Header("JPEG", 60, 40, 8, 1, None)


@pytest.mark.parametrize(
    ("mode", "bits", "channels"),
    [("1", 1, 1), ("L", 8, 1), ("P", 8, 1), ("RGB", 8, 3), ("RGBA", 8, 3)],
)
def test_bmp(tmp_path, mode, bits, channels):
    picture(mode).save(tmp_path / "x.png", "BMP")
    assert read_header(tmp_path / "x.png") == Header("BMP", 60, 40, bits, channels, None)


@pytest.mark.parametrize(
    ("mode", "bits", "channels"),
    [("1", 1, 1), ("L", 8, 1), ("P", 8, 1), ("RGB", 8, 3), ("RGBA", 8, 4), ("I;16", 16, 1)],
)
def test_tiff(tmp_path, mode, bits, channels):
    image = picture() if mode == "I;16" else picture(mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 200)
    image.save(tmp_path / "x.png", "TIFF", tiffinfo={ORIENTATION: 6})
    assert read_header(tmp_path / "x.png") == Header("TIFF", 60, 40, bits, channels, None)


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("RGBA", 4)])
def test_webp(tmp_path, mode, channels):
    image = picture(mode)
    if mode == "RGBA":
        image.putalpha(128)
    image.save(tmp_path / "x.png", "WEBP")
    assert read_header(tmp_path / "x.png") == Header("WebP", 60, 40, 8, channels, None)


@pytest.mark.parametrize("deflated", [False, True])
def test_dicom(tmp_path, deflated):
    made = dataset(radiograph(12), 12)
    if deflated:
        made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = write(made, tmp_path / "x.dcm")
    assert read_header(path) == Header("DICOM", 160, 120, 12, 1, None)


def test_pixels_are_not_decoded(tmp_path, monkeypatch):
    for name in ("_decode_png", "_decode_jpeg"):
        monkeypatch.setattr(raster, name, lambda *_: pytest.fail("decoded"))
    picture().save(tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(content[: len(content) // 2])
    assert read_header(tmp_path / "x.png").width == 60


def test_unknown_color_type_of_a_png(tmp_path, monkeypatch):
    picture().save(tmp_path / "x.png")
    monkeypatch.setattr("xray.imaging.png._CHANNELS", {})
    with pytest.raises(ImageError, match=r"is corrupted \(PNG has no color type 0\)"):
        read_header(tmp_path / "x.png")


def test_pixel_cap(tmp_path):
    picture().save(tmp_path / "x.png")
    with pytest.raises(ImageError, match="has 60 x 40 pixels, more than the 2,399 allowed"):
        read_header(tmp_path / "x.png", max_pixels=2399)


def test_headers_of_5840_radiographs_take_under_10_s(shared: Path):
    paths = sorted((shared / "data/kermany/test/NORMAL").iterdir())
    start = time.process_time()
    headers = [read_header(path) for path in paths]
    each = (time.process_time() - start) / len(paths)
    assert {(header.width, header.height) for header in headers} == {(224, 224)}
    # 5,840 files in 10 s
    assert each < 10 / 5840
