"""What a split is worth, in a word."""

from typing import Literal

Verdict = Literal["clean", "leaks found", "unknown patients"]
LEAKING: Verdict = "leaks found"
UNAUDITED = "not audited"
