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

    The first label takes half of the places, rounded up, and more only if the others run out. Only
    the letters and digits at the beginning of names are compared: "covid" also means "COVID-19".

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
            raise DataError(_no_match(only, samples, classes))
    leading = [i for i in shuffled if first and _begins_with(samples[i].label, first)]
    taken = set(leading)
    rest = _alternate([i for i in shuffled if i not in taken], samples)
    leaders = leading[: max((n + 1) // 2, n - len(rest))]
    return leaders + rest[: n - len(leaders)]


def _no_match(only: str, samples: Sequence[Sample], classes: Sequence[str]) -> str:
    labels = ", ".join(sorted({sample.label for sample in samples}))
    return (
        f"only={only}: no image has this label or class. Labels here: {labels}. Classes: "
        f"{', '.join(classes)}."
    )


def _alternate(indices: Sequence[int], samples: Sequence[Sample]) -> list[int]:
    """Order images so that their labels alternate."""
    groups: dict[str, list[int]] = {label: [] for label in sorted({s.label for s in samples})}
    for i in indices:
        groups[samples[i].label].append(i)
    return [i for i in chain.from_iterable(zip_longest(*groups.values())) if i is not None]


def simplify(name: str) -> str:
    """Return a name without spaces, hyphens and underscores, in lower case, for comparison."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def _begins_with(name: str, beginning: str) -> bool:
    return simplify(name).startswith(simplify(beginning))


def _matches(sample: Sample, classes: Sequence[str], name: str) -> bool:
    return _begins_with(sample.label, name) or _begins_with(classes[sample.target], name)
