"""The table of a report that tells the sources of the images apart."""

from collections.abc import Iterator, Mapping
from typing import Any

from xray.evaluation.summary import SOURCE_SCORES as SCORES
from xray.reporting.cells import estimate_text
from xray.reporting.page import Grid

_NOTE = "A dash: the source leaves it undefined, as the AUROC where it has one class."
_WARNING = (
    " Each source has one class only: a network that tells the sources apart scores as well as one "
    "that sees disease, and no figure here can tell the two."
)


def source_grid(entry: Mapping[str, Any]) -> Iterator[Grid]:
    """Lay out what a split's images scored, source by source; nothing where there is but one.

    Args:
        entry: Of the split, in metrics.json.
    """
    sources: Mapping[str, Mapping[str, Any]] = entry.get("per_source") or {}
    if not sources:
        return
    rows = [
        [name, *(str(of.get(key, "-")) for key in ("n", "patients")), *_estimates(of)]
        for name, of in sources.items()
    ]
    alone = all(sum(map(bool, (of.get("classes") or {}).values())) == 1 for of in sources.values())
    columns = ["source", "images", "patients", *SCORES]
    note = _NOTE + (_WARNING if alone else "")
    yield Grid("By the dataset the images came from", columns, rows, note)


def _estimates(of: Mapping[str, Any]) -> Iterator[str]:
    return (estimate_text(of.get(name) or {}) for name in SCORES)
