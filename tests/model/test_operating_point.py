import math

import pytest
import torch

from xray.errors import ConfigError
from xray.model.operating_point import OperatingPoint

LOGITS = torch.tensor([[0.0, math.log(3.0)], [math.log(4.0), 0.0]])  # p = 0.75 and 0.2


def test_temperature_divides_the_logits():
    point = OperatingPoint(temperature=0.5)
    # 9 / (9 + 1) and 1 / (16 + 1)
    assert point.probabilities(LOGITS)[:, 1].tolist() == pytest.approx([0.9, 1 / 17])
    assert OperatingPoint().probabilities(LOGITS)[:, 1].tolist() == pytest.approx([0.75, 0.2])


def test_logits_of_16_bits_have_probabilities_of_32_bits():
    logits = torch.tensor([[0.0, 1.0]], dtype=torch.bfloat16)
    found = OperatingPoint(temperature=3.0).probabilities(logits)
    assert found.dtype == torch.float32
    assert found[0, 1].item() == pytest.approx(1 / (1 + math.exp(-1 / 3)), abs=1e-7)
    # In bfloat16 the probability would be 0.7305.
    sigmoid = 1 / (1 + math.exp(-1))
    assert OperatingPoint(threshold=sigmoid + 1e-4).predicted(logits).tolist() == [0]
    assert OperatingPoint(threshold=sigmoid - 1e-4).predicted(logits).tolist() == [1]


def test_threshold_is_mapped_to_the_calibrated_scale():
    point = OperatingPoint("sens@0.95", threshold=0.8, temperature=2.0)
    # sigmoid(logit(0.8) / 2) = sqrt(4) / (1 + sqrt(4))
    assert point.calibrated_threshold == pytest.approx(2 / 3)
    assert OperatingPoint(threshold=0.8).calibrated_threshold == 0.8
    assert OperatingPoint(threshold=1.0, temperature=2.0).calibrated_threshold == 1.0
    assert OperatingPoint(temperature=2.0).calibrated_threshold is None


@pytest.mark.parametrize(("threshold", "expected"), [(0.8, [0, 0]), (0.5, [1, 0]), (0.1, [1, 1])])
@pytest.mark.parametrize("temperature", [None, 0.3, 3.0])
def test_decisions_do_not_depend_on_the_temperature(threshold, expected, temperature):
    point = OperatingPoint("x", threshold, temperature)
    assert point.predicted(LOGITS).tolist() == expected
    calibrated = point.probabilities(LOGITS)[:, 1] > point.calibrated_threshold
    assert calibrated.long().tolist() == expected


def test_three_classes_predict_the_most_probable():
    logits = torch.tensor([[0.0, 2.0, 1.0], [3.0, 0.0, 0.0]])
    assert OperatingPoint(temperature=2.0).predicted(logits).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"threshold": 1.5}, "threshold"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"threshold": "0.5"}, "threshold"),
        ({"temperature": True}, "temperature"),
    ],
)
def test_values_out_of_range(values, key):
    with pytest.raises(ConfigError, match=key):
        OperatingPoint.from_dict(values)


def test_dictionary_round_trip():
    point = OperatingPoint("youden", 0.25, 1.5)
    assert OperatingPoint.from_dict(point.as_dict()) == point
