"""Which images to explain."""

import random
import re
from collections.abc import Sequence
from itertools import chain, zip_longest

from xray.errors import DataError
from xray.types import Sample


def choose(
    samples: Sequence[Sample],
    n: int,
    seed: int,
    *,
    classes: Sequence[str],
    first: str | None = "covid",
    only: str | None = None,
) -> list[int]:
    """Choose images by seed: those of one label first, then an equal share of each other label.

    The first ones take half of the places, rounded up, and more only when the others run out. Names
    are compared by their beginning, without regard to case, spaces, hyphens and underscores:
    "covid" means "COVID-19" too.

    Args:
        samples: What to choose from.
        n: How many, at most.
        seed: Same seed, same samples: same choice.
        classes: Class names, in the order of `Sample.target`.
        first: Label (`Sample.label`) that comes first; None: all labels alike.
        only: Label or class outside of which nothing is chosen.

    Returns:
        Positions in `samples`, without repetition, in the order in which they are to be shown.

    Raises:
        DataError: Nothing is of the label or class `only`.
    """
    shuffled = random.Random(seed).sample(range(len(samples)), len(samples))
    if only is not None:
        shuffled = [i for i in shuffled if _is_of(samples[i], classes, only)]
        if not shuffled:
            labels = ", ".join(sorted({sample.label for sample in samples}))
            raise DataError(
                f"only={only}: no image has this label or class. "
                f"Labels here: {labels}. Classes: {', '.join(classes)}."
            )
    leading = [i for i in shuffled if first and _begins(samples[i].label, first)]
    groups: dict[str, list[int]] = {label: [] for label in sorted({s.label for s in samples})}
    for i in shuffled:
        if not (first and _begins(samples[i].label, first)):
            groups[samples[i].label].append(i)
    rest = [i for i in chain.from_iterable(zip_longest(*groups.values())) if i is not None]
    leaders = leading[: max((n + 1) // 2, n - len(rest))]
    return leaders + rest[: n - len(leaders)]


def plain(name: str) -> str:
    """Write a name as it is compared: without regard to case, spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def _begins(name: str, beginning: str) -> bool:
    return plain(name).startswith(plain(beginning))


def _is_of(sample: Sample, classes: Sequence[str], name: str) -> bool:
    return _begins(sample.label, name) or _begins(classes[sample.target], name)
