"""Keep one damaged file of a run from preventing the rest of its report."""

import logging
from collections.abc import Callable, Iterable

from xray.errors import XrayError
from xray.reporting.page import Block, Section, Text

log = logging.getLogger(__name__)

DAMAGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, XrayError)
"""Errors that unexpected values in a JSON, YAML or CSV file cause."""
_LENGTH = 200

Builder = Callable[[], Iterable[Block]]


def section(title: str, *builders: Builder) -> Section:
    """Return a section; a part whose files are damaged is replaced by a note.

    Args:
        title: The heading.
        *builders: Functions that return the parts of the section.
    """
    blocks: list[Block] = []
    for build in builders:
        try:
            blocks.extend(build())
        except DAMAGE as error:
            reason = f"{type(error).__name__}: {error}"[:_LENGTH]
            log.warning("a part of the section %r is left out: %s", title, reason)
            blocks.append(
                Text(f"A part of this section was left out, because a file is damaged ({reason}).")
            )
    return Section(title, blocks)
