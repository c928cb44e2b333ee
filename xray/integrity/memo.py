"""Store results on disk and reuse them while their inputs are unchanged."""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from xray.files import replacing

log = logging.getLogger(__name__)

Rows = list[tuple[Any, ...]]


def memoize(store: Path | None, key: Mapping[str, Any], find: Callable[[], Rows]) -> Rows:
    """Return the stored rows of the same key, or compute and store them.

    Args:
        store: JSON file; None stores nothing.
        key: All inputs of the result, as plain values.
        find: Computes the result: rows of plain values.
    """
    rows = _load(store, key) if store else None
    if rows is None:
        rows = find()
        if store:
            _save(store, key, rows)
    return rows


def _load(store: Path, key: Mapping[str, Any]) -> Rows | None:
    try:
        saved = json.loads(store.read_text())
        if saved["key"] == key:
            return [tuple(row) for row in saved["rows"]]
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s is damaged (%s) and will be computed again", store, error)
    return None


def _save(store: Path, key: Mapping[str, Any], rows: Rows) -> None:
    try:
        with replacing(store) as part:
            part.write_text(json.dumps({"key": key, "rows": rows}))
    except OSError as error:
        log.warning("%s cannot be written (%s); the next run computes it again", store, error)
