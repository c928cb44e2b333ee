"""Rows of whole trainings: the head, block 5, and a sweep."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.setting import Setting, Timed, ours, plain

Row = dict[str, Any]


def head(setting: Setting) -> list[Row]:
    """Train a head: plain loop against a cold cache of one view, of four, and a warm one."""
    return _compare(setting, "head", views=(1, 4))


def block5(setting: Setting) -> list[Row]:
    """Train block 5 and the head: the plain loop against a cold cache and a warm one."""
    return _compare(setting, "block5", views=(1,))


def sweep(setting: Setting) -> list[Row]:
    """Sweep 20 heads from a cold cache, against the first one alone."""
    rates, dropouts = "1e-2,3e-3,1e-3,3e-4,1e-4", "0,0.2,0.5,0.7"
    first: list[Timed] = []
    whole: list[Timed] = []
    for _ in range(setting.pairs):
        with tempfile.TemporaryDirectory(dir=setting.outputs) as one:
            first.append(ours(setting, Path(one)))
        with tempfile.TemporaryDirectory(dir=setting.outputs) as many:
            grid = ("-m", f"optim.lr={rates}", f"model.head.dropout={dropouts}")
            whole.append(ours(setting, Path(many), *grid))
    return [_row("20 heads, against the first alone", first, whole)]


def _compare(setting: Setting, trainable: str, views: tuple[int, ...]) -> list[Row]:
    """Time the plain loop and our runs in turn, so that a busy machine slows both."""
    base: list[Timed] = []
    cold: dict[int, list[Timed]] = {view: [] for view in views}
    warm: list[Timed] = []
    for _ in range(setting.pairs):
        base.append(plain(setting, trainable))
        for view in views:
            with tempfile.TemporaryDirectory(dir=setting.outputs) as folder:
                options = (f"model.trainable={trainable}", f"cache.views={view}")
                cold[view].append(ours(setting, Path(folder), *options))
                if view == views[0]:
                    warm.append(ours(setting, Path(folder), *options))
    named: Callable[[str], str] = f"{trainable}, {{}}".format
    rows = [_row(named(f"cold cache, views={view}"), base, cold[view]) for view in views]
    return [*rows, _row(named("warm cache, views=1"), base, warm)]


def _row(name: str, base: list[Timed], own: list[Timed]) -> Row:
    return {
        "name": name,
        "base_seconds": median(one.seconds for one in base),
        "seconds": median(one.seconds for one in own),
        "ratio": median(b.seconds / o.seconds for b, o in zip(base, own, strict=True)),
        "base_auroc": base[-1].auroc,
        "auroc": own[-1].auroc,
    }
