"""Properties of the processor, and parallel work in threads."""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from rich.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")

_CPU_INFO = Path("/proc/cpuinfo")
_MOST_WORKERS = 16


def cpu_model() -> str | None:
    """Return the model name of the processor, or None if it is unknown."""
    if _CPU_INFO.is_file():
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def core_count() -> int:
    """Return the number of cores that this process may use."""
    # Other systems than Linux do not restrict the cores of a process.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def loader_workers(*, gpu: bool, processes: int = 1) -> int:
    """Return the number of processes that read images for a network.

    With a GPU, one per core, shared by the processes that train. On the CPU, which the network
    needs, one per four cores, between 1 and 4.

    Args:
        gpu: Whether the network runs on a GPU.
        processes: Number of processes that train together on this machine.
    """
    if gpu:
        return max(1, min(_MOST_WORKERS, core_count() // processes))
    return max(1, min(4, core_count() // 4))


def in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    label: str,
    *,
    quiet: int,
    workers: int | None = None,
) -> Iterator[Result]:
    """Call a function for each item in threads, and yield the results in order.

    Threads are faster if most of the work is done by libraries that release the global interpreter
    lock, such as decoders, hashes and OpenCV. If the caller stops early, pending items are dropped.

    Args:
        function: Function of one item.
        items: Arguments of the calls.
        label: Label of the progress bar.
        quiet: Maximum number of items without a progress bar; choose it for about two seconds.
        workers: Number of threads; None: one per core.
    """
    pool = ThreadPoolExecutor(workers or core_count())
    try:
        yield from track(
            pool.map(function, items),
            label,
            total=len(items),
            disable=len(items) <= quiet,
            transient=True,
        )
    finally:
        pool.shutdown(cancel_futures=True)
