"""Rules that choose a decision threshold."""

import re
from dataclasses import dataclass
from typing import Literal

from xray.errors import ConfigError

FORMS = "a number between 0 and 1 (0.5), youden, sens@0.95 or spec@0.90"
EVEN = 0.5
"""Threshold at which both of two classes are equally probable."""
_FORM = re.compile(r"(?:(?P<kind>sens|spec)@)?(?P<level>\d*\.?\d+)")


@dataclass(frozen=True)
class Rule:
    """A rule that chooses a threshold on validation images.

    Attributes:
        text: The rule as written on the command line.
        kind: "fixed" uses `level` as the threshold. "youden" maximizes sensitivity + specificity.
            "sens" is the highest threshold with at least that sensitivity. "spec" is the lowest
            threshold with at least that specificity.
        level: Threshold, sensitivity or specificity in (0, 1); 0 for "youden".
    """

    text: str
    kind: Literal["fixed", "youden", "sens", "spec"]
    level: float


def parse_rule(text: str) -> Rule:
    """Parse a rule.

    Args:
        text: For example "0.5", "youden", "sens@0.95" or "spec@0.90".

    Raises:
        ConfigError: If the text is not a rule.
    """
    if text == "youden":
        return Rule(text, "youden", 0.0)
    found = _FORM.fullmatch(text)
    level = float(found["level"]) if found else 0.0
    if found is None or not 0.0 < level < 1.0:
        raise ConfigError(f"threshold is {text!r}, but must be {FORMS}")
    kinds: dict[str | None, Literal["fixed", "sens", "spec"]]
    kinds = {None: "fixed", "sens": "sens", "spec": "spec"}
    return Rule(text, kinds[found["kind"]], level)


HEADLINE = parse_rule(str(EVEN))
REPORTED = (HEADLINE, *map(parse_rule, ("youden", "sens@0.95", "spec@0.90")))
"""Operating points that every result reports."""
