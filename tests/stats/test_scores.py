import numpy as np
import pytest
import sklearn.metrics as reference
import torch

from xray.model.metrics import SplitMetrics
from xray.stats import scores

POSITIVE = 1


def made(k: int, n: int = 60, seed: int = 0):
    """Return predictions with ties, and integer weights of five resamples."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)) + 1.2 * np.eye(k)[targets]
    odds = np.exp(logits.round(1))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    return targets, probabilities, probabilities.argmax(axis=1), rng.integers(0, 4, (5, n))


def binary_reference(targets, probabilities, predicted, w):
    p = probabilities[:, 1]
    return {
        "accuracy": reference.accuracy_score(targets, predicted, sample_weight=w),
        "precision": reference.precision_score(targets, predicted, sample_weight=w),
        "recall": reference.recall_score(targets, predicted, sample_weight=w),
        "f1": reference.f1_score(targets, predicted, sample_weight=w),
        "specificity": reference.recall_score(targets, predicted, pos_label=0, sample_weight=w),
        "auroc": reference.roc_auc_score(targets, p, sample_weight=w),
        "auprc": reference.average_precision_score(targets, p, sample_weight=w),
        "balanced_accuracy": reference.balanced_accuracy_score(targets, predicted, sample_weight=w),
        "mcc": reference.matthews_corrcoef(targets, predicted, sample_weight=w),
        "brier": reference.brier_score_loss(targets, p, sample_weight=w),
        "log_loss": reference.log_loss(targets, probabilities, sample_weight=w),
    }


def test_two_classes_match_scikit_learn_in_every_resample():
    targets, probabilities, predicted, weights = made(2)
    found = scores.all_scores(targets, probabilities, predicted, weights.astype(float))
    for row, w in enumerate(weights):
        expected = binary_reference(targets, probabilities, predicted, w)
        assert {name: found[name][row] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_three_classes_match_scikit_learn_in_every_resample():
    targets, probabilities, predicted, weights = made(3)
    found = scores.all_scores(targets, probabilities, predicted, weights.astype(float))
    for row, w in enumerate(weights):
        weighted = {"sample_weight": w}
        macro = {"average": "macro", **weighted}
        one_hot = np.eye(3)[targets]
        expected = {
            "accuracy": reference.accuracy_score(targets, predicted, **weighted),
            "precision": reference.precision_score(targets, predicted, **macro),
            "recall": reference.recall_score(targets, predicted, **macro),
            "f1": reference.f1_score(targets, predicted, **macro),
            "specificity": np.mean(
                [
                    reference.recall_score(targets == k, predicted == k, pos_label=0, **weighted)
                    for k in range(3)
                ]
            ),
            "auroc": np.mean(
                [
                    reference.roc_auc_score(targets == k, probabilities[:, k], **weighted)
                    for k in range(3)
                ]
            ),
            "auprc": reference.average_precision_score(one_hot, probabilities, **macro),
            "balanced_accuracy": reference.recall_score(targets, predicted, **macro),
            "mcc": reference.matthews_corrcoef(targets, predicted, **weighted),
            "log_loss": reference.log_loss(targets, probabilities, **weighted),
            "brier": np.average(((probabilities - one_hot) ** 2).sum(axis=1), weights=w),
        }
        assert {name: found[name][row] for name in expected} == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("k", [2, 3])
def test_scores_match_the_torchmetrics_of_training(k):
    targets, probabilities, predicted, _ = made(k, n=200)
    found = scores.all_scores(targets, probabilities, predicted, np.ones((1, 200)))
    metrics = SplitMetrics(k)
    metrics.update(torch.from_numpy(probabilities), torch.from_numpy(targets))
    for name, value in metrics.compute().items():
        assert found[name][0] == pytest.approx(float(value), abs=1e-6)


def test_a_weight_of_two_equals_a_duplicated_image():
    targets, probabilities, predicted, weights = made(3)
    twice = np.repeat(np.arange(60), weights[0])
    found = scores.all_scores(targets, probabilities, predicted, weights[:1].astype(float))
    repeated = scores.all_scores(
        targets[twice], probabilities[twice], predicted[twice], np.ones((1, len(twice)))
    )
    for name, value in found.items():
        assert value == pytest.approx(repeated[name], abs=1e-12)


def test_calibration_error_exact_value():
    # Bin of 0.15 and 0.19: one of two positive. Bin of 0.8 (on an edge, so the upper bin) and 0.85:
    # two of two. 1.0 belongs to the last bin.
    p = np.array([0.15, 0.19, 0.8, 0.85, 1.0])
    targets = np.array([0, 1, 1, 1, 0])
    expected = (2 * abs(0.17 - 0.5) + 2 * abs(0.825 - 1.0) + 1 * abs(1.0 - 0.0)) / 5
    found = scores.calibration_error(targets, np.stack([1 - p, p], axis=1), np.ones((1, 5)))
    assert found == pytest.approx([expected])


def test_calibration_error_of_several_classes_uses_the_most_probable_class():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.3, 0.72, 0.0]])
    found = scores.calibration_error(np.array([0, 0]), probabilities, np.ones((1, 2)))
    assert found == pytest.approx([abs(0.71 - 0.5)])


def test_log_loss_of_a_certain_error_is_finite():
    found = scores.log_loss(np.array([1]), np.array([[1.0, 0.0]]), np.ones((1, 1)))
    assert found == pytest.approx([-np.log(1e-15)])


def test_undefined_scores_are_nan_without_warnings():
    targets, p = np.array([0, 0, 1]), np.array([0.1, 0.2, 0.3])
    probabilities = np.stack([1 - p, p], axis=1)
    predicted = probabilities.argmax(axis=1)
    # All images; only the negatives; only the positive; none.
    weights = np.array([[1, 1, 1], [1, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=float)
    found = scores.all_scores(targets, probabilities, predicted, weights)
    undefined = {name: np.isnan(value).tolist() for name, value in found.items()}
    assert undefined["accuracy"] == undefined["brier"] == undefined["ece"] == [0, 0, 0, 1]
    assert undefined["precision"] == [1, 1, 1, 1]
    assert undefined["recall"] == undefined["auprc"] == [0, 1, 0, 1]
    assert undefined["specificity"] == [0, 0, 1, 1]
    assert undefined["auroc"] == undefined["balanced_accuracy"] == [0, 1, 1, 1]
    assert undefined["mcc"] == [1, 1, 1, 1]


def test_scores_of_no_images_are_nan():
    empty = np.zeros(0, dtype=np.int64)
    found = scores.all_scores(empty, np.zeros((0, 2)), empty, np.ones((1, 0)))
    assert all(np.isnan(value).all() for value in found.values())
