"""torchvision's ImageFolder with our reader, our grouping and nothing but images."""

import re
from pathlib import Path

from torchvision.datasets import ImageFolder

from xray.data.groups import Groups, folders_in, is_noise
from xray.errors import ConfigError, DataError
from xray.imaging.read import IMAGE_SUFFIXES, read_image
from xray.types import Sample

PATIENT_PATTERN = (
    r"^(?:person\d+(?:_(?:bacteria|virus))?|(?:NORMAL2-)?IM-\d+|patient\d+|\d{8}(?=_\d{3}))"
)
"""Names of Kermany et al. (person100_bacteria_475, IM-0115-0001), NIH (00000013_005), phantoms.

Kermany's bacterial and viral cases are numbered apart: person80_bacteria and person80_virus are two
patients. In the official split no number of one kind lies on both sides; 170 would, if the kinds
shared their numbers.
"""


def compile_patient_pattern(pattern: str | None) -> re.Pattern[str]:
    """Compile `data.patient_pattern`; None is the default rule.

    Raises:
        ConfigError: When it is no regular expression.
    """
    try:
        return re.compile(pattern or PATIENT_PATTERN, re.IGNORECASE)
    except re.error as error:
        raise ConfigError(
            f"data.patient_pattern is no regular expression: {error}. It was {pattern!r}."
        ) from error


class XrayFolder(ImageFolder):  # type: ignore[misc]
    """Images below class folders, read as greyscale, grouped into classes.

    Unlike its parent it numbers the classes by the configuration, not by what folders happen to
    exist, and it passes over hidden files, archive litter, masks, and links that lead back to a
    folder above them.

    Args:
        root: A folder of class folders.
        groups: Which folder names mean which class.
        patient: Searched in each file name without its ending; group 1, or the whole match, is the
            patient.

    Attributes:
        records: One `Sample` an image, sorted by path.

    Raises:
        DataError: When a folder means no class, or there is no image at all.
    """

    def __init__(self, root: Path, groups: Groups, patient: re.Pattern[str]) -> None:
        self.groups = groups
        super().__init__(
            str(root), loader=read_image, is_valid_file=self._is_image, allow_empty=True
        )
        if not self.samples:
            raise DataError(
                f"{root} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))}) in any of its "
                "class folders "
                f"({', '.join(sorted(self.class_to_idx)) or 'there are none'})."
            )
        self.classes = list(groups.classes)
        self.records = [self._record(Path(path), target, patient) for path, target in self.samples]

    def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
        """Map every class folder to the index of its class."""
        folders = folders_in(Path(directory))
        if not folders:
            raise DataError(
                f"{directory} holds no class folders. Expected one folder of images a class, "
                "named as in "
                f"data.groups: {self.groups.describe()}."
            )
        return list(self.groups.classes), {f.name: self.groups.index(f) for f in folders}

    def _is_image(self, path: str) -> bool:
        relative = Path(path).relative_to(self.root)
        if relative.suffix.lower() not in IMAGE_SUFFIXES or any(
            is_noise(part) for part in relative.parts
        ):
            return False
        return not _revisits(Path(path).parent, Path(self.root))

    def _record(self, path: Path, target: int, patient: re.Pattern[str]) -> Sample:
        match = patient.search(path.stem)
        name = match[1 if match.re.groups else 0] if match else None
        return Sample(path, target, path.relative_to(self.root).parts[0], name)


def _revisits(folder: Path, root: Path) -> bool:
    """Tell whether a link on the way from `root` to `folder` leads to a folder above itself."""
    while folder != root:
        if folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve()):
            return True
        folder = folder.parent
    return False
