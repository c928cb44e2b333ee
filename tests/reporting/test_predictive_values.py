"""The chart of PPV and NPV shows the estimates of metrics.json with their intervals."""

import numpy as np

from xray.reporting.predictive_values import describe_predictive_values, predictive_values_figure


def point(rule, ppv, npv):
    places = [
        {
            "prevalence": prevalence,
            "ppv": {"value": ppv, "low": ppv - 0.1, "high": ppv + 0.1},
            "npv": npv,
        }
        for prevalence in (0.01, 0.5)
    ]
    return {"rule": rule, "threshold": 0.5, "at_prevalence": places}


UNDEFINED = {"value": None, "low": None, "high": None}
POINTS = [
    point("youden", 0.3, {"value": 0.9, "low": None, "high": None}),
    point("a$x$", 0.6, UNDEFINED),
    {"rule": "sens@0.95", "threshold": None},
]


def drawn(axes):
    return [line.get_xydata() for line in axes.lines if len(line.get_xdata())]


def test_values_and_intervals_of_each_rule():
    figure = predictive_values_figure(POINTS)
    ppv, npv = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["PPV", "NPV"]
    assert [text.get_text() for text in ppv.get_xticklabels()] == ["1%", "50%"]
    # Two rules at two prevalences: an interval and a marker each.
    bars = [xy for xy in drawn(ppv) if len(xy) == 2]
    markers = [xy for xy in drawn(ppv) if len(xy) == 1]
    np.testing.assert_allclose([xy[:, 1] for xy in bars[:1]], [[0.2, 0.4]])
    assert sorted(float(xy[0, 1]) for xy in markers) == [0.3, 0.3, 0.6, 0.6]
    # Rules stand side by side around their prevalence.
    assert sorted(float(xy[0, 0]) for xy in markers) == [-0.25, 0.25, 0.75, 1.25]
    # Undefined values and missing intervals are not drawn.
    assert [len(xy) for xy in drawn(npv)] == [1, 1]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["youden", "a$x$"]


def test_no_chart_without_estimates():
    assert predictive_values_figure([]) is None
    assert predictive_values_figure(POINTS[2:]) is None
    assert describe_predictive_values(POINTS[2:]) == ""


def test_description_contains_the_numbers():
    text = describe_predictive_values(POINTS)
    assert text.startswith("With the rule youden: at a prevalence of 1% PPV 0.300 [0.200, 0.400]")
    assert "at a prevalence of 50%" in text
