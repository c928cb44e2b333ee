"""Suggestions in messages: the most similar name, and overrides that can be pasted."""

import re
import shlex
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches

CUTOFF = 0.6
"""Similarity, from 0 (nothing in common) to 1 (equal), below which nothing is suggested."""

_PLAIN = re.compile(r"[A-Za-z_/][\w./-]*( [\w./-]+)*", re.ASCII)
_NO_TEXT = frozenset({"true", "false", "null", "inf", "nan"})
"""Words that Hydra does not parse as text."""


def nearest(word: str, options: Iterable[str]) -> str | None:
    """Return the option that is most similar to a word; None if none is similar.

    Examples:
        >>> nearest("vgg61", ["vgg16", "resnet50"])
        'vgg16'
    """
    found = get_close_matches(word, list(options), n=1, cutoff=CUTOFF)
    return found[0] if found else None


def nearest_key(key: str, keys: Iterable[str]) -> str | None:
    """Return the dotted key that a wrong one was most likely meant to be.

    The whole path is compared (`optim.lrr` -> `optim.lr`), and the last part alone
    (`model.dropout` -> `model.head.dropout`).

    Args:
        key: The key that was typed.
        keys: Dotted keys that exist.

    Returns:
        One of `keys`, or None if none is similar.
    """
    parent, _, leaf = key.rpartition(".")

    def score(candidate: str) -> float:
        candidate_parent, _, candidate_leaf = candidate.rpartition(".")
        tail = SequenceMatcher(None, leaf, candidate_leaf).ratio()
        same = candidate_parent == parent
        whole = 1.0 if same else SequenceMatcher(None, key, candidate).ratio()
        both = 0.8 * tail + 0.2 * whole
        # A common path does not count if the last parts differ. Of two keys that are equally
        # similar, the one with fewer parts is more likely.
        likely = both if same or tail < CUTOFF else max(whole, both)
        return likely - (0.0 if same else 0.03 * candidate.count("."))

    best = max(keys, key=score, default=None)
    return best if best is not None and score(best) >= CUTOFF else None


def did_you_mean(suggestion: str | None) -> str:
    """Return the suggestion as a sentence after a space, or an empty text."""
    return f" Did you mean '{suggestion}'?" if suggestion else ""


def override(key: str, value: str | Sequence[str]) -> str:
    """Return `key=value` as it can be pasted into a shell.

    Args:
        key: Dotted key.
        value: A text, or a list of texts; quoted so that Hydra parses each as text.

    Examples:
        >>> print(override("data.root", "/data/x-rays"))
        data.root=/data/x-rays
        >>> print(override("data.groups.normal", ["normal", "0"]))
        'data.groups.normal=[normal,"0"]'
    """
    if isinstance(value, str):
        return shlex.quote(f"{key}={_quoted(value)}")
    return shlex.quote(f"{key}=[{','.join(map(_quoted, value))}]")


def _quoted(text: str) -> str:
    """Quote a text in Hydra's grammar if it is needed."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _NO_TEXT:
        return text
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', text)
    trailing = len(escaped) - len(escaped.rstrip("\\"))
    return f'"{escaped}{chr(92) * trailing}"'
