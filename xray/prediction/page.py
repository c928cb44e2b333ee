"""A page that summarizes predictions, in one file."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from xray.files import replacing
from xray.prediction.overlays import Request
from xray.prediction.summary import Summary

MAX_PICTURES = 24
"""The page shows at most this many overlays; the folder contains all."""
_WIDTH = 480


@dataclass(frozen=True)
class Overlay:
    """An overlay on the page.

    Attributes:
        file: The picture.
        path: The image.
        label: The predicted class.
    """

    file: Path
    path: Path
    label: str


def write_page(
    file: Path,
    summary: Summary,
    facts: Mapping[str, str],
    overlays: Sequence[tuple[Request, Path]],
    source: Path,
) -> None:
    """Write the page.

    Args:
        file: The HTML file.
        summary: Counts of the predictions.
        facts: Name -> value, shown as a list.
        overlays: Explained images and their pictures, of which 24 are shown.
        source: The input; paths below it are shown relative to it.
    """
    environment = Environment(
        loader=PackageLoader("xray.prediction"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["short"] = lambda path: _short(str(path), source)
    page = environment.get_template("predictions.html.j2").render(
        summary=summary,
        facts=facts,
        overlays=[Overlay(f, r.path, r.label) for r, f in overlays[:MAX_PICTURES]],
    )
    with replacing(file) as part:
        # A file name may contain bytes that are not valid UTF-8.
        part.write_bytes(page.encode("utf-8", errors="replace"))


def _short(path: str, source: Path) -> str:
    base = source if source.is_dir() else source.parent
    try:
        return Path(path).relative_to(base.absolute()).as_posix()
    except ValueError:
        return path


def _data_uri(path: Path) -> str:
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((_WIDTH, _WIDTH))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
