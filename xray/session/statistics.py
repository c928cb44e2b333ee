"""Usual statistics of the training images of a run, which new images are compared with."""

from typing import Any

import numpy as np

from xray import restore
from xray.data.datamodule import XrayDataModule
from xray.errors import RunError
from xray.integrity.index import index_files, store_name, stored_rows
from xray.integrity.statistics import Reference, reference
from xray.runs import layout
from xray.session.session import Session


def training_reference(data: XrayDataModule) -> Reference | None:
    """Compute the statistics of the training images, from the fingerprints of the audit.

    Args:
        data: A data module.

    Returns:
        None if the images are not audited, or the fingerprints are not stored.
    """
    folder = getattr(data, "audit_dir", None)
    if folder is None or not getattr(data, "audit", False):
        return None
    paths = [sample.path for sample in data.dataset("train").samples]
    index = index_files(paths, folder / f"{store_name(data.root)}.npz")
    rows = index.rows[index.usable()]
    return reference(rows) if len(rows) else None


def run_reference(session: Session) -> Reference | None:
    """Return the statistics of the training images of a finished run.

    They are recorded in data.json. Version 0.1.0 did not record them: for its runs, they are
    computed from the images if their folder was passed, else from the stored fingerprints.

    Args:
        session: The run.

    Raises:
        RunError: The record is damaged, or the folder that was passed does not contain the images
            of the run.
    """
    recorded: Any = session.files.data.get("statistics")
    if recorded is not None:
        try:
            return Reference.from_dict(recorded)
        except (KeyError, TypeError, ValueError) as error:
            file = session.path / layout.DATA
            raise RunError(f"{file}: the entry 'statistics' is damaged ({error}).") from error
    if session.images is not None:
        restore.open_images(session.path, session.data)
        return training_reference(session.data)
    folder, root = (getattr(session.data, name, None) for name in ("audit_dir", "root"))
    if folder is None or root is None:
        return None
    rows = stored_rows(folder / f"{store_name(root)}.npz")
    return None if rows is None or not len(rows) else reference(np.asarray(rows))
