"""Names and definitions of the metrics in reports, terminal tables and the documentation.

TP, FP, TN and FN are the numbers of true positives, false positives, true negatives and false
negatives. With two classes the second one is the positive class.
"""

from dataclasses import dataclass

from xray.stats.scores import BINARY


@dataclass(frozen=True)
class MetricName:
    """The name of a metric and its definition.

    Attributes:
        name: The standard name, for example "AUROC".
        definition: One sentence with the formula, for two classes.
        better: "higher" or "lower", or "" for a value that is neither.
        macro: True if the metric of three or more classes is the unweighted mean of its one-vs-rest
            values.
    """

    name: str
    definition: str
    better: str = "higher"
    macro: bool = False

    @property
    def text(self) -> str:
        """The definition with the averaging rule and the direction of improvement."""
        sentences = [self.definition]
        if self.macro:
            sentences.append("With three or more classes: unweighted mean over the classes.")
        if self.better:
            sentences.append(f"{self.better.capitalize()} is better.")
        return " ".join(sentences)


METRICS = {
    "auroc": MetricName(
        "AUROC",
        "Area under the receiver operating characteristic curve: the probability that a positive "
        "image has a higher score than a negative one. 0.5 is chance.",
        macro=True,
    ),
    "auprc": MetricName(
        "AUPRC",
        "Area under the precision-recall curve (average precision). The chance level is the share "
        "of positive images.",
        macro=True,
    ),
    "accuracy": MetricName("Accuracy", "Share of correct predictions: (TP + TN) / n."),
    "balanced_accuracy": MetricName(
        "Balanced accuracy", "Mean of the sensitivities of all classes."
    ),
    "recall": MetricName("Sensitivity", "True-positive rate, recall: TP / (TP + FN).", macro=True),
    "specificity": MetricName("Specificity", "True-negative rate: TN / (TN + FP).", macro=True),
    "precision": MetricName(
        "PPV",
        "Positive predictive value, precision: TP / (TP + FP). Depends on the prevalence.",
        macro=True,
    ),
    "npv": MetricName(
        "NPV", "Negative predictive value: TN / (TN + FN). Depends on the prevalence."
    ),
    "f1": MetricName(
        "F1 score", "Harmonic mean of PPV and sensitivity: 2 TP / (2 TP + FP + FN).", macro=True
    ),
    "mcc": MetricName(
        "MCC",
        "Matthews correlation coefficient of prediction and true class, from -1 to 1. 0 is chance.",
    ),
    "brier": MetricName(
        "Brier score",
        "Mean squared difference between predicted probability and outcome (0 or 1).",
        "lower",
    ),
    "log_loss": MetricName(
        "Log loss",
        "Cross-entropy: mean of -ln(probability of the true class). Confident errors cost most.",
        "lower",
    ),
    "ece": MetricName(
        "ECE",
        "Expected calibration error: mean absolute difference between predicted probability and "
        "observed frequency, in ten bins of equal width.",
        "lower",
    ),
    "threshold": MetricName(
        "Threshold", "The positive class is predicted if its probability is above this value.", ""
    ),
}
"""Key in metrics.json -> name and definition, in the order of the report's tables."""

TERMS = {
    "95 % CI": "95 % confidence interval: bootstrap over patients. Shares have a Wilson interval "
    "where the bootstrap has no spread.",
    "Operating point": "A threshold and the decisions that follow from it.",
    "Prevalence": "Share of positive images.",
    "Youden index": "Sensitivity + specificity - 1. The rule youden chooses the threshold that "
    "maximizes it on the validation images.",
    "sens@0.95": "The highest threshold with a sensitivity of at least 0.95 on the validation "
    "images.",
    "spec@0.90": "The lowest threshold with a specificity of at least 0.90 on the validation "
    "images.",
    "Temperature": "Temperature scaling: the logits are divided by this number, fitted on the "
    "validation images, before the softmax.",
    "Pointing game": "Share of images whose hottest pixel is inside the lesion.",
    "Energy": "Share of the heat that is inside the mask.",
    "IoU": "Intersection over union of the hot region and the lesion mask.",
    "ROAD": "Remove and debias: drop of the predicted probability if the most relevant pixels are "
    "removed, compared with the least relevant ones.",
    "Deletion": "Mean predicted probability while pixels are replaced by gray, most relevant "
    "first.",
    "Insertion": "Mean predicted probability while pixels are revealed in a blurred image, most "
    "relevant first.",
}
"""Further terms of the report and their definitions."""

_ALIASES = {"sensitivity": "recall", "ppv": "precision"}
"""Keys of metrics.json's operating points that name a metric of `METRICS`."""


def metric_name(key: str, classes: int = BINARY) -> str:
    """Return the name of a metric.

    Args:
        key: The key in metrics.json ("auroc"); an unknown key is returned unchanged.
        classes: The number of classes. With three or more, averaged metrics are marked "(macro)".
    """
    metric = METRICS.get(_ALIASES.get(key, key))
    if metric is None:
        return key
    return f"{metric.name} (macro)" if metric.macro and classes > BINARY else metric.name


def definition(name: str) -> str:
    """Return the definition of a metric or term by its displayed name; "" if it has none.

    Args:
        name: For example "AUROC", "Sensitivity (macro)" or "sens@0.95".
    """
    return _DEFINITIONS.get(name.removesuffix(" (macro)"), "")


_DEFINITIONS = {metric.name: metric.text for metric in METRICS.values()} | TERMS
