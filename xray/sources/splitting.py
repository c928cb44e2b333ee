"""How a prepared dataset is split; importing this module does not import torch."""

from collections.abc import Mapping
from typing import Literal

Splitting = Literal["official", "hold_out", "flat"]
"""Values of the key `split` of prepare, see `xray.sources.select.split_images`."""

ALIASES: Mapping[str, Splitting] = {"carve": "hold_out"}
"""Values of version 0.1.0 -> current values."""


def current_splitting(name: str) -> str:
    """Return the current name of a value that version 0.1.0 named differently."""
    return ALIASES.get(name, name)
