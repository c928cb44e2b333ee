"""Warnings about classes that can be distinguished by their source instead of by disease."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from xray.types import Sample

PEDIATRIC = frozenset({"kermany", "pneumonia_mnist"})
"""Sources of `xray.prepare` that contain only children aged one to five years."""
_OVERLAP = 0.1
"""Two classes whose sources overlap at most this much are confounded with their source."""
_AGE_GAP = 0.5
"""Difference of the shares of children in two classes from which age is confounded."""


def find_confounding(samples: Sequence[Sample], classes: Sequence[str]) -> Iterator[str]:
    """Describe how class and source, or class and age, coincide in the training images.

    Images without a source, which only a manifest.csv provides, are not counted.

    Args:
        samples: Training images.
        classes: Class names.

    Yields:
        One sentence for each kind of confounding found.
    """
    sources: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in samples:
        if sample.source:
            sources[classes[sample.target]][sample.source] += 1
    if len(sources) < 2:  # noqa: PLR2004
        return
    listed = "; ".join(f"{name}: {_shares(found)}" for name, found in sources.items())
    children = {name: _pediatric(found) for name, found in sources.items()}
    if max(children.values()) - min(children.values()) >= _AGE_GAP:
        yield (
            "Class and age are confounded: some classes consist mostly of children and others of "
            f"adults ({listed}). The model may learn age instead of disease. Use images of the "
            "same age group for all classes, and test on another source."
        )
    elif any(_overlap(*pair) <= _OVERLAP for pair in combinations(sources.values(), 2)):
        yield (
            f"Class and source are confounded: classes come from different sources ({listed}). The "
            "model may learn the source instead of the disease. Use every source for all classes, "
            "or test on another source."
        )


def _shares(found: Counter[str]) -> str:
    total = found.total()
    return ", ".join(f"{source} {count / total:.0%}" for source, count in found.most_common(3))


def _pediatric(found: Mapping[str, int]) -> float:
    """Return the share of images from sources that contain only children."""
    return sum(n for source, n in found.items() if source in PEDIATRIC) / sum(found.values())


def _overlap(one: Counter[str], other: Counter[str]) -> float:
    """Return the overlap of the source distributions of two classes, from 0 to 1."""
    return sum(min(one[s] / one.total(), other[s] / other.total()) for s in one)
