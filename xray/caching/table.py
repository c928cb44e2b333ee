"""Table of the cache, and removal of entries by name."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.table import Table
from rich.text import Text

from xray.caching.entry import Entry, list_entries, package_versions
from xray.caching.folder import CacheFolder, format_size
from xray.caching.record import describe, open_checked
from xray.errors import ConfigError
from xray.suggest import did_you_mean, nearest


def cache_table(folder: Path, entries: Sequence[Entry]) -> Table:
    """Return a table with one row for each entry, the last used first."""
    total = format_size(sum(entry.size for entry in entries))
    table = Table(title=Text(f"{folder}: {len(entries)} entries, {total}"), title_justify="left")
    for name in ("name", "split", "network", "cut", "size", "made", "last used", "state"):
        table.add_column(name, justify="right" if name in ("cut", "size") else "left")
    for entry in sorted(entries, key=lambda entry: -entry.used):
        cells = (
            entry.name,
            entry.split,
            *_content(entry),
            format_size(entry.size),
            _time(entry.made),
            _time(entry.used),
            "complete" if entry.complete else "partial",
        )
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def clear(folder: Path, what: str) -> str:
    """Remove entries that are not in use by a live process.

    Args:
        folder: Folder of the cache.
        what: "all"; "stale" (entries that no run can use: made with other versions of the packages,
            unfinished, or damaged); or the name of an entry.

    Returns:
        One or two lines that state the removed entries.

    Raises:
        ConfigError: There is no such entry, or the folder cannot be written.
    """
    entries = list_entries(folder)
    if what == "all":
        chosen = entries
    elif what == "stale":
        chosen = [entry for entry in entries if _stale(entry)]
    else:
        chosen = [entry for entry in entries if entry.name == what]
        if not chosen:
            raise _no_such(what, folder, [entry.name for entry in entries])
    if not chosen:
        return "nothing to remove"
    size = sum(entry.size for entry in chosen)
    try:
        in_use = CacheFolder(folder, 0).clear(chosen)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be cleared: {error.strerror or error}") from error
    size -= sum(entry.size for entry in in_use)
    done = f"removed {len(chosen) - len(in_use)} entries, {format_size(size)}"
    names = ", ".join(entry.name for entry in in_use)
    return f"{done}\nnot removed, in use by running processes: {names}" if in_use else done


def _stale(entry: Entry) -> bool:
    if not entry.complete or describe(entry).get("versions") != package_versions():
        return True
    return open_checked(entry)[0] is None


def _no_such(name: str, folder: Path, names: Sequence[str]) -> ConfigError:
    hint = did_you_mean(nearest(name, ["all", "stale", *names]))
    advice = hint or " List the entries with: python -m xray.cache"
    return ConfigError(f"clear={name}: {folder} has no such entry.{advice}")


def _content(entry: Entry) -> tuple[str, str]:
    """Return the network and the cut of activations; "" and the size of decoded images."""
    description = describe(entry)
    if entry.kind == "pixels":
        return "", f"pixels, {description.get('size', '?')}"
    pooled = ", pooled" if description.get("pooled") else ""
    cut = f"block {description['cut']}{pooled}" if "cut" in description else "?"
    return str(description.get("network", "?")), cut


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
