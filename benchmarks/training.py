"""Rows of complete trainings (head, Lightning module, sweep) and of epochs of block 5."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from benchmarks.loops import Timed, cold, lightning, ours, plain
from benchmarks.setting import Setting

Row = dict[str, Any]
SHORT = 3
"""Repetitions of a time in each pair, of which the median is taken."""
FEW = 2
"""Measured epochs of a loop whose epochs take the same, long time."""
PLAIN, COLD = "plain PyTorch loop", "head, cold cache, views=1"
POOLED = ("model.head.norm=batch",)
"""xray's head with batch normalization. The default for pretrained weights, `layer`, learns too
slowly for ten epochs of 512 images."""
SAME_HEAD = ("model.head.pooling=flatten", "model.head.norm=none")
"""The head of the plain loops."""


def head(setting: Setting) -> list[Row]:
    """Train a head: plain loop compared with cold caches of few and many views, and a warm one."""
    several, warm = f"head, cold cache, views={setting.views}", "head, warm cache, views=1"
    same = "the loop's own head, cold cache, views=1"
    base: list[Timed] = []
    own: dict[str, list[Timed]] = {COLD: [], several: [], warm: [], same: []}
    for _ in range(setting.pairs):
        base.append(plain(setting, "head", setting.epochs))
        with cold(setting) as folder:
            own[COLD].append(ours(setting, folder, *POOLED, epochs=setting.epochs))
            again = [ours(setting, folder, *POOLED, epochs=setting.epochs) for _ in range(SHORT)]
            own[warm].append(_middle(again))
        for name, options in {
            several: (*POOLED, f"cache.views={setting.views}"),
            same: SAME_HEAD,
        }.items():
            with cold(setting) as folder:
                own[name].append(ours(setting, folder, *options, epochs=setting.epochs))
    return [_row(name, PLAIN, base, timed) for name, timed in own.items()]


def lightning_head(setting: Setting) -> list[Row]:
    """Train a head: plain Lightning module compared with a cold cache."""
    few = min(FEW, setting.epochs)
    base: list[Timed] = []
    own: list[Timed] = []
    for _ in range(setting.pairs):
        base.append(lightning(setting, few))
        with cold(setting) as folder:
            own.append(ours(setting, folder, *POOLED, epochs=setting.epochs))
    scaled = f", {few} epochs measured, scaled" if few < setting.epochs else ""
    row = _row(COLD, f"plain Lightning module{scaled}", base, own)
    # Its scores are not those of the last epoch.
    return [row | {"base_auroc": None, "base_best_auroc": None} if scaled else row]


def sweep(setting: Setting) -> list[Row]:
    """Sweep 20 heads from a cold cache, compared with one of them alone."""
    rates, dropouts = "1e-2,3e-3,1e-3,3e-4,1e-4", "0,0.2,0.5,0.7"
    first: list[Timed] = []
    whole: list[Timed] = []
    for _ in range(setting.pairs):
        with cold(setting) as folder:
            first.append(ours(setting, folder, epochs=setting.epochs))
        with cold(setting) as folder:
            grid = ("-m", f"optim.lr={rates}", f"model.head.dropout={dropouts}")
            whole.append(ours(setting, folder, *grid, epochs=setting.epochs))
    row = _row("20 heads in one sweep, cold cache", "one of them alone, cold cache", first, whole)
    return [row | {"multiple": 1 / row["ratio"]}]


def block5(setting: Setting) -> list[Row]:
    """Train block 5 and the head: seconds per epoch, plain loop compared with the cache."""
    base: list[Timed] = []
    own: list[Timed] = []
    for _ in range(setting.pairs):
        base.append(plain(setting, "block5", min(FEW, setting.epochs)))
        with cold(setting) as folder:
            own.append(ours(setting, folder, "model.trainable=block5", epochs=SHORT))
    row = _row(
        "block5, from the cache, one epoch", f"{PLAIN}, same layers", base, own, epoch_seconds
    )
    return [row | dict.fromkeys(("base_auroc", "base_best_auroc", "auroc", "best_auroc"))]


def epoch_seconds(timed: Timed) -> float:
    """Return the median duration of an epoch in seconds."""
    return median(timed.epochs)


def _whole(timed: Timed) -> float:
    return timed.seconds


def _row(
    name: str,
    against: str,
    base: Sequence[Timed],
    own: Sequence[Timed],
    seconds: Callable[[Timed], float] = _whole,
) -> Row:
    """Summarize pairs: medians of times and of their ratios; scores of the last pair."""
    row: Row = {
        "name": name,
        "against": against,
        "base_seconds": median(map(seconds, base)),
        "seconds": median(map(seconds, own)),
        "ratio": median(seconds(b) / seconds(o) for b, o in zip(base, own, strict=True)),
    }
    for prefix, timed in (("base_", base[-1]), ("", own[-1])):
        row[f"{prefix}auroc"] = timed.aurocs[-1] if timed.aurocs else None
        row[f"{prefix}best_auroc"] = max(timed.aurocs, default=None)
        row[f"{prefix}peak"] = timed.peak
    return row


def _middle(repeated: list[Timed]) -> Timed:
    return sorted(repeated, key=_whole)[len(repeated) // 2]
