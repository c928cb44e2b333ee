"""Files that cannot be used as radiographs, one of each kind, and the reasons expected for them."""

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import dicoms
import numpy as np
from PIL import Image
from pydicom.uid import UID, JPEGBaseline8Bit, RLELossless

SIDE = 64
_DANGLING = "is a broken link"


def write_bad_files(folder: Path) -> dict[Path, str]:
    """Write one bad file of each kind into an existing folder.

    Returns:
        Path -> part of the reason in the error of `read_image`.
    """
    contents = {**_not_images(), **_other_images(), **_damaged(), **_unusable()}
    expected = {}
    for name, (content, reason) in contents.items():
        (folder / name).write_bytes(content)
        expected[folder / name] = reason
    return expected | _not_files(folder) | _dicoms(folder)


def _noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (SIDE, SIDE), np.uint8))


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _not_images() -> dict[str, tuple[bytes, str]]:
    archive, array = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", "a")
    np.save(array, np.arange(SIDE))
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    return {
        "empty.png": (b"", "is empty (0 bytes)"),
        "text.png": (b"not a picture\n", "is text, not an image"),
        "page.jpg": (b"\n<!DOCTYPE HTML><title>404</title>", "is an HTML page"),
        "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing"),
        "feed.jpg": (b"<?xml version='1.0'?><a/>", "is an XML document"),
        "pointer.png": (pointer, "is a Git LFS pointer"),
        "archive.png": (archive.getvalue(), "is a ZIP archive"),
        "packed.png": (b"\x1f\x8b\x08\x00" + bytes(20), "is a gzip archive"),
        "report.jpg": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "is a PDF document"),
        "array.png": (array.getvalue(), "is a NumPy array"),
        "zeros.png": (bytes(500), "is not an image that can be read"),
        "zeros.dcm": (bytes(500), "is not an image that can be read"),
    }


def _other_images() -> dict[str, tuple[bytes, str]]:
    heif = struct.pack(">I", 24) + b"ftypheic" + bytes(12)
    return {
        "gif.png": (_saved(_noise(), "GIF"), "is a GIF image"),
        "bigtiff.tif": (b"II+\x00" + bytes(40), "is a BigTIFF image"),
        "rle.bmp": (_rle_bmp(), "is a compressed BMP image"),
        "jpeg.tif": (_saved(_noise(), "TIFF", compression="jpeg"), "compression that is not read"),
        "float.tiff": (_saved(_noise().convert("F"), "TIFF"), "is a TIFF image of a kind"),
        "heif.jpg": (heif, "is a HEIF or AVIF image"),
        "jpeg2000.jpg": (_saved(_noise(), "JPEG2000"), "is a JPEG 2000 image"),
    }


def _rle_bmp() -> bytes:
    content = bytearray(_saved(_noise(), "BMP"))
    content[30:34] = struct.pack("<I", 1)
    return bytes(content)


def _damaged() -> dict[str, tuple[bytes, str]]:
    png, jpeg = _saved(_noise(), "PNG"), _saved(_noise(), "JPEG")
    flipped = bytearray(png)
    flipped[len(png) // 2] ^= 0x55
    bmp, tiff, webp = (_saved(_noise(), kind) for kind in ("BMP", "TIFF", "WebP"))
    ended = jpeg[: len(jpeg) * 2 // 3] + b"\xff\xd9"
    height = jpeg.index(b"\xff\xc0") + 5
    resized = jpeg[:height] + struct.pack(">H", SIDE + 32) + jpeg[height + 2 :]
    return {
        "truncated.png": (png[: len(png) // 2], "is truncated"),
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "is truncated"),
        "checksum.png": (bytes(flipped), "is corrupted"),
        "two_headers.png": (png[:33] + png[8:], "is corrupted"),
        "ended.jpg": (ended, "premature end of data segment"),
        "resized.jfif": (resized, "premature end of data segment"),
        "cut.bmp": (bmp[:-500], "is truncated"),
        "cut.tif": (tiff[:-500], "is truncated"),
        "cut.webp": (webp[:-500], "is corrupted"),
        "header.png": (png[:20], "is truncated"),
        "header.jpg": (jpeg[:30], "is truncated"),
    }


def _unusable() -> dict[str, tuple[bytes, str]]:
    black, white = Image.new("L", (SIDE, SIDE)), Image.new("L", (SIDE, SIDE), 255)
    frames = [_noise().rotate(angle) for angle in (90, 180)]
    moving = _saved(_noise(), "PNG", save_all=True, append_images=frames)
    pages = _saved(_noise(), "TIFF", save_all=True, append_images=frames)
    return {
        "black.png": (_saved(black, "PNG"), "is blank"),
        "white.jpg": (_saved(white, "JPEG"), "is blank"),
        "dot.png": (_saved(Image.new("L", (1, 1)), "PNG"), "has 1 x 1 pixels, fewer than 32"),
        "icon.jpg": (_saved(_noise().resize((16, 16)), "JPEG"), "has 16 x 16 pixels"),
        "bomb.png": (_bomb(), "has 100000 x 100000 pixels, more than the 100,000,000"),
        "pages.tif": (pages, "contains several pages"),
        "moving.png": (moving, "is animated or contains several images (3)"),
    }


def _bomb() -> bytes:
    content = bytearray(_saved(Image.new("L", (SIDE, SIDE)), "PNG"))
    content[16:24] = struct.pack(">II", 100_000, 100_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def _not_files(folder: Path) -> dict[Path, str]:
    (folder / "folder.png").mkdir()
    (folder / "dangling.png").symlink_to(folder / "nothing.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    expected = {
        folder / "folder.png": "is a directory",
        folder / "dangling.png": _DANGLING,
        folder / "loop.png": _DANGLING,
        folder / "pipe.png": "is not a regular file",
        folder / "missing.png": "cannot be opened (No such file or directory)",
    }
    if os.geteuid():  # Root may read every file.
        locked = folder / "locked.png"
        locked.write_bytes(_saved(_noise(), "PNG"))
        locked.chmod(0)
        expected[locked] = "cannot be opened (Permission denied)"
    return expected


def _dicoms(folder: Path) -> dict[Path, str]:
    pixels = dicoms.radiograph()
    made = {name: dicoms.dataset(pixels, 12) for name in ("frames", "report", "cut", "rle", "odd")}
    for name in ("samples", "bits", "jpeg"):
        made[name] = dicoms.dataset((pixels >> 4).astype(np.uint8))
    made["samples"].SamplesPerPixel = 3
    made["bits"] = dicoms.dataset(pixels, 8)
    stream = _saved(Image.fromarray((pixels >> 4).astype(np.uint8)), "JPEG")
    dicoms.encapsulated(made["jpeg"], stream[:-200] + b"\xff\xd9", JPEGBaseline8Bit)
    made["blank"] = dicoms.dataset(np.full_like(pixels, 700), 12)
    made["frames"].NumberOfFrames = 2
    del made["report"].PixelData
    made["odd"].file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.57")
    dicoms.encapsulated(made["odd"], b"\xff\xd8\xff\xc3" + bytes(60), UID("1.2.840.10008.1.2.4.57"))
    made["rle"].compress(RLELossless)
    paths = {name: dicoms.write(one, folder / f"{name}.dcm") for name, one in made.items()}
    for name in ("cut", "rle"):
        paths[name].write_bytes(paths[name].read_bytes()[:-2000])
    return {
        paths["samples"]: "contradicts itself: it declares 3 samples per pixel and MONOCHROME2",
        paths["bits"]: "declares 8 stored bits, but pixels use more",
        paths["jpeg"]: "has a damaged JPEG stream",
        paths["frames"]: "contains several images (2)",
        paths["report"]: "is a DICOM file without pixel data",
        paths["cut"]: "is truncated (36,400 of 38,400 bytes of pixel data)",
        paths["rle"]: "is truncated (its compressed pixel data have no end)",
        paths["odd"]: "is compressed in a way that is not read (JPEG Lossless",
        paths["blank"]: "is blank",
    }
