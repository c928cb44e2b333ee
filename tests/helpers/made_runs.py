"""Predictions and run directories made up on the spot."""

import json
from pathlib import Path

import numpy as np
import yaml

from xray.runs.predictions import Predictions

CONFIG = {"seed": 0, "tag": "a", "data": {"split_seed": 0, "size": 224}, "model": "vgg16"}


def made(n: int, seed: int = 0, sharpness: float = 1.0, k: int = 2) -> Predictions:
    """Probabilities that are right about themselves at a sharpness of 1."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(n, k))
    odds = np.exp(logits)
    truth = odds / odds.sum(axis=1, keepdims=True)
    targets = np.array([rng.choice(k, p=row) for row in truth])
    given = np.exp(sharpness * logits)
    return Predictions(
        paths=[f"{i}.png" for i in range(n)],
        patients=[f"p{i}" for i in range(n)],
        labels=["x"] * n,
        targets=targets,
        probabilities=given / given.sum(axis=1, keepdims=True),
        classes=("normal", "pneumonia", "covid")[:k],
    )


def make_run(
    directory: Path, predictions: Predictions, *, config: dict = CONFIG, **changes
) -> Path:
    """Write what a comparison reads."""
    (directory / ".hydra").mkdir(parents=True)
    (directory / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    predictions.to_csv(directory / "predictions" / "test.csv")
    right = float((predictions.predicted == predictions.targets).mean())
    entry = {"threshold": 0.5, "accuracy": {"value": right, "low": 0.0, "high": 1.0}} | changes
    (directory / "metrics.json").write_text(json.dumps({"test": entry}))
    return directory
