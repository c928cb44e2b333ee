"""DICOM files under names that tell nobody."""

import secrets
from dataclasses import replace

from xray.errors import ImageError
from xray.imaging.dicom_tags import dicom_tags
from xray.sources.base import Item


class DicomNames:
    """Numbers patients in the order their files come, and the files; original names are dropped.

    Equal numbers mean equal patients within one dataset. What they are made from is forgotten with
    this object.
    """

    def __init__(self) -> None:
        self._salt = secrets.token_hex()
        self._patients: dict[str, str] = {}
        self._files = 0

    def rename(self, item: Item) -> Item:
        """Give an item of a DICOM file its patient, view and name.

        A file that cannot be read keeps its place among the items: it is rejected, with the reason,
        when its pixels are to be read.
        """
        self._files += 1
        name = f"dicom{self._files:06d}"
        try:
            tags = dicom_tags(item.path, salt=self._salt)
        except ImageError:
            return replace(item, name=name)
        if tags.patient is None:
            return replace(item, view=tags.view, name=name)
        number = f"patient{len(self._patients) + 1:05d}"
        patient = self._patients.setdefault(tags.patient, number)
        return replace(item, patient=patient, view=tags.view, name=f"{patient}_{name}")
