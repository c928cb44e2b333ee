"""Write the report of a run: report.html, which needs no other file, and report.md."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from xray.files import replacing
from xray.reporting.charts import draw_charts
from xray.reporting.detail_sections import detail_sections
from xray.reporting.metric_names import definition
from xray.reporting.page import Page, Section, Text
from xray.reporting.result_sections import (
    errors_section,
    figures_section,
    headline,
    heatmaps_section,
    limitations_section,
)
from xray.runs import layout
from xray.runs.run import RunFiles, read_run


def write_report(run: Path) -> Path:
    """Write report.html and report.md into a run directory.

    The learning curves and the chart of PPV and NPV are drawn again. A missing or damaged part of
    the run is replaced by a note.

    Args:
        run: The run directory.

    Returns:
        The HTML file.
    """
    files = read_run(run)
    draw_charts(files)
    page = make_page(files)
    for name in (layout.REPORT_MARKDOWN, layout.REPORT_HTML):
        with replacing(run / name) as path:
            # File names may contain bytes that are not valid text.
            path.write_bytes(render(page, name.name).encode("utf-8", errors="replace"))
    return run / layout.REPORT_HTML


def make_page(run: RunFiles) -> Page:
    """Return the content of a report: the result and the pictures first, then the details."""
    result = headline(run)
    sections = [
        figures_section(run),
        heatmaps_section(run),
        errors_section(run),
        limitations_section(run),
    ]
    details = detail_sections(run)
    # Every file has been read by now.
    if run.damaged:
        sections.insert(0, Section("Damaged files", [Text(message) for message in run.damaged]))
    return Page(f"Report of {run.directory.name}", result, sections, details)


def render(page: Page, name: str) -> str:
    """Return a report as text.

    Args:
        page: The content.
        name: "report.html" or "report.md".
    """
    return _templates().get_template(f"{name}.j2").render(page=page)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("xray.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"literal": literal, "url": quote, "term": term}
    return environment


def term(text: str) -> Markup:
    """Return a text as HTML; the name of a metric has its definition as a tooltip."""
    meaning = definition(text)
    if not meaning:
        return escape(text)
    return Markup('<abbr title="{}">{}</abbr>').format(meaning, text)


def literal(text: str) -> str:
    """Escape the characters that have a meaning in Markdown, and join the lines of a text."""
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", " ".join(text.split()))
