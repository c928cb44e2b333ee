"""What a report is made of: sections of paragraphs, facts, tables and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    pairs: Sequence[tuple[str, str]]
    kind: str = field(default="facts", init=False)


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        title: Its caption.
        columns: Names; the first is that of the row headings.
        rows: Cells, as many as columns.
        note: What a reader has to know of it.
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
        path: The file.
        link: Its path below the run directory, with slashes.
        alt: What is seen, for those who do not see it.
        caption: What is said below it.
    """

    path: Path
    link: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Pictures:
    """Pictures beside each other.

    Attributes:
        title: Over them; "" for none.
        items: The pictures.
        wide: Whether each needs the whole width.
    """

    title: str
    items: Sequence[Picture]
    wide: bool = False
    kind: str = field(default="pictures", init=False)


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: str = field(default="text", init=False)


Block = Facts | Grid | Pictures | Text


@dataclass(frozen=True)
class Section:
    """A heading and what is below it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: Of the run.
        headline: The result, in one sentence or two.
        verdict: What the split is worth.
        good: Whether the verdict is without reproach.
        sections: The rest.
    """

    title: str
    headline: str
    verdict: str
    good: bool
    sections: Sequence[Section]
