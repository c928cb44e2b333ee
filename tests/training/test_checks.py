import pytest

from xray.errors import DataError
from xray.training.checks import check_validation


def description(**counts):
    return {"splits": {"val": {"classes": counts}}}


@pytest.mark.parametrize(
    ("counts", "monitor"),
    [
        ({"normal": 8, "pneumonia": 0}, "val/auroc"),
        ({"normal": 8, "pneumonia": 0}, "val/loss"),
        ({"normal": 0, "pneumonia": 0}, "val/loss"),
        ({"normal": 8, "pneumonia": 3, "covid": 0}, "val/auprc"),
    ],
)
def test_undefined_validation_metric_is_rejected(counts, monitor):
    with pytest.raises(DataError) as error:
        check_validation(description(**counts), monitor)
    assert "val" in str(error.value)
    assert all(f"{name} {count}" in str(error.value) for name, count in counts.items())
    assert f"data.min_val={sum(counts.values()) + 1}" in str(error.value)


@pytest.mark.parametrize(
    ("counts", "monitor"),
    [
        ({"normal": 8, "pneumonia": 1}, "val/auroc"),
        ({"normal": 8, "pneumonia": 3, "covid": 0}, "val/loss"),
        ({"normal": 8, "pneumonia": 3, "covid": 0}, "val/accuracy"),
    ],
)
def test_defined_validation_metric_is_accepted(counts, monitor):
    check_validation(description(**counts), monitor)
