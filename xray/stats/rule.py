"""Rules that choose a decision threshold, and the decision itself."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

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


def predicted_classes(
    probabilities: npt.NDArray[np.floating], threshold: float = EVEN
) -> npt.NDArray[np.int64]:
    """Apply the decision rule.

    With two classes, the second is predicted if its probability is above the threshold. With more
    classes, the most probable class is predicted, and the first one of equally probable classes.

    Args:
        probabilities: Probabilities, shape (N, K).
        threshold: Threshold in (0, 1); used with two classes only.

    Returns:
        Predicted class indices, shape (N,), int64.

    Example:
        >>> predicted_classes(np.array([[0.6, 0.4], [0.5, 0.5]]), threshold=0.3).tolist()
        [1, 1]
    """
    if probabilities.shape[1] == 2 and threshold != EVEN:  # noqa: PLR2004
        return (probabilities[:, 1] > threshold).astype(np.int64)
    predicted: npt.NDArray[np.int64] = probabilities.argmax(axis=1).astype(np.int64)
    return predicted


HEADLINE = parse_rule(str(EVEN))
REPORTED = (HEADLINE, *map(parse_rule, ("youden", "sens@0.95", "spec@0.90")))
"""Operating points that every result reports."""
