"""Choice of the images to explain."""

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
    """Choose images at random: those of one label first, then an equal share of each other label.

    The first label takes half of the places, rounded up, and more only if the others run out. Names
    are compared by their beginning, ignoring case, spaces, hyphens and underscores: "covid" also
    means "COVID-19".

    Args:
        samples: Images to choose from.
        n: Number of images at most.
        seed: Seed; the same seed and samples give the same choice.
        classes: Class names, in the order of `Sample.target`.
        first: Label (`Sample.label`) that comes first; None: all labels are treated alike.
        only: Label or class to which the choice is restricted; None: no restriction.

    Returns:
        Indices in `samples`, without repetition, in the order of display.

    Raises:
        DataError: No image has the label or class `only`.
    """
    shuffled = random.Random(seed).sample(range(len(samples)), len(samples))
    if only is not None:
        shuffled = [i for i in shuffled if _matches(samples[i], classes, only)]
        if not shuffled:
            labels = ", ".join(sorted({sample.label for sample in samples}))
            raise DataError(
                f"only={only}: no image has this label or class. "
                f"Labels here: {labels}. Classes: {', '.join(classes)}."
            )
    leading = [i for i in shuffled if first and _begins_with(samples[i].label, first)]
    groups: dict[str, list[int]] = {label: [] for label in sorted({s.label for s in samples})}
    for i in shuffled:
        if not (first and _begins_with(samples[i].label, first)):
            groups[samples[i].label].append(i)
    rest = [i for i in chain.from_iterable(zip_longest(*groups.values())) if i is not None]
    leaders = leading[: max((n + 1) // 2, n - len(rest))]
    return leaders + rest[: n - len(leaders)]


def simplify(name: str) -> str:
    """Return a name without spaces, hyphens and underscores, in lower case, for comparison."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def _begins_with(name: str, beginning: str) -> bool:
    return simplify(name).startswith(simplify(beginning))


def _matches(sample: Sample, classes: Sequence[str], name: str) -> bool:
    return _begins_with(sample.label, name) or _begins_with(classes[sample.target], name)
