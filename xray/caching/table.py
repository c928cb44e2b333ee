"""The cache as the user sees it: a table, and clearing by name."""

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from rich.table import Table
from rich.text import Text

from xray.caching.entry import Entry, list_entries
from xray.caching.folder import CacheFolder, gib
from xray.caching.record import describe, open_checked, package_versions
from xray.errors import ConfigError


def cache_table(folder: Path, entries: Sequence[Entry]) -> Table:
    """Lay out a cache: a row an entry, last used first."""
    total = gib(sum(entry.size for entry in entries))
    table = Table(title=Text(f"{folder}: {len(entries)} entries, {total}"), title_justify="left")
    for name in ("name", "split", "network", "cut", "size", "made", "last used", "state"):
        table.add_column(name, justify="right" if name in ("cut", "size") else "left")
    for entry in sorted(entries, key=lambda entry: -entry.used):
        cells = (
            entry.name,
            entry.split,
            *_held(entry),
            gib(entry.size),
            _time(entry.made),
            _time(entry.used),
            "complete" if entry.complete else "partial",
        )
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def clear(folder: Path, what: str) -> str:
    """Remove entries, but none that a live process uses.

    Args:
        folder: Of the cache.
        what: "all"; "stale": what no run can use as it is, since it was made by other versions of
            the packages, is unfinished, or is damaged; or the name of an entry.

    Returns:
        What was done, in a line or two.

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
        kept = CacheFolder(folder, 0).clear(chosen)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be cleared: {error.strerror or error}") from error
    size -= sum(entry.size for entry in kept)
    done = f"removed {len(chosen) - len(kept)} entries, {gib(size)}"
    names = ", ".join(entry.name for entry in kept)
    return f"{done}\nkept, in use by live processes: {names}" if kept else done


def _stale(entry: Entry) -> bool:
    if not entry.complete or describe(entry).get("versions") != package_versions():
        return True
    return open_checked(entry)[0] is None


def _no_such(name: str, folder: Path, names: Sequence[str]) -> ConfigError:
    near = get_close_matches(name, ["all", "stale", *names], n=1)
    hint = f" Did you mean '{near[0]}'?" if near else " python -m xray.cache lists them."
    return ConfigError(f"clear is '{name}', but {folder} has no such entry.{hint}")


def _held(entry: Entry) -> tuple[str, str]:
    """Name the network, and the cut; pixels are those of any network, at a size."""
    description = describe(entry)
    if entry.kind == "pixels":
        return "", f"pixels, {description.get('size', '?')}"
    pooled = ", pooled" if description.get("pooled") else ""
    cut = f"block {description['cut']}{pooled}" if "cut" in description else "?"
    return str(description.get("network", "?")), cut


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
