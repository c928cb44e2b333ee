"""Seconds an epoch, by what is trained, from the cache and from pixels."""

from typing import Any

from benchmarks.flops import training_flops
from benchmarks.loops import cold, ours
from benchmarks.setting import Setting
from benchmarks.training import SHORT, an_epoch

TRAINED = ("head", "block5", "block4", "all")


def costs(setting: Setting) -> list[dict[str, Any]]:
    """Train each on a few images, with the cache and without, and take the median epoch.

    Returns:
        A row for each of `TRAINED`, with the operations that one image costs in an epoch; nothing
        is cached where all is trained.
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
                "seconds": an_epoch(timed),
                "gflop": training_flops(trainable, setting.size, cached=cached) / 1e9,
                "peak": timed.peak,
            }
        rows.append(row)
    return rows
