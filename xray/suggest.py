"""The nearest right word for a wrong one."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

CUTOFF = 0.6
"""Similarity from 0 (nothing in common) to 1 (the same) below which nothing is suggested."""


def nearest(word: str, options: Iterable[str]) -> str | None:
    """Find the option that is most like `word`, if any is like it."""
    found = get_close_matches(word, list(options), n=1, cutoff=CUTOFF)
    return found[0] if found else None


def nearest_key(key: str, keys: Iterable[str]) -> str | None:
    """Find the dotted key that `key` was most likely meant to be.

    The whole path counts (`optim.lrr` -> `optim.lr`), and so does the last part of it alone,
    wherever it stands (`model.dropout` -> `model.head.dropout`).

    Args:
        key: What was typed.
        keys: Dotted keys that exist.

    Returns:
        One of `keys`, or None where nothing is near.
    """
    parent, _, leaf = key.rpartition(".")

    def score(candidate: str) -> float:
        candidate_parent, _, candidate_leaf = candidate.rpartition(".")
        tail = SequenceMatcher(None, leaf, candidate_leaf).ratio()
        same = candidate_parent == parent
        whole = 1.0 if same else SequenceMatcher(None, key, candidate).ratio()
        both = 0.8 * tail + 0.2 * whole
        # A long path in common says nothing where the last parts differ; and of two as near, the
        # one is meant that lies less deep.
        likely = both if same or tail < CUTOFF else max(whole, both)
        return likely - (0.0 if same else 0.03 * candidate.count("."))

    best = max(keys, key=score, default=None)
    return best if best is not None and score(best) >= CUTOFF else None


def did_you_mean(suggestion: str | None) -> str:
    """Write the suggestion as a sentence with a space before it, or nothing."""
    return f" Did you mean '{suggestion}'?" if suggestion else ""
