"""Testing a model: predictions, thresholds, metrics with intervals, comparisons."""
