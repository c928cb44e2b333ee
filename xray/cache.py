"""List or clear the cache of activations and pixels: `python -m xray.cache clear=stale`."""

from pathlib import Path
from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def cache(cfg: "DictConfig") -> None:
    """List the entries of the cache, or remove some; entries in use are not removed."""
    # Imported here so that --help and configuration errors are fast.
    from rich.console import Console

    from xray.caching.entry import list_entries
    from xray.caching.table import cache_table, clear

    folder, console = Path(cfg.dir), Console()
    if cfg["clear"] is not None:
        console.print(clear(folder, cfg["clear"]))
    console.print(cache_table(folder, list_entries(folder)))


def main() -> None:
    """Compose the configuration from the command line and list or clear the cache."""
    launch("cache", cache)


if __name__ == "__main__":
    main()
