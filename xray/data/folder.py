"""torchvision's ImageFolder with our reader, our grouping and nothing but images."""

from pathlib import Path, PurePosixPath

from torchvision.datasets import ImageFolder

from xray.data.groups import Groups, folders_in, is_noise
from xray.data.patients import PatientRule
from xray.errors import DataError
from xray.imaging.read import IMAGE_SUFFIXES, read_image
from xray.types import Sample


class XrayFolder(ImageFolder):  # type: ignore[misc]
    """Images below class folders, read as greyscale, grouped into classes.

    Unlike its parent it numbers the classes by the configuration, not by what folders happen to
    exist, and it passes over hidden files, archive litter, masks, and links that lead back to a
    folder above them.

    Args:
        root: A folder of class folders.
        groups: Which folder names mean which class.
        patient: Rule that finds patient IDs in the paths below `root`.

    Attributes:
        records: One `Sample` an image, sorted by path.

    Raises:
        DataError: When a folder means no class, or there is no image at all.
    """

    def __init__(self, root: Path, groups: Groups, patient: PatientRule) -> None:
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
        places = [Path(path).relative_to(root) for path, _ in self.samples]
        patients = patient.find([PurePosixPath(place.as_posix()) for place in places])
        self.records = [
            Sample(Path(path), target, place.parts[0], name)
            for (path, target), place, name in zip(self.samples, places, patients, strict=True)
        ]

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


def _revisits(folder: Path, root: Path) -> bool:
    """Tell whether a link on the way from `root` to `folder` leads to a folder above itself."""
    while folder != root:
        if folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve()):
            return True
        folder = folder.parent
    return False
