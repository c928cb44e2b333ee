"""The content of a report: sections of text, facts, tables, pictures and advice."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: str = field(default="text", init=False)


@dataclass(frozen=True)
class Facts:
    """Pairs of a name and a value.

    Attributes:
        pairs: The names and values.
        title: A heading, or "".
    """

    pairs: Sequence[tuple[str, str]]
    title: str = ""
    kind: str = field(default="facts", init=False)


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        title: The caption.
        columns: The column headings; the first column holds the row headings.
        rows: The cells, as many per row as there are columns.
        note: How to read the table; shown below it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    kind: str = field(default="grid", init=False)


@dataclass(frozen=True)
class Picture:
    """A picture of the run directory.

    Attributes:
        link: The path below the run directory, with forward slashes.
        alt: A description for readers who do not see the picture.
        caption: The text below the picture; it may be "".
        uri: The picture as a data URI, or "" if it was left out.
        problem: Why the picture was left out, or "".
    """

    link: str
    alt: str
    caption: str
    uri: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side.

    Attributes:
        items: The pictures.
        layout: "three" or "two" in a row where the window is wide enough, or "one".
        chart: True for diagrams on a white background, which are inverted in dark mode.
        title: A heading, or "".
    """

    items: Sequence[Picture]
    layout: Literal["one", "two", "three"] = "two"
    chart: bool = False
    title: str = ""
    kind: str = field(default="pictures", init=False)


@dataclass(frozen=True)
class Advice:
    """Limitations, each with the next step.

    Attributes:
        items: Pairs of a limitation and its next step.
    """

    items: Sequence[tuple[str, str]]
    kind: str = field(default="advice", init=False)


Block = Text | Facts | Grid | Pictures | Advice


@dataclass(frozen=True)
class Section:
    """A heading and the blocks below it.

    Attributes:
        title: The heading.
        blocks: The content.
    """

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Headline:
    """The first screen of a report: the result and whether it can be trusted.

    Attributes:
        metrics: Key metrics: name and estimate with its confidence interval.
        sentences: What was tested, and with which operating point.
        verdict: The verdict on the split.
        good: True if the verdict is free of objections.
        use: The intended use.
    """

    metrics: Sequence[tuple[str, str]]
    sentences: Sequence[str]
    verdict: str
    good: bool
    use: str


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: The title.
        headline: The first screen.
        sections: The sections that are always visible.
        details: The sections that a reader opens; they are open in print.
    """

    title: str
    headline: Headline
    sections: Sequence[Section]
    details: Sequence[Section]
