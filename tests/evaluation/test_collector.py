"""Collecting the outputs of a pass."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch

from xray.evaluation.collector import PredictionCollector
from xray.types import Sample


def test_batches_are_joined_in_order_with_absolute_paths(monkeypatch, tmp_path):
    samples = [Sample(Path(f"set/{i}.png"), i % 2, "x", None if i else "p", "s") for i in range(3)]
    collector, model = PredictionCollector(), pl.LightningModule()
    collector.on_test_epoch_start(SimpleNamespace(), model)
    for indices in ([2, 0], [1]):
        index = torch.tensor(indices)
        share = torch.tensor([[1 - i / 4, i / 4] for i in indices])
        outputs = {"index": index, "target": index % 2, "probabilities": share}
        collector.on_test_batch_end(SimpleNamespace(), model, outputs, None, 0)
    monkeypatch.chdir(tmp_path)
    found = collector.predictions(samples, ("normal", "pneumonia"), "clean")
    assert found.paths == [str(tmp_path / "set" / f"{i}.png") for i in (2, 0, 1)]
    assert found.patients[1] == "p"
    assert found.targets.tolist() == [0, 0, 1]
    assert found.probabilities[:, 1] == pytest.approx([0.5, 0.0, 0.25])
    assert (found.verdict, found.sources) == ("clean", ["s"] * 3)
