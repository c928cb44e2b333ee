"""albumentations transforms whose random draws depend only on (seed, epoch, index)."""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import albumentations as A
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xray.errors import ConfigError

_DETERMINISTIC = (A.Resize, A.LongestMaxSize, A.PadIfNeeded)
"""Transforms that draw no random numbers, except with the settings checked by `_is_fixed`."""
_PLAIN = (str, int, float, bool, type(None))


def light_transforms(size: int) -> dict[Literal["train", "eval"], list[A.BasicTransform]]:
    """Return the default transforms, the same as conf/transform/light.yaml.

    Args:
        size: Side length of the resulting images, pixels.
    """
    resize = [A.Resize(height=size, width=size, interpolation=cv2.INTER_AREA)]
    return {
        "train": [*resize, A.Rotate(limit=10, p=1.0), A.HorizontalFlip(p=0.5)],
        "eval": [A.Resize(height=size, width=size, interpolation=cv2.INTER_AREA)],
    }


class SeededTransform:
    """A sequence of albumentations on one-channel images, reseeded for every image.

    albumentations has one random state per process: its draws repeat from epoch to epoch in loader
    processes, and depend on the number of processes. Reseeding from (seed, epoch, index) makes the
    draw a property of the image.

    Args:
        transforms: albumentations transforms, in order.
        size: Side length of the resulting square image, pixels.
        seed: Seed of all draws.
    """

    def __init__(self, transforms: Sequence[A.BasicTransform], size: int, seed: int) -> None:
        self.compose = A.Compose(list(transforms), seed=seed)
        self.size = size
        self.seed = seed

    def __call__(self, image: NDArray[np.uint8], epoch: int = 0, index: int = 0) -> Tensor:
        """Transform one image.

        Args:
            image: (H, W) uint8.
            epoch: Epoch of the draw.
            index: Position of the image in its split.

        Returns:
            (1, size, size) uint8.

        Raises:
            ConfigError: The result is not (size, size) uint8.
        """
        # One OpenCV thread per process: its thread pool would compete with the network and with
        # other loader processes.
        cv2.setNumThreads(0)
        draw = np.random.SeedSequence((self.seed, epoch, index)).generate_state(1)[0]
        self.compose.set_random_seed(int(draw))
        result = self.compose(image=image)["image"]
        if result.shape[:2] != (self.size, self.size) or result.dtype != np.uint8:
            raise ConfigError(
                f"The transforms return an image of shape {result.shape} and type {result.dtype}, "
                f"but the network expects ({self.size}, {self.size}) uint8. Begin the list of "
                "transforms with albumentations.Resize to this size: transform.eval in the "
                "configuration, or eval_transforms in a data module of your own."
            )
        return torch.from_numpy(np.ascontiguousarray(result)).reshape(1, self.size, self.size)

    def before(self, count: int) -> "SeededTransform":
        """Return the first `count` steps."""
        return SeededTransform(self.compose.transforms[:count], self.size, self.seed)

    def after(self, count: int) -> "SeededTransform":
        """Return the steps after the first `count`, with the same draws as in the whole sequence.

        albumentations seeds every step from the one seed, regardless of the other steps.
        """
        return SeededTransform(self.compose.transforms[count:], self.size, self.seed)

    def describe(self) -> str:
        """Write the steps with all their settings as one JSON line, equal on every machine."""
        return json.dumps(_settings(self), sort_keys=True, default=str)


def shared_beginning(one: SeededTransform, other: SeededTransform) -> int:
    """Count the leading steps that two sequences share, that are fixed and end at (size, size).

    Their result for an image is the same in both sequences and in every epoch.

    Returns:
        The largest such number, or 0.
    """
    count = 0
    for step, first, second in zip(
        one.compose.transforms, _settings(one), _settings(other), strict=False
    ):
        if first != second or not _is_fixed(step):
            break
        count += 1
    return next((n for n in range(count, 0, -1) if _ends_square(one.before(n))), 0)


def serialize_transforms(transform: SeededTransform) -> dict[str, Any]:
    """Convert a sequence of transforms to plain values, for a checkpoint.

    Returns:
        {"size": side length in pixels, "steps": [{"__class_fullname__": name, setting: value}]}.
        It contains only str, int, float, bool, None, list and dict.

    Raises:
        ConfigError: A step is not a class of albumentations, or one of its settings has no plain
            value.
    """
    steps = [_plain(step) for step in _settings(transform)]
    for step in steps:
        _check_step(step)
    return {"size": transform.size, "steps": steps}


def load_transforms(saved: Mapping[str, Any], seed: int = 0) -> SeededTransform:
    """Restore a sequence of transforms from the result of `serialize_transforms`.

    Only classes of albumentations are created, so that a checkpoint cannot execute other code.

    Args:
        saved: Result of `serialize_transforms`.
        seed: Seed of all draws.

    Raises:
        ConfigError: The values are malformed, or a step is not a class of albumentations.
    """
    try:
        size, steps = int(saved["size"]), [dict(step) for step in saved["steps"]]
        for step in steps:
            _check_step(step)
        with warnings.catch_warnings():
            # albumentations only warns of wrong arguments.
            warnings.simplefilter("error", UserWarning)
            made = [A.from_dict({"transform": step}) for step in steps]
    except (KeyError, TypeError, ValueError, UserWarning) as error:
        raise ConfigError(
            f"The saved transforms cannot be restored ({error!r}). Expected a size and a list of "
            "albumentations; use the checkpoint of a run that was not changed."
        ) from error
    return SeededTransform(made, size, seed)


def _check_step(step: Mapping[str, Any]) -> None:
    """Check that a serialized step, and all steps inside it, are classes of albumentations."""
    for name in _class_names(step):
        kind = getattr(A, str(name).removeprefix("albumentations."), None)
        known = isinstance(kind, type) and issubclass(kind, A.BasicTransform | A.BaseCompose)
        # A Lambda calls any function.
        if not known or kind is A.Lambda:
            raise ConfigError(
                f"The transform {name!r} is not a transform of albumentations, and a checkpoint "
                "stores only those. Use albumentations.<Transform> in transform.eval."
            )


def _class_names(value: Any) -> Iterator[Any]:
    """Return the class names in nested settings; a step without a class name yields None."""
    if isinstance(value, Mapping):
        if "__class_fullname__" in value:
            yield value["__class_fullname__"]
        for part in value.values():
            yield from _class_names(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _class_names(part)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, _PLAIN):
        return value
    raise ConfigError(
        f"A transform has the setting {value!r}, which a checkpoint cannot store. Use numbers, "
        "text, true, false, null, lists and mappings in transform.eval."
    )


def _settings(transform: SeededTransform) -> list[dict[str, Any]]:
    return [step.to_dict()["transform"] for step in transform.compose.transforms]


def _is_fixed(step: A.BasicTransform) -> bool:
    """Return whether a step draws no random numbers."""
    # LongestMaxSize draws one of several sizes; a subclass may draw anything.
    one_size = not isinstance(getattr(step, "max_size", None), (list, tuple))
    in_place = getattr(step, "position", "center") != "random"
    return type(step) in _DETERMINISTIC and step.p == 1 and one_size and in_place


def _ends_square(transform: SeededTransform) -> bool:
    """Return whether a wide and a tall image, both larger than `size`, become (size, size)."""
    short, long = transform.size + 8, 2 * transform.size
    try:
        for shape in ((short, long), (long, short)):
            transform(np.zeros(shape, np.uint8))
    except ConfigError:
        return False
    return True
