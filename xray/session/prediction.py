"""Predict images with a finished run."""

import hashlib
import logging
from pathlib import Path
from typing import Any, Literal

import albumentations as A
import numpy as np
import torch
from rich.console import Console

from xray import restore
from xray.data.transforms import SeededTransform
from xray.errors import RunError
from xray.integrity.index import store_name, stored_rows
from xray.integrity.statistics import Reference, reference
from xray.prediction.job import PredictionJob
from xray.prediction.predictor import Predictor
from xray.prediction.reader import Reader
from xray.prediction.summary import Summary
from xray.runs import layout
from xray.session.session import Session

log = logging.getLogger(__name__)


def make_predictor(session: Session, *, batch_size: int = 32) -> Predictor:
    """Build the predictor of a run; no image of the run is read.

    Args:
        session: The run.
        batch_size: Images per batch.

    Raises:
        RunError: Neither the data module nor the checkpoint has the evaluation transform.
    """
    return Predictor(
        session.model.to(session.device),
        session.model.classes,
        Reader(_transform(session), _reference(session)),
        restore.operating_point(session.path),
        context=session.context,
        device=session.device,
        batch_size=batch_size,
    )


def predict_into(
    session: Session,
    source: Path,
    output: Path | None,
    overlays: int | Literal["all", "none"],
    console: Console,
    *,
    batch_size: int = 32,
) -> tuple[Summary, Path]:
    """Predict all images of a source into a folder, or continue to do so.

    Args:
        session: The run.
        source: An image, a folder, a list or a table, see `xray.prediction.listing`.
        output: The folder; None: a folder in the run directory with the name of the source.
        overlays: Number of images to explain, "all" or "none".
        console: The terminal.
        batch_size: Images per batch.

    Returns:
        Counts of the predictions, and the folder.

    Raises:
        DataError: The source does not exist or contains no image.
        RunError: The folder contains predictions with other settings, or is in use.
    """
    source = source.expanduser().absolute()
    folder = session.path / layout.predict(source) if output is None else output
    predictor = make_predictor(session, batch_size=batch_size)
    if predictor.reader.reference is None:
        console.print(
            "The run has no statistics of its training images: unusual images are not marked.",
            soft_wrap=True,
        )
    settings = _settings(session, predictor)
    summary = PredictionJob(source, folder.absolute(), predictor, settings).run(overlays, console)
    return summary, folder


def _settings(session: Session, predictor: Predictor) -> dict[str, Any]:
    """Return what the predictions depend on, as plain values."""
    digest = hashlib.sha256()
    for name, values in session.model.state_dict().items():
        digest.update(name.encode())
        digest.update(values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return {
        "run": str(session.path.resolve()),
        "weights_sha256": digest.hexdigest(),
        "classes": list(predictor.classes),
        "threshold": predictor.point.threshold,
        "temperature": predictor.point.temperature,
        "transform": predictor.reader.transform.describe(),
        "precision": session.precision,
    }


def _transform(session: Session) -> SeededTransform:
    """Return the evaluation transform of the data module, or of the checkpoint."""
    found = getattr(session.data, "evaluate", None)
    if isinstance(found, SeededTransform):
        return found
    steps = getattr(session.model, "transforms", None)
    size = getattr(session.model, "input_size", None)
    if steps is None or size is None:
        raise RunError(
            f"{session.path}: neither the data module nor the checkpoint contains the evaluation "
            "transform. Set it with model.set_preprocessing, or train again with this version."
        )
    return SeededTransform([A.from_dict({"transform": step}) for step in steps], size, 0)


def _reference(session: Session) -> Reference | None:
    """Return the statistics of the training images: recorded, else from the audit index."""
    recorded = session.files.data.get("statistics")
    if recorded is not None:
        try:
            return Reference.from_dict(recorded)
        except (KeyError, TypeError, ValueError) as error:
            file = session.path / layout.DATA
            raise RunError(f"{file}: the entry 'statistics' is damaged ({error}).") from error
    folder, root = (getattr(session.data, name, None) for name in ("audit_dir", "root"))
    if folder is None or root is None:
        return None
    rows = stored_rows(folder / f"{store_name(root)}.npz")
    return None if rows is None or not len(rows) else reference(np.asarray(rows))
