import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from xray.errors import ImageError
from xray.imaging.read import read_image


def chunk(name: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + checksum


def chunks(mode: str) -> dict[str, bytes]:
    """Return the chunks of a PNG file of 64 x 48 pixels, the image data in two."""
    image = Image.fromarray((np.arange(48 * 64) % 251).astype(np.uint8).reshape(48, 64))
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, "PNG")
    content, at, found = buffer.getvalue(), 8, {}
    while at < len(content):
        length, name = struct.unpack(">I4s", content[at : at + 8])
        found[name.decode()] = content[at + 8 : at + 8 + length]
        at += length + 12
    data = found.pop("IDAT")
    made = {name: chunk(name.encode(), body) for name, body in found.items()}
    return made | {"IDAT": chunk(b"IDAT", data[:50]), "rest": chunk(b"IDAT", data[50:])}


def header(height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", 64, height, 8, 0, 0, 0, 0))


TEXT = chunk(b"tEXt", b"Comment\0text")


@pytest.mark.parametrize(
    ("mode", "order", "message"),
    [
        ("L", ["IHDR", "IHDR", "IDAT", "rest", "IEND"], "IHDR chunk occurs twice"),
        ("L", ["IHDR", header(40), "IDAT", "rest", "IEND"], "IHDR chunk occurs twice"),
        ("L", ["IHDR", "IDAT", "rest", header(48), "IEND"], "IHDR chunk occurs twice"),
        ("P", ["IHDR", "PLTE", "PLTE", "IDAT", "rest", "IEND"], "PLTE chunk occurs twice"),
        ("L", ["IHDR", "IDAT", TEXT, "rest", "IEND"], "IDAT chunks are not contiguous"),
    ],
)
def test_duplicate_and_misplaced_chunks(tmp_path, mode, order, message):
    parts = chunks(mode)
    body = b"".join(parts[part] if isinstance(part, str) else part for part in order)
    path = tmp_path / "x.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(ImageError, match=rf"is corrupted .*{message}"):
        read_image(path)


@pytest.mark.parametrize("mode", ["L", "P"])
def test_valid_chunks_and_data_after_the_end(tmp_path, mode):
    parts = chunks(mode)
    order = ["IHDR", *(["PLTE"] if mode == "P" else []), TEXT, TEXT, "IDAT", "rest", TEXT, "IEND"]
    body = b"".join(parts[part] if isinstance(part, str) else part for part in order)
    path = tmp_path / "x.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body + header(10))
    assert read_image(path).shape == (48, 64)
