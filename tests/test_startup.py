"""What a training imports before its first step: seconds that the user waits."""

import json
import os
import subprocess
import sys
from pathlib import Path

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
    "pytorch_grad_cam": "explains, after an epoch",
    "sklearn": "splits a flat folder, looks for shortcuts, draws curves",
    "jinja2": "writes the report",
    "xray.reporting.figures": "draws, after the test",
    "xray.reporting.html": "writes, at the end",
}
"""Module -> when it is needed. Not matplotlib: Lightning imports torchmetrics, which imports it."""


def test_what_is_needed_later_is_imported_later(make_tree, tmp_path):
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
