"""Predict images with a finished run."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console

from xray import restore
from xray.data.foreign import ForeignDataModule
from xray.data.transforms import SeededTransform, load_transforms
from xray.errors import RunError
from xray.model.checkpoint import read_checkpoint, read_identity
from xray.model.operating_point import BINARY, OperatingPoint
from xray.prediction.job import PredictionJob
from xray.prediction.predictor import Predictor
from xray.prediction.reader import Reader
from xray.prediction.summary import Summary
from xray.runs import layout
from xray.session.session import Session
from xray.session.statistics import run_reference


def make_predictor(session: Session, *, batch_size: int = 32) -> Predictor:
    """Build the predictor of a run.

    Images of the run are only read if their folder was passed and the run did not record their
    statistics, see `run_reference`.

    Args:
        session: The run.
        batch_size: Images per batch.

    Raises:
        RunError: The evaluation transform or the threshold of the run are unknown.
    """
    return Predictor(
        session.model.to(session.device),
        session.model.classes,
        Reader(_transform(session), run_reference(session)),
        _operating_point(session),
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
        console.print(_no_statistics(session), soft_wrap=True)
    settings = _settings(session, predictor)
    summary = PredictionJob(source, folder.absolute(), predictor, settings).run(overlays, console)
    return summary, folder


def _no_statistics(session: Session) -> str:
    """Return the note for runs without statistics of their training images."""
    # The statistics of images that are not audited cannot be computed.
    audited = session.images is None and getattr(session.data, "audit", False)
    advice = "" if not audited else " Pass the folder of these images: images=<folder>."
    return (
        "The run has no statistics of its training images, so unusual images are not marked."
        f"{advice}"
    )


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
    if not isinstance(session.data, ForeignDataModule):
        return session.data.evaluate
    # A foreign data module would have to read its images.
    saved = read_identity(read_checkpoint(session.path / layout.BEST)).transforms
    if saved is None:
        raise RunError(
            f"{session.path / layout.BEST} does not contain the evaluation transforms. Train again "
            "with this version."
        )
    return load_transforms(saved)


def _operating_point(session: Session) -> OperatingPoint:
    """Return temperature and threshold of the run; a rule that is a number needs no images."""
    point, rule = restore.operating_point(session.path), session.rule
    if point.threshold is not None or len(session.model.classes) != BINARY:
        return point
    if rule.kind == "fixed":
        return replace(point, rule=rule.text, threshold=rule.level)
    raise RunError(
        f"The run {session.path} was trained with threshold={rule.text}, but its threshold was not "
        "determined, because training was interrupted or not followed by a test. Determine it with "
        f"`python -m xray.evaluate run={session.path} split=val`."
    )
