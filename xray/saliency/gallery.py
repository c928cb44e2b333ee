"""A gallery: images explained, their pictures, and a folder of them with an index."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from xray.errors import ConfigError
from xray.files import replacing
from xray.saliency.gradcam import (
    CLASS_AGNOSTIC,
    Explainable,
    activate,
    called,
    check_method,
    maps_of,
    predict,
)
from xray.saliency.masks import read_mask
from xray.saliency.overlay import Caption, Mask, Picture, panel
from xray.saliency.selection import plain
from xray.stats.rule import EVEN
from xray.types import Sample

BATCH = 8
PATIENCE = 16  # With more pictures than this, a progress bar is shown.
COLUMNS = (
    "file",
    "path",
    "label",
    "truth",
    "predicted",
    "probability",
    "explained",
    "method",
    "magnitude",
    "mean_magnitude",
)


@dataclass(frozen=True, slots=True)
class Explained:
    """One image explained.

    Attributes:
        sample: The image.
        caption: What the picture says of it.
        picture: (H, W, 3) uint8, RGB: the panel.
        magnitude: The map's greatest value before it was rescaled to [0, 1].
        mean_magnitude: Likewise its mean.
    """

    sample: Sample
    caption: Caption
    picture: Picture
    magnitude: float
    mean_magnitude: float


def explain(
    model: Explainable,
    samples: Sequence[Sample],
    pixels: Callable[[int], Tensor],
    indices: Sequence[int],
    *,
    method: str = "gradcam",
    target: str = "predicted",
    device: torch.device | str = "cpu",
    mask: Callable[[Sample], Mask | None] | None = None,
    threshold: float = EVEN,
    calls: Sequence[int] | None = None,
) -> Iterator[Explained]:
    """Explain chosen images, a few at a time; what is asked for is checked at once.

    Args:
        model: The classifier, on `device`.
        samples: The split's images.
        pixels: Position in `samples` -> (1, H, W) uint8, as the network sees the image.
        indices: Which of them, in order.
        method: A key of `gradcam.METHODS`.
        target: Whose evidence to show: "predicted", "truth" or the name of a class.
        device: Where the model lies.
        mask: A sample's (h, w) lesion mask, of any size, or None.
        threshold: With two classes, above which probability the second is predicted.
        calls: Of each index the class that was predicted, where that is on record: in another
            precision, another may be predicted here.

    Returns:
        One picture an index.

    Raises:
        ConfigError: `method` or `target` is unknown.
    """
    check_method(method)
    options = ["predicted", "truth", *model.classes]
    if target not in options:
        near = get_close_matches(target, options, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(f"target={target} is unknown: choose one of {', '.join(options)}.{hint}")

    def explained() -> Iterator[Explained]:
        parts = model.saliency_parts()
        for start in range(0, len(indices), BATCH):
            chosen = indices[start : start + BATCH]
            some = [samples[i] for i in chosen]
            images = torch.stack([pixels(i) for i in chosen])
            found = _maps(
                parts,
                images.to(device),
                some,
                classes=model.classes,
                target=target,
                method=method,
                threshold=threshold,
                calls=calls and calls[start : start + BATCH],
            )
            for sample, image, answer, k, heat, shares, peak, mean in zip(
                some, images, *found, strict=True
            ):
                caption = _caption(
                    sample, model.classes, shares, predicted=answer, explained=k, method=method
                )
                lesion = _fitted(mask(sample) if mask else None, heat.shape)
                picture = panel(image[0].numpy(), heat, caption, lesion)
                yield Explained(sample, caption, picture, float(peak), float(mean))

    return explained()


def write_gallery(folder: Path, gallery: Iterable[Explained], total: int = 0) -> Path:
    """Write one PNG a picture and index.csv, in place of the gallery that was there.

    The index is written last: where there is one, the gallery is complete.

    Args:
        folder: Made when it does not exist.
        gallery: What `explain` yields.
        total: How many pictures are to come; with more than 16 a progress bar is shown.

    Returns:
        `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.csv").unlink(missing_ok=True)
    for old in folder.glob("[0-9][0-9][0-9]*_*.png"):
        old.unlink()
    rows = []
    for position, item in enumerate(_followed(gallery, total)):
        # File names may be long, and hold what other systems forbid.
        stem = re.sub(r"[^\w.-]+", "_", item.sample.path.stem)[:60]
        file = f"{position:03d}_{stem}.png"
        Image.fromarray(item.picture).save(folder / file)
        rows.append(_row(file, item))
    with (
        replacing(folder / "index.csv") as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return folder


def lesion_mask(sample: Sample, root: Path) -> Mask | None:
    """Look for a phantom's lesion: root/masks/lesion/<path of the image below root>, as PNG.

    Args:
        sample: The image, below `root`.
        root: The dataset's folder.

    Returns:
        (h, w) bool in the file's size, True on the lesion; None where there is no such file.
    """
    return read_mask(sample, root, "lesion")


def _maps(
    parts: tuple[nn.Module, nn.Module],
    images: Tensor,
    samples: Sequence[Sample],
    *,
    classes: Sequence[str],
    target: str,
    method: str,
    threshold: float,
    calls: Sequence[int] | None,
) -> tuple[Any, ...]:
    """Give of each image the class called, the class explained, and what a `Saliency` holds."""
    body, tail = parts
    activations = activate(body, images)
    shares = predict(tail, activations)
    targets = {
        "predicted": list(calls or called(shares, threshold)),
        "truth": [sample.target for sample in samples],
        **{name: [k] * len(samples) for k, name in enumerate(classes)},
    }
    saliency = maps_of(activations, tail, images.shape[-2:], targets[target], method)
    return (targets["predicted"], targets[target], *saliency)


def _caption(
    sample: Sample,
    classes: Sequence[str],
    probabilities: NDArray[np.float32],
    *,
    predicted: int,
    explained: int,
    method: str,
) -> Caption:
    truth = classes[sample.target]
    return Caption(
        title=sample.path.name,
        truth=truth,
        label="" if plain(sample.label) == plain(truth) else sample.label,
        predicted=classes[predicted],
        probability=float(probabilities[predicted]),
        explained="" if method in CLASS_AGNOSTIC else classes[explained],
        method=method,
    )


def _fitted(mask: Mask | None, shape: Sequence[int]) -> Mask | None:
    """Resize a mask to (H, W)."""
    if mask is None:
        return None
    return np.asarray(Image.fromarray(mask).resize((shape[1], shape[0])))


def _followed(gallery: Iterable[Explained], total: int) -> Iterable[Explained]:
    """Show a progress bar where there is long to wait."""
    if total <= PATIENCE:
        return gallery
    from rich.progress import track

    return track(gallery, "Explaining", total=total)


def _row(file: str, item: Explained) -> tuple[str, ...]:
    """One line of the index: the values of `COLUMNS`."""
    said = item.caption
    return (
        file,
        item.sample.path.absolute().as_posix(),
        item.sample.label,
        said.truth,
        said.predicted,
        f"{said.probability:.6f}",
        said.explained,
        said.method,
        f"{item.magnitude:.6g}",
        f"{item.mean_magnitude:.6g}",
    )
