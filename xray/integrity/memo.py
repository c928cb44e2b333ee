"""What was found before, kept on disk for as long as its key is the same."""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from xray.files import replacing

log = logging.getLogger(__name__)

Rows = list[tuple[Any, ...]]


def kept(store: Path | None, key: Mapping[str, Any], find: Callable[[], Rows]) -> Rows:
    """Give what was found before under the same key, or find it and keep it.

    Args:
        store: A file (.json); None: nothing is kept.
        key: All that the result depends on, as plain values.
        find: Finds it: rows of plain values.
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
        log.warning("%s is damaged (%s): what it held is sought anew", store, error)
    return None


def _save(store: Path, key: Mapping[str, Any], rows: Rows) -> None:
    try:
        with replacing(store) as part:
            part.write_text(json.dumps({"key": key, "rows": rows}))
    except OSError as error:
        log.warning("%s cannot be written (%s): the next run seeks it anew", store, error)
