from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from xray.errors import ImageError
from xray.reporting.failures import confident_errors, failures_figure
from xray.reporting.figures import (
    confusion_figure,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
    write_figures,
)
from xray.runs.predictions import Predictions


def make(targets, probabilities, classes=("normal", "pneumonia"), labels=None) -> Predictions:
    n = len(targets)
    return Predictions(
        paths=[f"{k}.png" for k in range(n)],
        patients=["p"] * n,
        labels=labels or [classes[k] for k in targets],
        targets=np.array(targets, dtype=np.int64),
        probabilities=np.array(probabilities, dtype=np.float64),
        classes=classes,
    )


def two_class(targets, positive, **options) -> Predictions:
    return make(targets, [[1 - p, p] for p in positive], **options)


# TP 2, FN 1, FP 1, TN 2
TWO = two_class([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.7, 0.4, 0.8, 0.9])
THREE = make(
    [0, 0, 1, 2],
    [[0.8, 0.1, 0.1], [0.3, 0.5, 0.2], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]],
    classes=("covid", "normal", "pneumonia"),
)


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def title(figure) -> str:
    return figure.axes[0].get_title(loc="left")


def no_image(path):
    raise ImageError(path, "is gone", "Find it.")


def test_confusion_matrix_shows_counts_and_shares():
    figure = confusion_figure(TWO, "test")
    assert title(figure) == "Confusion matrix, test (n = 6)"
    assert texts(figure.axes[0]) == ["2\n66.7%", "1\n33.3%", "1\n33.3%", "2\n66.7%"]


def test_confusion_matrix_of_an_absent_class_has_no_shares():
    figure = confusion_figure(two_class([0], [0.1]), "test")
    assert texts(figure.axes[0]) == ["1\n100.0%", "0\n0.0%", "0\n0.0%", "0\n0.0%"]


def test_roc_of_two_classes():
    figure = roc_figure(TWO, "test")
    assert title(figure) == "ROC curve, test (n = 6)"
    assert legend(figure) == ["chance", "pneumonia: AUROC 0.889", "threshold 0.5"]
    _, curve, dot, _ = figure.axes[0].lines
    assert curve.get_xydata()[0].tolist() == [0, 0]
    assert curve.get_xydata()[-1].tolist() == [1, 1]
    # 1 of 3 normal and 2 of 3 pneumonia images are predicted as pneumonia.
    np.testing.assert_allclose(dot.get_xydata(), [[1 / 3, 2 / 3]])


def test_roc_of_three_classes_has_one_curve_per_class():
    assert legend(roc_figure(THREE, "val")) == [
        "chance",
        "covid: AUROC 1.000",
        "normal: AUROC 1.000",
        "pneumonia: AUROC 1.000",
        "predicted class",
    ]


def test_precision_recall_with_prevalence():
    figure = precision_recall_figure(TWO, "test")
    assert title(figure) == "Precision-recall curve, test (n = 6)"
    assert legend(figure) == ["pneumonia: AUPRC 0.917", "prevalence 0.500", "threshold 0.5"]
    _, prevalence, dot, _ = figure.axes[0].lines
    assert prevalence.get_ydata()[0] == 0.5
    np.testing.assert_allclose(dot.get_xydata(), [[2 / 3, 2 / 3]])


def test_precision_of_a_class_that_is_never_predicted_has_no_dot():
    figure = precision_recall_figure(two_class([0, 1], [0.1, 0.2]), "test")
    *_, dot = figure.axes[0].lines
    assert len(figure.axes[0].lines) == 3
    assert len(dot.get_xdata()) == 0


@pytest.mark.parametrize("draw", [roc_figure, precision_recall_figure])
def test_curves_of_a_single_class_are_undefined(draw):
    assert draw(two_class([1, 1], [0.1, 0.9]), "test") is None
    assert draw(two_class([0, 0], [0.1, 0.9]), "test") is None


def test_only_the_curve_of_an_absent_class_is_left_out():
    figure = roc_figure(make([0, 1], THREE.probabilities[1:3], classes=THREE.classes), "val")
    assert [name.partition(":")[0] for name in legend(figure)] == [
        "chance",
        "covid",
        "normal",
        "predicted class",
    ]


def test_reliability_by_hand():
    # Bins [0.1, 0.2): 0.1, 0.15, one of them positive; [0.9, 1]: 0.95, 1.0, both positive.
    figure = reliability_figure(two_class([0, 1, 1, 1], [0.1, 0.15, 0.95, 1.0]), "test")
    upper, lower = figure.axes
    assert title(figure) == "Calibration, test (n = 4)"
    np.testing.assert_allclose(upper.lines[1].get_xydata(), [[0.125, 0.5], [0.975, 1.0]])
    assert [bar.get_height() for bar in lower.patches] == [0, 2, 0, 0, 0, 0, 0, 0, 0, 2]
    assert lower.get_xlabel() == "predicted probability of pneumonia"


def test_reliability_after_a_temperature_by_hand():
    # Odds of 9 become 3, and 1/9 becomes 1/3, at a temperature of 2.
    predictions = two_class([0, 1, 1, 1], [0.1, 0.1, 0.9, 0.9])
    upper, _ = reliability_figure(predictions, "test", 2.0).axes
    assert [line.get_label() for line in upper.lines][1:] == [
        "model",
        "temperature 2",
    ]
    np.testing.assert_allclose(upper.lines[2].get_xydata(), [[0.25, 0.5], [0.75, 1.0]])


def test_reliability_of_three_classes_uses_the_predicted_class():
    upper, lower = reliability_figure(THREE, "val").axes
    assert lower.get_xlabel() == "probability of the predicted class"
    np.testing.assert_allclose(upper.lines[1].get_xydata(), [[0.5, 0], [0.7, 1], [0.8, 1]])


def test_most_confident_errors_come_first():
    positive = [0.6, 0.9, 0.2, 0.05, 0.99]
    predictions = two_class([0, 0, 0, 1, 1], positive)
    assert confident_errors(predictions) == [3, 1, 0]
    assert confident_errors(predictions, n=2) == [3, 1]


def test_confidence_is_the_relative_distance_from_the_threshold():
    predictions = replace(two_class([0, 0, 1], [0.25, 0.7, 0.02]), threshold=0.2)
    # Relative distances: (0.25 - 0.2) / 0.8, (0.7 - 0.2) / 0.8, (0.2 - 0.02) / 0.2.
    assert confident_errors(predictions) == [2, 1, 0]


def test_errors_show_true_class_prediction_and_probability():
    long = "a" * 20 + "$" + "b" * 20 + ".png"
    predictions = two_class([1, 0], [0.25, 0.1], labels=["Covid", "normal"])
    predictions.paths[0] = long
    seen = []

    def read(path):
        seen.append(path)
        return np.arange(4096, dtype=np.uint8).reshape(64, 64)

    figure = failures_figure(predictions, "test", read)
    assert seen == [long]
    assert figure.get_suptitle() == "Most confident errors, test (1 of 1 errors, n = 2)"
    assert title(figure).splitlines() == [
        "true: pneumonia (Covid)",
        "predicted: normal, p = 0.750",
        "a" * 14 + "…" + "b" * 10 + ".png",
    ]


def test_unreadable_images_of_errors_are_marked():
    figure = failures_figure(two_class([1] * 14, [0.25] * 14), "test", no_image)
    assert len(figure.axes) == 12
    assert all(texts(axes) == ["cannot be read"] for axes in figure.axes)
    assert figure.get_suptitle() == "Most confident errors, test (12 of 14 errors, n = 14)"


def test_no_errors():
    assert failures_figure(two_class([1], [0.9]), "test", no_image) is None


def test_figures_are_written_as_images(tmp_path):
    Image.linear_gradient("L").save(tmp_path / "a.png")
    predictions = make([0, 1], [[0.4, 0.6], [0.3, 0.7]], classes=("a$x$", "b$_"))
    predictions.paths[:] = [str(tmp_path / "a.png")] * 2
    written = write_figures(tmp_path, "test", predictions)
    assert [path.name for path in written] == [
        "test_confusion.png",
        "test_roc.png",
        "test_precision_recall.png",
        "test_reliability.png",
        "test_failures.png",
    ]
    for path in written:
        assert path.parent == tmp_path / "figures"
        with Image.open(path) as image:
            assert min(image.size) > 300
            assert image.convert("L").getextrema()[0] < 100


def test_undefined_figures_are_left_out(tmp_path):
    predictions = two_class([1, 1], [0.8, 0.9])
    written = write_figures(tmp_path, "val", predictions)
    assert [path.name for path in written] == ["val_confusion.png", "val_reliability.png"]
