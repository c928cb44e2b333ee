"""Throughput of `xray.predict` relative to the bare network: `python -m benchmarks.predict`.

Both run in this process, with the same threads and precision. The bare network computes random
batches in memory. Prediction also reads, decodes and resizes PNG files, compares them with the
training images, and writes predictions.csv. Both are repeated alternately, so that a change of the
machine's speed affects both.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from xray.data.transforms import SeededTransform, light_transforms
from xray.integrity.index import index_files
from xray.integrity.statistics import reference
from xray.model.classifier import XrayClassifier
from xray.model.operating_point import OperatingPoint
from xray.phantom.tree import write_phantom_tree
from xray.prediction.job import PredictionJob
from xray.prediction.predictor import Predictor
from xray.prediction.reader import Reader
from xray.training.compute import Compute, choose_compute
from xray.types import Split

CLASSES = ("normal", "pneumonia")
DRAWN = 512
"""Side of the drawn images, pixels."""


def draw(folder: Path, count: int) -> list[Path]:
    """Draw images, and return the paths of `count` of them."""
    patients: dict[Split, int] = {"train": max(count, 4), "val": 4, "test": 4}
    write_phantom_tree(folder, patients=patients, views=1, size=DRAWN, seed=0)
    return sorted((folder / "train").rglob("*.png"))[:count]


def make_predictor(images: list[Path], size: int, batch: int, device: torch.device) -> Predictor:
    """Build a predictor with a VGG16 of random weights, in the precision chosen for the machine."""
    compute = choose_compute(Compute(), device)
    model = XrayClassifier("vgg16", classes=CLASSES, weights="random").eval().to(device)
    compute.apply(model)
    steps = SeededTransform(light_transforms(size)["eval"], size, 0)
    usual = reference(index_files(images).rows)
    half = compute.precision == "bf16-mixed"
    print(f"compute: {compute}")
    return Predictor(
        model,
        CLASSES,
        Reader(steps, usual),
        OperatingPoint(threshold=0.5, temperature=1.5),
        context=partial(torch.autocast, device.type, torch.bfloat16) if half else nullcontext,
        device=device,
        batch_size=batch,
    )


def time_network(predictor: Predictor, count: int, size: int, batch: int) -> float:
    """Return the seconds that the network needs for `count` images that are in memory."""
    images = torch.randint(0, 256, (batch, 1, size, size), dtype=torch.uint8)
    logits = []
    begin = time.perf_counter()
    with torch.inference_mode(), predictor.context():
        for start in range(0, count, batch):
            part = images[: min(batch, count - start)].to(predictor.device)
            logits.append(predictor.model(part))
    torch.cat(logits).cpu()
    return time.perf_counter() - begin


def time_prediction(predictor: Predictor, source: Path, folder: Path) -> float:
    """Return the seconds that the prediction of a list of files into a folder takes."""
    begin = time.perf_counter()
    PredictionJob(source, folder, predictor, {}).run("none", Console(quiet=True))
    return time.perf_counter() - begin


def main() -> None:
    """Measure both alternately, and print images per second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=96, help="number of images (96)")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions of each (3)")
    parser.add_argument("--size", type=int, default=224, help="side of the network's input (224)")
    parser.add_argument("--batch", type=int, default=32, help="images per batch (32)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    chosen = parser.parse_args()
    n, size, batch = chosen.n, chosen.size, min(chosen.batch, chosen.n)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        images = draw(folder / "images", n)
        source = folder / "images.txt"
        source.write_text("\n".join(map(str, images)))
        predictor = make_predictor(images, size, batch, torch.device(chosen.device))
        # The first pass allocates memory and chooses algorithms.
        time_network(predictor, batch, size, batch)
        network, prediction = [], []
        for i in range(chosen.repeats):
            network.append(time_network(predictor, n, size, batch))
            prediction.append(time_prediction(predictor, source, folder / f"out{i}"))
    ratio = statistics.median(a / b for a, b in zip(network, prediction, strict=True))
    speeds = [n / statistics.median(seconds) for seconds in (network, prediction)]
    print(f"network:    {speeds[0]:.2f} images/s")
    print(f"prediction: {speeds[1]:.2f} images/s ({100 * ratio:.1f} % of the network)")


if __name__ == "__main__":
    main()
