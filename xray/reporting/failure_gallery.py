"""Overlays of the surest mistakes: where the network looked when it was sure and wrong."""

from functools import partial
from pathlib import Path

import torch

from xray.data.dataset import SplitDataset
from xray.model.classifier import XrayClassifier
from xray.reporting.failures import confident_errors
from xray.runs import layout
from xray.runs.run import RunFiles
from xray.saliency.gallery import explain_samples, lesion_mask, write_gallery


def explain_failures(
    run: Path,
    split: str,
    model: XrayClassifier,
    dataset: SplitDataset,
    *,
    method: str,
    device: torch.device | str,
) -> int:
    """Draw overlays of a split's surest mistakes into gradcam/<split>/failures/.

    Args:
        run: The run directory, whose predictions and threshold tell the mistakes.
        split: Its name.
        model: What predicted them, on `device`.
        dataset: The split; a mistake that is not in it is passed over.
        method: A key of `gradcam.METHODS`.
        device: Where the model lies.

    Returns:
        How many were drawn; 0, and nothing is written, where the split was not predicted.
    """
    predictions = RunFiles(run).predictions(split)
    if predictions is None:
        return 0
    places = {str(sample.path.absolute()): i for i, sample in enumerate(dataset.samples)}
    worst = [i for i in confident_errors(predictions) if predictions.paths[i] in places]
    chosen = [places[predictions.paths[i]] for i in worst]
    drawn = explain_samples(
        model,
        dataset.samples,
        dataset.pixels,
        chosen,
        method=method,
        device=device,
        mask=partial(lesion_mask, root=dataset.root),
        predicted=predictions.predicted[worst].tolist(),
    )
    write_gallery(run / layout.failures(split), drawn)
    return len(chosen)
