"""Gallery of explained images: pictures in a folder, with an index."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from xray.errors import ConfigError
from xray.files import replacing
from xray.saliency.gradcam import (
    BATCH,
    Explainable,
    activate,
    maps_of,
    predict,
)
from xray.saliency.masks import read_mask
from xray.saliency.methods import CLASS_AGNOSTIC, check_method
from xray.saliency.overlay import Caption, Mask, Picture, panel
from xray.saliency.parts import Parts, split_model
from xray.saliency.selection import simplify
from xray.stats.rule import EVEN
from xray.stats.scores import predict_classes
from xray.suggest import did_you_mean, nearest
from xray.types import Sample

BAR_FROM = 17
"""Number of pictures from which a progress bar is shown."""
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
class Explanation:
    """One explained image.

    Attributes:
        sample: The image.
        caption: Text of the picture.
        picture: (H, W, 3) uint8, RGB: the panel.
        magnitude: Maximum of the map before it was rescaled to [0, 1].
        mean_magnitude: Mean of the map before it was rescaled to [0, 1].
    """

    sample: Sample
    caption: Caption
    picture: Picture
    magnitude: float
    mean_magnitude: float


def explain_samples(
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
    predicted: Sequence[int] | None = None,
) -> Iterator[Explanation]:
    """Explain chosen images in batches. The arguments are checked before the first one.

    Args:
        model: The classifier, on `device`.
        samples: The images of the split.
        pixels: Index in `samples` -> (1, H, W) uint8, as the network receives the image.
        indices: Indices in `samples` of the images to explain, in order.
        method: A key of `xray.saliency.methods.METHODS`.
        target: Class to explain: "predicted", "truth" or the name of a class.
        device: Device of the model.
        mask: Sample -> (h, w) lesion mask of any size, or None.
        threshold: With two classes, the probability above which the second class is predicted.
        predicted: Recorded predicted class of each index, which can differ in another precision;
            None: predicted here.

    Returns:
        One explanation for each index.

    Raises:
        ConfigError: `method` or `target` is unknown.
    """
    check_method(method)
    _check_target(target, model.classes)
    explainer = _Explainer(split_model(model), model.classes, method, target, threshold, device)
    batches = _batches(samples, pixels, indices, predicted)
    return (found for batch in batches for found in explainer.explain(*batch, mask))


def _batches(
    samples: Sequence[Sample],
    pixels: Callable[[int], Tensor],
    indices: Sequence[int],
    predicted: Sequence[int] | None,
) -> Iterator[tuple[list[Sample], Tensor, Sequence[int] | None]]:
    """Yield up to 8 images at a time: samples, (B, 1, H, W) pixels, and predicted classes."""
    for start in range(0, len(indices), BATCH):
        chosen = indices[start : start + BATCH]
        known = predicted[start : start + BATCH] if predicted is not None else None
        yield [samples[i] for i in chosen], torch.stack([pixels(i) for i in chosen]), known


def write_gallery(folder: Path, gallery: Iterable[Explanation], total: int = 0) -> Path:
    """Write one PNG for each picture and index.csv, replacing an earlier gallery.

    The index is written last: a folder with an index is complete.

    Args:
        folder: Folder of the gallery; it is created if missing.
        gallery: Explanations from `explain_samples`.
        total: Number of explanations; from 17 on a progress bar is shown.

    Returns:
        `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.csv").unlink(missing_ok=True)
    for old in folder.glob("[0-9][0-9][0-9]*_*.png"):
        old.unlink()
    rows = []
    for position, item in enumerate(_with_bar(gallery, total)):
        # File names may be long, and contain characters that other systems forbid.
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
    """Read the lesion mask root/masks/lesion/<path of the image below root>, a PNG file.

    Args:
        sample: The image, below `root`.
        root: Folder of the dataset.

    Returns:
        (h, w) bool in the size of the file, True on the lesion; None if there is no such file.
    """
    return read_mask(sample, root, "lesion")


def _check_target(target: str, classes: Sequence[str]) -> None:
    """Check that a target is "predicted", "truth" or the name of a class."""
    options = ["predicted", "truth", *classes]
    if target not in options:
        hint = did_you_mean(nearest(target, options))
        raise ConfigError(f"target={target} is unknown: choose one of {', '.join(options)}.{hint}")


@dataclass(frozen=True)
class _Explainer:
    """The arguments of `explain_samples` that all batches share."""

    parts: Parts
    classes: Sequence[str]
    method: str
    target: str
    threshold: float
    device: torch.device | str

    def explain(
        self,
        samples: Sequence[Sample],
        images: Tensor,
        predicted: Sequence[int] | None,
        mask: Callable[[Sample], Mask | None] | None,
    ) -> Iterator[Explanation]:
        """Explain one batch."""
        body, tail = self.parts
        activations = activate(body, images.to(self.device))
        if predicted is None:
            predicted = predict_classes(predict(tail, activations), self.threshold).tolist()
        targets = {
            "predicted": predicted,
            "truth": [sample.target for sample in samples],
            **{name: [k] * len(samples) for k, name in enumerate(self.classes)},
        }[self.target]
        found = maps_of(activations, tail, images.shape[-2:], targets, self.method)
        for i, sample in enumerate(samples):
            caption = self._caption(sample, found.probabilities[i], predicted[i], targets[i])
            lesion = _fitted(mask(sample) if mask else None, images.shape[-2:])
            picture = panel(images[i, 0].numpy(), found.maps[i], caption, lesion)
            yield Explanation(
                sample, caption, picture, float(found.peaks[i]), float(found.means[i])
            )

    def _caption(
        self, sample: Sample, probabilities: NDArray[np.float32], predicted: int, explained: int
    ) -> Caption:
        truth = self.classes[sample.target]
        return Caption(
            title=sample.path.name,
            truth=truth,
            label="" if simplify(sample.label) == simplify(truth) else sample.label,
            predicted=self.classes[predicted],
            probability=float(probabilities[predicted]),
            explained="" if self.method in CLASS_AGNOSTIC else self.classes[explained],
            method=self.method,
        )


def _fitted(mask: Mask | None, shape: Sequence[int]) -> Mask | None:
    """Resize a mask to (H, W)."""
    if mask is None:
        return None
    return np.asarray(Image.fromarray(mask).resize((shape[1], shape[0])))


def _with_bar(gallery: Iterable[Explanation], total: int) -> Iterable[Explanation]:
    """Show a progress bar for many pictures."""
    if total < BAR_FROM:
        return gallery
    from rich.progress import track

    return track(gallery, "Explaining", total=total)


def _row(file: str, item: Explanation) -> tuple[str, ...]:
    """Return one row of the index, the values of `COLUMNS`."""
    caption = item.caption
    return (
        file,
        item.sample.path.absolute().as_posix(),
        item.sample.label,
        caption.truth,
        caption.predicted,
        f"{caption.probability:.6f}",
        caption.explained,
        caption.method,
        f"{item.magnitude:.6g}",
        f"{item.mean_magnitude:.6g}",
    )
