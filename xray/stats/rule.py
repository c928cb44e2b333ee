"""How a threshold is chosen, as the command line says it."""

import re
from dataclasses import dataclass
from typing import Literal

from xray.errors import ConfigError

FORMS = "a number between 0 and 1 (0.5), youden, sens@0.95 or spec@0.90"
EVEN = 0.5
"""Above this probability the second of two classes is the more probable one."""
_FORM = re.compile(r"(?:(?P<kind>sens|spec)@)?(?P<level>\d*\.?\d+)")


@dataclass(frozen=True)
class Rule:
    """How a threshold is chosen on validation data.

    Attributes:
        text: As it was given.
        kind: "fixed" takes `level` itself, "youden" the greatest sum of sensitivity and
            specificity, "sens" the highest threshold with that sensitivity, "spec" the lowest with
            that specificity.
        level: In (0, 1); 0 for "youden", which has none.
    """

    text: str
    kind: Literal["fixed", "youden", "sens", "spec"]
    level: float


def parse_rule(text: str) -> Rule:
    """Read a rule.

    Args:
        text: "0.5", "youden", "sens@0.95", "spec@0.90".

    Raises:
        ConfigError: It is none of these.
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
"""Operating points that every result has."""
