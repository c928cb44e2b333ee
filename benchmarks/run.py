"""`make bench`: one run, whole processes, ratios; written to benchmarks/results/<machine>.json.

Arguments: [patients=24] [epochs=5].
"""

import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from xray.imaging.phantom_tree import write_phantom_tree
from xray.types import Split

RESULTS = Path(__file__).parent / "results"


def seconds(*command: str) -> float:
    """Run a Python command to its end, and time it as a whole."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def ours(root: Path, outputs: Path, epochs: int) -> float:
    """Time the same training by the framework, from start-up to the last checkpoint."""
    return seconds(
        *("-m", "xray.train", "data=folder", f"data.root={root}", f"paths.outputs={outputs}"),
        *("model.weights=random", "data.min_val=0", "data.workers=2", "test=false"),
        *(f"trainer.max_epochs={epochs}", f"callbacks.early_stopping.patience={epochs}"),
        *("~callbacks.gradcam", "cache.views=1", "trainer=cpu"),
    )


def main(patients: int = 24, epochs: int = 5) -> None:
    """Measure, print a table, and keep the numbers."""
    with tempfile.TemporaryDirectory() as folder:
        root, outputs = Path(folder) / "phantoms", Path(folder) / "outputs"
        counts: dict[Split, int] = {"train": patients * 3, "val": patients, "test": patients}
        write_phantom_tree(root, patients=counts, views=1, size=224, seed=0)
        plain = seconds(str(Path(__file__).with_name("plain_loop.py")), str(root), str(epochs))
        cold, warm = ours(root, outputs, epochs), ours(root, outputs, epochs)
    result = {
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, {torch.__version__}",
        "train_images": patients * 3,
        "val_images": patients,
        "epochs": epochs,
        "views": 1,
        "seconds": {"plain loop": plain, "xray, cold cache": cold, "xray, warm cache": warm},
        "ratio": {"cold": plain / cold, "warm": plain / warm},
    }
    RESULTS.mkdir(exist_ok=True)
    name = f"{platform.machine()}-{torch.get_num_threads()}-threads.json"
    (RESULTS / name).write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main(**{key: int(value) for key, value in (word.split("=") for word in sys.argv[1:])})
