"""Plans of cache entries: their shape, and a key made of everything they depend on."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from xray.caching.entry import package_versions
from xray.caching.folder import format_size
from xray.caching.record import Description
from xray.data.datamodule import XrayDataModule
from xray.model.classifier import XrayClassifier
from xray.model.head import pool
from xray.model.zoo import trainable_options
from xray.types import Split


@dataclass(frozen=True)
class Plan:
    """The activations or decoded images of one split.

    Attributes:
        split: Name of the split.
        shape: Stored shape: activations (views, N, h, w, C), or (views, N, 2 C) if they are pooled;
            decoded images (1, N, H, W).
        dtype: Type of the computed tensor.
        description: Everything that the content depends on.
        prefix: Beginning of the entry's name: "pixels_" for decoded images.
    """

    split: Split
    shape: tuple[int, ...]
    dtype: torch.dtype
    description: Description
    prefix: str = ""

    @property
    def name(self) -> str:
        """Name of the entry: the split, and a key that changes with the description."""
        text = json.dumps(self.description, sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"{self.prefix}{self.split}_{key}"

    @property
    def nbytes(self) -> int:
        """Size on disk in bytes, without the header of 128 bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def pooled(self) -> bool:
        """Whether averages and maxima are stored instead of maps."""
        return bool(self.description["pooled"])


def make_plans(
    model: XrayClassifier,
    data: XrayDataModule,
    splits: Sequence[Split],
    views: int,
    context: Callable[[], AbstractContextManager[object]],
) -> dict[Split, Plan]:
    """Plan the activations of a run.

    Args:
        model: The classifier, in evaluation mode, on the device that computes.
        data: The data module.
        splits: The splits to plan.
        views: Seeded augmentations of a training image; 1 is used if the transforms are not random.
        context: Makes the autocast context of the run.
    """
    size, device = data.evaluate.size, model.device
    with torch.inference_mode(), context():
        probe = torch.zeros(1, 1, size, size, dtype=torch.uint8, device=device)
        maps = model.to_cut(probe)
        common = {**_describe_maps(model, maps), "size": size}
        one = to_cached(maps, pooled=common["pooled"])
    row = one.shape[1:] if common["pooled"] else (*one.shape[2:], one.shape[1])
    plans: dict[Split, Plan] = {}
    for split in splits:
        own = _describe_images(data, split, views)
        shape = (own["views"], len(data.dataset(split)), *row)
        plans[split] = Plan(split, shape, one.dtype, {**own, **common})
    return plans


def _describe_maps(model: XrayClassifier, maps: Tensor) -> Description:
    """Return what the maps of every split depend on; called in the autocast context of the run."""
    device = model.device.type
    autocast = torch.is_autocast_enabled(device)
    # Not visible in the maps: a block may end in float32, whatever type it computed in.
    computed = torch.get_autocast_dtype(device) if autocast else torch.float32
    return {
        "network": model.backbone.name,
        "weights": _hash_prefix(model),
        "cut": model.cut,
        "pooled": is_pooled(model, maps),
        "dtype": str(maps.dtype),
        "computed": str(computed),
        "device": device,
        "versions": package_versions(),
    }


def _describe_images(data: XrayDataModule, split: Split, views: int) -> Description:
    static = data.train.describe() == data.evaluate.describe()
    drawn = split == "train" and not static
    transform = data.train if split == "train" else data.evaluate
    return {
        "split": split,
        "files": data.dataset(split).digest(times=True),
        "transform": transform.describe(),
        "seed": transform.seed if drawn else None,
        "views": views if drawn else 1,
    }


def is_pooled(model: XrayClassifier, maps: Tensor) -> bool:
    """Check whether the head uses only averages and maxima of maps, and whether they are smaller.

    They are stored in float32, in which the head computes. Both are stored, so that runs with
    different `model.head.pooling` share them.
    """
    values = maps.shape[2] * maps.shape[3] * maps.element_size()
    return model.cut == model.blocks and model.head.pooling != "flatten" and values > 2 * 4


def to_cached(maps: Tensor, *, pooled: bool) -> Tensor:
    """Return what is stored of maps: (B, C, h, w) unchanged, or pooled, (B, 2 C) float32."""
    if not pooled:
        return maps
    with torch.autocast(maps.device.type, enabled=False):
        return pool(maps.float(), "avgmax")


def settings_that_fit(
    model: XrayClassifier,
    plans: Mapping[Split, Plan],
    room: int,
    context: Callable[[], AbstractContextManager[object]],
) -> str:
    """Return a clause that names the settings whose cache needs at most `room` bytes."""
    size = next(iter(plans.values())).description["size"]
    images = sum(math.prod(plan.shape[:2]) for plan in plans.values())
    single = sum(plan.shape[1] for plan in plans.values())
    needs: dict[str, int] = {}
    with torch.inference_mode(), context():
        x = model.normalize(torch.zeros(1, 1, size, size, dtype=torch.uint8, device=model.device))
        for cut, block in enumerate(model.backbone.children(), 1):
            x = block(x)
            if cut > model.cut:
                needs[_trainable(model, cut)] = images * x[0].numel() * x.element_size()
        if model.head.pooling == "flatten" and x.shape[2] * x.shape[3] * x.element_size() > 2 * 4:
            needs["model.head.pooling=avg"] = images * x.shape[1] * 2 * 4
    if single < images:
        now = sum(plan.nbytes for plan in plans.values())
        needs["cache.views=1"] = now * single // images
    fits = [f"{setting} ({format_size(need)})" for setting, need in needs.items() if need <= room]
    return f"these would fit: {', '.join(fits)}" if fits else "no other setting would fit"


def _trainable(model: XrayClassifier, cut: int) -> str:
    """Return the setting that freezes the first `cut` blocks."""
    name = trainable_options(model.blocks)[model.blocks - cut]
    return f"model.trainable={name}" + (" model.unfreeze=null" if model.unfreezing else "")


def _hash_prefix(model: XrayClassifier) -> str:
    digest = hashlib.sha256()
    for module in (model.normalize, model.backbone.prefix(model.cut)):
        for name, value in module.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
