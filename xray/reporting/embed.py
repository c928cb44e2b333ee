"""Embed pictures of a run directory in a report, without trusting the files.

A run directory may come from someone else. A picture is only read if it is inside the run
directory and its header announces a reasonable size; every other file is left out with a reason.
"""

import base64
import io
import logging
import warnings
from pathlib import Path

from PIL import Image

from xray.reporting.page import Picture

log = logging.getLogger(__name__)

WIDTH, CHART_WIDTH = 960, 1600
"""Widths in pixels above which X-rays and charts are scaled down: reports are sent by mail."""
QUALITY = 80
MAX_PIXELS = 40_000_000
"""Pixels above which a picture is not decoded: a small file can decode to gigabytes."""
MAX_BYTES = 64_000_000
_FORMATS = ("PNG", "JPEG")


def embed(run: Path, link: str, alt: str, caption: str = "", *, chart: bool = False) -> Picture:
    """Return a picture of a run directory, embedded or with the reason why it was left out.

    Args:
        run: The run directory.
        link: The path of the picture below it, with forward slashes.
        alt: A description of the picture.
        caption: The text below the picture.
        chart: True for a diagram, which is embedded without loss; X-rays are embedded as JPEG.
    """
    try:
        picture = _decode(_inside(run, link), CHART_WIDTH if chart else WIDTH)
    except _LeftOutError as error:
        return Picture(link, alt, caption, problem=str(error))
    kind, content = ("png", _palette(picture)) if chart else ("jpeg", _jpeg(picture))
    encoded = base64.b64encode(content).decode("ascii")
    return Picture(link, alt, caption, f"data:image/{kind};base64,{encoded}")


class _LeftOutError(Exception):
    """Why a picture is not embedded."""


def _inside(run: Path, link: str) -> Path:
    """Return the path of an existing file inside the run directory."""
    try:
        path = (run / link).resolve()
        inside = path.is_relative_to(run.resolve())
        found = inside and path.is_file()
        size = path.stat().st_size if found else 0
    except (OSError, ValueError, RuntimeError) as error:
        # A name with a null character, a name that is too long, or a loop of links.
        raise _LeftOutError("its name is not a valid path") from error
    if not inside:
        raise _LeftOutError("it is outside the run directory")
    if not found:
        raise _LeftOutError("the file is missing")
    if size > MAX_BYTES:
        raise _LeftOutError(f"it has {size:,} bytes, more than the {MAX_BYTES:,} allowed")
    return path


def _decode(path: Path, width: int) -> Image.Image:
    """Read a picture as RGB, at most `width` pixels wide."""
    try:
        with warnings.catch_warnings():
            # Pillow warns above half its limit and raises above it; both are an error here.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _read(path, width)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = f"it has more than the {MAX_PIXELS:,} pixels allowed"
        raise _LeftOutError(reason) from error
    except _LeftOutError:
        raise
    # Pillow's decoders raise many types of errors for damaged files, SyntaxError among them.
    except Exception as error:
        log.debug("%s: %s", path, error)
        raise _LeftOutError("it is damaged, or is not a PNG or JPEG picture") from error


def _read(path: Path, width: int) -> Image.Image:
    with path.open("rb") as file, Image.open(file, formats=_FORMATS) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            size = f"{opened.width:,} x {opened.height:,} pixels"
            raise _LeftOutError(f"it has {size}, more than the {MAX_PIXELS:,} pixels allowed")
        picture = opened.convert("RGB")
    if picture.width <= width:
        return picture
    height = max(1, round(picture.height * width / picture.width))
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _palette(picture: Image.Image) -> bytes:
    """Encode a diagram, which has few colors, as PNG with a palette."""
    content = io.BytesIO()
    flat = picture.quantize(256, dither=Image.Dither.NONE)
    flat.save(content, "PNG", optimize=True)
    return content.getvalue()


def _jpeg(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=QUALITY, optimize=True)
    return content.getvalue()
