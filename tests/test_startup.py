"""Modules that are imported before the first step of a training, while the user waits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import xray

STOP_AT_THE_FIRST_STEP = """
import json, os, sys
from pathlib import Path
from xray import train
from xray.training.callbacks.first_step import FirstStep

def stop(self, *args):
    Path("modules.json").write_text(json.dumps(list(sys.modules)))
    os._exit(0)

FirstStep.on_train_batch_start = stop
train.main()
"""

LATER = {
    "pytorch_grad_cam": "heatmaps after an epoch",
    "sklearn": "held-out splits, source probe, curves",
    "jinja2": "the report",
    "xray.reporting.figures": "figures after the test",
    "xray.reporting.html": "the report at the end",
}
"""Module -> use. matplotlib is not listed because torchmetrics imports it."""


@pytest.mark.slow
def test_modules_of_later_stages_are_not_imported_before_the_first_step(make_tree, tmp_path):
    root = make_tree({f"{s}/{c}": 4 for s in ("train", "val", "test") for c in ("normal", "covid")})
    options = ["data=folder", f"data.root={root}", "data.size=32", "data.batch_size=4"]
    options += ["data.workers=0", "data.min_val=0", "model.weights=random", "trainer=cpu"]
    options += [f"paths.outputs={tmp_path / 'out'}", "trainer.precision=32-true"]
    options += ["trainer.channels_last=true", "trainer.threads=1"]
    source = str(Path(xray.__file__).parents[1])
    subprocess.run(
        [sys.executable, "-c", STOP_AT_THE_FIRST_STEP, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": source},
        check=True,
        capture_output=True,
    )
    loaded = set(json.loads((tmp_path / "modules.json").read_text()))
    assert "pytorch_lightning" in loaded
    assert not loaded & set(LATER)
