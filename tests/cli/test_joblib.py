"""Sweeps with hydra/launcher=joblib, whose jobs run in processes of loky."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import xray
from xray.runs import layout


@pytest.mark.slow
@pytest.mark.skipif(find_spec("hydra_plugins.hydra_joblib_launcher") is None, reason="no joblib")
def test_jobs_of_joblib_start_loader_processes(make_tree, tmp_path):
    """The start method "loky" cannot start loader processes, so the jobs must replace it."""
    root = make_tree({f"{s}/{c}": 4 for s in ("train", "test") for c in ("normal", "pneumonia")})
    environment = {"PYTHONPATH": str(Path(xray.__file__).parents[1]), "XRAY_ROOT": str(tmp_path)}
    options = ["data=folder", f"data.root={root}", "data.size=32", "data.workers=auto"]
    options += ["data.batch_size=4", "data.val_fraction=0.5", "data.min_val=0"]
    options += ["model.weights=random", "trainer=cpu", "trainer.max_epochs=1", "callbacks=none"]
    options += ["logger=none", "cache=off", "cache.pixels=off", "hydra.sweep.dir=sweep"]
    done = subprocess.run(
        [sys.executable, "-m", "xray.train", *options, "-m", "hydra/launcher=joblib", "seed=0,1"],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for job in ("0", "1"):
        assert (tmp_path / "sweep" / job / layout.METRICS).is_file()
    assert "2 of 2 jobs finished" in done.stdout
