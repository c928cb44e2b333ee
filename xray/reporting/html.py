"""A run's report: report.html, one file that needs no other, and report.md beside it."""

import base64
import io
import re
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from xray.files import replacing
from xray.reporting.page import Page, Section, Text
from xray.reporting.result_sections import (
    errors_section,
    further_sections,
    headline,
    limitations_section,
    overlays_section,
    results_section,
)
from xray.reporting.run_sections import data_section, intended_use, training_section, verdict
from xray.runs import layout
from xray.runs.run import RunFiles, read_run

WIDTH = 960
"""Pixels: wider pictures are made smaller, so that a report can be sent by mail."""
QUALITY = 78


def write_report(run: Path) -> Path:
    """Write report.html and report.md into a run directory, from what lies there.

    Args:
        run: The run directory; parts that are missing are said to be.

    Returns:
        The HTML file.
    """
    page = make_page(read_run(run))
    for name in (layout.REPORT_MARKDOWN, layout.REPORT_HTML):
        with replacing(run / name) as path:
            # A file name may hold bytes that are no text.
            path.write_bytes(render(page, name.name).encode("utf-8", errors="replace"))
    return run / layout.REPORT_HTML


def make_page(run: RunFiles) -> Page:
    """Put a report together."""
    sections: list[Section] = [
        intended_use(),
        data_section(run),
        training_section(run),
        results_section(run),
        overlays_section(run),
        errors_section(run),
        *further_sections(run),
        limitations_section(run),
    ]
    if run.damaged:
        sections.insert(0, Section("Damaged files", [Text(message) for message in run.damaged]))
    good = run.certificate.get("verdict") == "clean"
    return Page(f"Report of {run.directory.name}", headline(run), verdict(run), good, sections)


def render(page: Page, name: str) -> str:
    """Fill in a template.

    Args:
        page: What to show.
        name: "report.html" or "report.md".
    """
    environment = Environment(
        loader=PackageLoader("xray.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"data_uri": data_uri, "literal": literal, "url": quote}
    return environment.get_template(f"{name}.j2").render(page=page)


def data_uri(path: Path) -> str:
    """Embed a picture: as JPEG, WIDTH pixels wide at most; "" where it cannot be read."""
    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except OSError:
        return ""
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)))
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(held.getvalue()).decode("ascii")


def literal(text: str) -> str:
    """Take from Markdown's signs their meaning, and put a text on one line."""
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", " ".join(text.split()))
