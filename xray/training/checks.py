"""Checks before a training."""

from collections.abc import Mapping
from typing import Any

from xray.errors import DataError
from xray.model.metric_table import METRICS


def check_validation(description: Mapping[str, Any], monitor: str) -> None:
    """Check that the validation images determine the monitored metric.

    Args:
        description: The result of `XrayDataModule.describe`.
        monitor: The monitored metric, for example "val/auroc".

    Raises:
        DataError: There is no validation image, or all are of one class; or a class has none and
            the metric needs all classes.
    """
    counts: Mapping[str, int] = description["splits"]["val"]["classes"]
    absent = [name for name, count in counts.items() if not count]
    row = METRICS.get(monitor.removeprefix("val/"))
    needed = row is not None and row.needs_all_classes
    if not absent or (len(absent) < len(counts) - 1 and not needed):
        return
    found = ", ".join(f"{name} {count}" for name, count in counts.items())
    raise DataError(
        f"The validation set (val) has no image of {', '.join(absent)} ({found}), so metrics such "
        f"as {monitor if needed else 'val/auroc'} are undefined. Add images of "
        f"{' and '.join(absent)}, or hold out other validation images: with a folder val/, pass "
        f"data.min_val={sum(counts.values()) + 1}; without one, a larger data.val_fraction."
    )
