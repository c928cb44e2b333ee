"""The same work on many items, on all cores, with a progress bar."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rich.progress import track

from xray.machine import core_count

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    label: str,
    *,
    quiet: int,
    workers: int | None = None,
) -> Iterator[Result]:
    """Call a function on each item, in threads; yield the results in order.

    It pays where most of the work is done by libraries that let go of the interpreter's lock, as
    decoders, hashes and OpenCV do. Where the caller stops early, what has not begun is not begun.

    Args:
        function: What is done.
        items: With what.
        label: Beside the bar.
        quiet: So many items, or fewer, take less than about two seconds and get no bar.
        workers: Threads; None: one a core.
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
