"""Whether the answer hangs on what a map shows: pixels go or come, the most relevant first."""

import warnings
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn

from xray.data.dataset import SplitDataset
from xray.saliency.baselines import Drawn
from xray.saliency.gradcam import Explainable, as_is
from xray.saliency.localization import Heat
from xray.stats.scores import Floats, Ints

ROAD = "ROAD (more is better)"
DELETION = "deletion (less is better)"
INSERTION = "insertion (more is better)"
PERCENTILES = (50, 60, 70, 80, 90)
"""Of the pixels' relevance, beyond which ROAD removes them: half of the image at most, since the
time to fill a hole grows faster than the hole."""
STEPS = 10
"""In which deletion and insertion go through all pixels."""
BLUR = 0.1
"""Of the side: the standard deviation of the blur that insertion starts from. It hides whole
opacities; that of Petsiuk et al. (0.02) leaves them in sight."""
BATCH = 8


class Network(nn.Module):
    """A network on pictures of floats, which the package makes of bytes.

    Args:
        body: See `gradcam.Explainable.saliency_parts`.
        tail: Likewise.
    """

    def __init__(self, body: nn.Module, tail: nn.Module) -> None:
        super().__init__()
        self.body, self.tail = body, tail

    def forward(self, images: Tensor) -> Tensor:
        """Classify (B, 1, H, W) floats in [0, 1], clipped where they are not: (B, K) logits."""
        pixels = (images.clamp(0, 1) * 255).round().to(torch.uint8)
        logits: Tensor = self.tail(self.body(pixels)).float()
        return logits


def measure_faithfulness(
    model: Explainable,
    dataset: SplitDataset,
    indices: Sequence[int],
    drawn: Drawn,
    *,
    device: torch.device | str,
    seed: int,
    bar: bool = True,
) -> dict[tuple[str, str], Floats]:
    """Measure ROAD, deletion and insertion of maps and their controls.

    Args:
        model: The classifier, on `device`.
        dataset: The split.
        indices: Which of its images, N.
        drawn: Their maps.
        device: Where the model lies.
        seed: Of the noise that ROAD adds, and of the order of equally relevant pixels.
        bar: Whether a progress bar is shown.

    Returns:
        (measure, map) -> (N,) values; NaN where an image has no such map.
    """
    body, tail = model.saliency_parts()
    network = Network(body, tail)
    rng = np.random.default_rng(seed)
    values: dict[tuple[str, str], Floats] = {}
    starts = range(0, len(indices), BATCH)
    with (
        as_is(network, device=torch.device(device)),
        torch.no_grad(),
        torch.random.fork_rng(devices=[]),
    ):
        torch.default_generator.manual_seed(seed)
        for start in track(starts, "Removing and inserting", transient=True, disable=not bar):
            rows = range(start, min(start + BATCH, len(indices)))
            bytes_ = torch.stack([dataset.pixels(indices[i]) for i in rows])
            images = bytes_.to(device).float() / 255
            for name, of, orders in _orders(drawn, rows, rng):
                some = images[[i - start for i in of]]
                targets = drawn.explained[of]
                for measure, found in _measured(network, some, orders, targets).items():
                    values.setdefault((measure, name), np.full(len(indices), np.nan))[of] = found
    return values


def _orders(
    drawn: Drawn, rows: Sequence[int], rng: np.random.Generator
) -> list[tuple[str, list[int], Ints]]:
    """Order the pixels of some images by each map: its name, which have it, and (B, H, W)."""
    found: dict[str, list[tuple[int, Ints]]] = {}
    for i in rows:
        for name, heat in drawn.compared(i).items():
            found.setdefault(name, []).append((i, order_of(heat, rng)))
    return [
        (name, [i for i, _ in pairs], np.stack([order for _, order in pairs]))
        for name, pairs in found.items()
    ]


def _measured(network: nn.Module, images: Tensor, orders: Ints, targets: Ints) -> dict[str, Floats]:
    grey, blurred = faded(images), blur(images)
    return {
        ROAD: road(network, images, orders, targets),
        DELETION: area(curve(network, images, grey, orders, targets)),
        INSERTION: area(curve(network, blurred, images, orders, targets)),
    }


def order_of(heat: Heat, rng: np.random.Generator) -> Ints:
    """Give each pixel its place by relevance, (H, W), 0 for the most relevant.

    Of equals, such as the many zeros of a map, chance decides. A threshold would take all or none.
    """
    places = np.empty(heat.size, np.int64)
    places[np.lexsort((rng.random(heat.size), -heat.ravel()))] = np.arange(heat.size)
    return places.reshape(heat.shape)


def road(
    network: nn.Module,
    images: Tensor,
    orders: Ints,
    targets: Ints,
    percentiles: Sequence[int] = PERCENTILES,
) -> Floats:
    """Compute ROAD as the package's `ROADCombined` does, without its pass before each removal.

    Pixels give way to what their neighbours suggest, and some noise: the probability of the class
    after the least relevant went, less that after the most relevant went, halved (Rong et al.
    2022).

    Args:
        network: (B, 1, H, W) floats in [0, 1] -> (B, K) logits.
        images: (B, 1, H, W) float32 in [0, 1].
        orders: (B, H, W) as `order_of` gives them.
        targets: (B,) classes.
        percentiles: Beyond which the pixels are removed; the mean over them is given.

    Returns:
        (B,) in [-0.5, 0.5].
    """
    # Six seconds, which only those who ask for it should wait.
    from pytorch_grad_cam.metrics import road as package
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    relevance = relevance_of(orders)
    wanted = [ClassifierOutputSoftmaxTarget(int(k)) for k in targets]

    def after(metric: type) -> Floats:
        left = [
            metric(percentile)(images, relevance, wanted, network, return_diff=False)
            for percentile in percentiles
        ]
        mean: Floats = np.mean(left, axis=0, dtype=np.float64)
        return mean

    with warnings.catch_warnings():
        # The package hands numpy tensors in a way that numpy 2 frowns on.
        warnings.filterwarnings("ignore", "__array_wrap__ must accept", DeprecationWarning)
        kept = after(package.ROADLeastRelevantFirst)
        lost = after(package.ROADMostRelevantFirst)
    difference: Floats = (kept - lost) / 2
    return difference


def relevance_of(orders: Ints) -> NDArray[np.float32]:
    """Turn places into relevances in [0, 1), all of them different, for the package."""
    n = orders[0].size
    relevance: NDArray[np.float32] = ((n - 1 - orders) / n).astype(np.float32)
    return relevance


def curve(
    network: nn.Module,
    start: Tensor,
    end: Tensor,
    orders: Ints,
    targets: Ints,
    *,
    steps: int = STEPS,
) -> Floats:
    """Follow the probability of a class while one picture turns into another.

    Args:
        network: (B, 1, H, W) floats in [0, 1] -> (B, K) logits.
        start: (B, 1, H, W) float32: the first pictures.
        end: (B, 1, H, W) float32: the last.
        orders: (B, H, W): in which order pixels are replaced.
        targets: (B,) classes.
        steps: In how many equal steps.

    Returns:
        (B, steps + 1) float64 in [0, 1].
    """
    places = torch.from_numpy(orders)[:, None].to(start.device)
    wanted = torch.from_numpy(targets)[:, None].to(start.device)
    followed = []
    for step in range(steps + 1):
        count = round(orders[0].size * step / steps)
        logits = network(torch.where(places < count, end, start))
        followed.append(logits.softmax(dim=1).gather(1, wanted)[:, 0])
    found: Floats = torch.stack(followed, dim=1).double().cpu().numpy()
    return found


def area(curves: Floats) -> Floats:
    """Give the area below curves over [0, 1], by trapezia: (B, S) -> (B,)."""
    areas: Floats = np.trapezoid(curves, axis=1) / (curves.shape[1] - 1)
    return areas


def faded(images: Tensor) -> Tensor:
    """Give each picture its mean grey all over: what deletion ends in."""
    return images.mean(dim=(-2, -1), keepdim=True).expand_as(images)


def blur(images: Tensor, share: float = BLUR) -> Tensor:
    """Blur (B, 1, H, W) pictures, with a standard deviation of `share` of the longer side."""
    spread = share * max(images.shape[-2:])
    blurred = [
        cv2.GaussianBlur(image[0], (0, 0), spread, borderType=cv2.BORDER_REPLICATE)
        for image in images.cpu().numpy()
    ]
    return torch.from_numpy(np.stack(blurred)[:, None]).to(images)
