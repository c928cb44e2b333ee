"""torchvision's ImageFolder for radiographs in class folders."""

from pathlib import Path, PurePosixPath

from torchvision.datasets import ImageFolder

from xray.data.extraneous import ClassFiles, Extraneous, has_images
from xray.data.groups import Groups
from xray.data.names import folders_in
from xray.data.patients import PatientRule
from xray.errors import DataError
from xray.imaging.read import IMAGE_SUFFIXES, read_image
from xray.types import Sample


class XrayFolder(ImageFolder):  # type: ignore[misc]
    """Images in class folders, read as grayscale and grouped into classes.

    Unlike torchvision's ImageFolder, it takes the class indices from the configuration, not from
    the existing folders, and skips masks, hidden files, archive metadata, and links to a folder
    that contains the link.

    Args:
        root: Folder that contains the class folders.
        groups: Folder names of each class.
        patient: Rule that finds patient IDs in the paths below `root`.

    Attributes:
        classes: Class names, in the order of the network's outputs.
        records: One `Sample` for each image, sorted by path.
        extraneous: Files in the class folders that are not used as images.

    Raises:
        DataError: A folder with images belongs to no class, a folder below a class folder is named
            like a split or another class, or there is no image.
    """

    def __init__(self, root: Path, groups: Groups, patient: PatientRule) -> None:
        self.groups = groups
        self.extraneous: list[Extraneous] = []
        super().__init__(str(root), loader=read_image, allow_empty=True)
        if not self.samples:
            raise DataError(
                f"{root} contains no image ({', '.join(sorted(IMAGE_SUFFIXES))}) in any of its "
                f"class folders ({', '.join(sorted(self.class_to_idx)) or 'there are none'})."
            )
        self.classes = list(groups.classes)
        places = [Path(path).relative_to(root) for path, _ in self.samples]
        patients = patient.find([PurePosixPath(place.as_posix()) for place in places])
        self.records = [
            Sample(Path(path), target, place.parts[0], name)
            for (path, target), place, name in zip(self.samples, places, patients, strict=True)
        ]

    def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
        """Return the class names, and the class index of each class folder."""
        folders = {folder: self.groups.find(folder.name) for folder in folders_in(Path(directory))}
        unknown = [f for f, target in folders.items() if target is None and has_images(f)]
        if unknown:
            raise DataError(self.groups.explain_unknown(unknown))
        found = {f.name: target for f, target in folders.items() if target is not None}
        if not found:
            raise DataError(
                f"{directory} contains no class folders. Expected one folder of images for each "
                f"class, with a name from data.groups: {self.groups.describe()}."
            )
        return list(self.groups.classes), found

    def make_dataset(
        self, directory: str | Path, class_to_idx: dict[str, int], *_: object, **__: object
    ) -> list[tuple[str, int]]:
        """Return the path and the class index of each image, and record all other files."""
        samples = []
        for name, target in sorted(class_to_idx.items()):
            files = ClassFiles(Path(directory, name), self.groups)
            samples += [(str(path), target) for path in files.images]
            self.extraneous += files.extraneous
        return samples
