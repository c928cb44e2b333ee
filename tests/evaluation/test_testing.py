import pytest
from made_runs import made
from rich.console import Console

from xray.errors import RunError
from xray.evaluation.testing import correct_prior, read_val
from xray.stats.rule import HEADLINE, parse_rule


def test_a_rule_without_validation_predictions_names_the_command(tmp_path):
    assert read_val(tmp_path, HEADLINE) is None
    with pytest.raises(RunError, match=r"threshold=youden is chosen on .*val\.csv, which is missi"):
        read_val(tmp_path, parse_rule("youden"))


def test_prior_correction_needs_validation_predictions():
    with pytest.raises(RunError, match=r"predictions/val\.csv of the run, which is missing"):
        correct_prior(made(20), None, Console())
