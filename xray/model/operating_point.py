"""Operating point of a classifier: temperature and decision threshold fitted on validation data."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from xray.errors import ConfigError

BINARY = 2
EVEN = 0.5


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Temperature and decision threshold of a classifier.

    The threshold refers to the uncalibrated probabilities softmax(logits), on which it was chosen.
    `calibrated_threshold` is the same threshold on the scale of softmax(logits / T), so decisions
    do not depend on the temperature T.

    Attributes:
        rule: Rule that chose the threshold, such as "0.5" or "sens@0.95"; see `xray.stats.rule`.
        threshold: With two classes, the probability in (0, 1) above which the second class is
            predicted. None: the most probable class is predicted.
        temperature: Positive number that divides the logits (Guo et al. 2017, arXiv:1706.04599).
            None: the logits are used unchanged.

    Raises:
        ConfigError: The threshold or the temperature is out of range.

    Examples:
        >>> OperatingPoint(rule="youden", threshold=0.8, temperature=2.0).calibrated_threshold
        0.6666666666666667
    """

    rule: str = str(EVEN)
    threshold: float | None = None
    temperature: float | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ConfigError(f"threshold={self.threshold}: expected a probability in [0, 1].")
        temperature = self.temperature
        if temperature is not None and not (math.isfinite(temperature) and temperature > 0):
            raise ConfigError(f"temperature={temperature}: expected a positive number.")

    @property
    def calibrated_threshold(self) -> float | None:
        """The threshold on the scale of the calibrated probabilities: sigmoid(logit(t) / T)."""
        if self.threshold is None or self.temperature is None or self.threshold in (0.0, 1.0):
            return self.threshold
        logit = math.log(self.threshold / (1 - self.threshold))
        return 1 / (1 + math.exp(-logit / self.temperature))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Compute calibrated probabilities: (B, K) logits -> (B, K) float32 softmax(logits / T).

        The computation is in float64: logits in bfloat16 have three digits.
        """
        return (logits.double() / (self.temperature or 1.0)).softmax(dim=1).float()

    def predicted(self, logits: Tensor) -> Tensor:
        """Return the predicted classes: (B, K) logits -> (B,) int64.

        The decision uses the uncalibrated probabilities, as the metrics do. With more than two
        classes, and at a threshold of 0.5, the most probable class is predicted.
        """
        probabilities = logits.float().softmax(dim=1)
        if self.threshold in (None, EVEN) or logits.shape[1] != BINARY:
            return probabilities.argmax(dim=1)
        return (probabilities[:, 1].double() > self.threshold).long()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint or a JSON file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "OperatingPoint":
        """Build an operating point from the result of `as_dict`; other keys are ignored.

        Raises:
            ConfigError: A value is out of range or has the wrong type.
        """
        threshold, temperature = (_number(values, key) for key in ("threshold", "temperature"))
        return cls(str(values.get("rule", EVEN)), threshold, temperature)


def _number(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{key}={value!r}: expected a number or null.")
    return float(value)
