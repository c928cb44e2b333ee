"""Verdict on the splits of a dataset."""

from typing import Literal

Verdict = Literal["clean", "leaks found", "unknown patients"]
LEAKING: Verdict = "leaks found"
"""Splits share patients or duplicate images."""

UNAUDITED = "not audited"
"""The splits were not searched for shared patients or duplicate images."""
