"""Seconds per epoch for different trained layers, from the cache and from images."""

from typing import Any

from benchmarks.flops import training_flops
from benchmarks.loops import cold, ours
from benchmarks.setting import Setting
from benchmarks.training import SHORT, epoch_seconds

TRAINED = ("head", "block5", "block4", "all")


def costs(setting: Setting) -> list[dict[str, Any]]:
    """Train on a few images, with the cache and without, and take the median epoch.

    Returns:
        A row for each of `TRAINED`, with the operations for one image in an epoch. There is no
        cache if all layers are trained.
    """
    rows = []
    for trainable in TRAINED:
        row: dict[str, Any] = {"name": trainable}
        for how in ("off",) if trainable == "all" else ("only", "off"):
            with cold(setting) as folder:
                options = (f"model.trainable={trainable}", f"cache={how}")
                timed = ours(setting, folder, *options, epochs=SHORT, root=setting.small)
            cached = how == "only"
            row["cache" if cached else "pixels"] = {
                "seconds": epoch_seconds(timed),
                "gflop": training_flops(trainable, setting.size, cached=cached) / 1e9,
                "peak": timed.peak,
            }
        rows.append(row)
    return rows
