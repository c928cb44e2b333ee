"""Patient IDs from the names and folders of image files."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from xray.errors import ConfigError
from xray.types import Sample

log = logging.getLogger(__name__)

# Naming schemes of public datasets. Each pattern must match the whole path below the class folder,
# without the file's suffix; group 1 is the patient ID.
_FILES = (
    # Kermany et al.: person100_bacteria_475, NORMAL2-IM-0373-0001. Bacterial and viral cases are
    # numbered separately: person80_bacteria and person80_virus are two patients. In the official
    # split, no number of one kind is in both train and test; 170 numbers would be, if the kinds
    # shared their numbers.
    r"(person\d+(?:_(?:bacteria|virus))?)_\d+(?:_\d+)?",
    r"(NORMAL2-IM-\d{4})-\d{4}(?:-\d{4})?",
    # NIH ChestX-ray14: 00000013_005. IDs end at 00030805; 20200310_101 is a date.
    r"(000\d{5})_\d{3}",
    # Phantoms (patient0012_01) and DICOM files of xray.prepare (patient00001_dicom000004).
    r"(patient\d+)_(?:dicom)?\d+",
)
_FOLDERS = (
    # CheXpert: patient00001/study1/view1_frontal. MIMIC-CXR: p10/p10000032/s50414267/<image ID>.
    r"(patient\d+)/study\d+/view\d+_\w+",
    r"(?:p\d{2}/)?(p\d{8})/s\d{8}/[\w-]+",
)
_KNOWN = re.compile(
    "|".join([rf"(?:.*/)?(?:{'|'.join(_FILES)})", *_FOLDERS]),
    re.IGNORECASE,
)
# Also used by Kermany et al., but OsiriX and Horos export every study as IM-0001-0001, ...
_SERIES = re.compile(r"(IM-\d{4})-\d{4}(?:-\d{4})?", re.IGNORECASE)
_KERMANY_NORMAL = re.compile(r"NORMAL2-IM-\d{4}-\d{4}(?:-\d{4})?", re.IGNORECASE)
_KERMANY_CASE = re.compile(r"person\d+_(?:bacteria|virus)_\d+(?:_\d+)?", re.IGNORECASE)
# One patient with more of the images than this is more likely a misread name.
_LARGE_SHARE = 0.1
_LARGE_COUNT = 20
_ADVICE = "If these are different persons, set {key}, or list the patients in manifest.csv."


@dataclass(frozen=True)
class PatientRule:
    """Rule that finds patient IDs in the paths of images.

    Args:
        pattern: Regular expression; the first group that matches, or the whole match of a pattern
            without groups, is the patient ID. It is
            searched in the file name without its suffix, then in the folders below the class
            folder, outermost first. A pattern that contains "/" is searched in the whole path
            below the class folder, without the suffix. None: the naming schemes of Kermany et al.,
            NIH ChestX-ray14, CheXpert, MIMIC-CXR and the phantoms.
        key: Configuration key of the pattern, for messages.
    """

    pattern: re.Pattern[str] | None = None
    key: str = "data.patient_pattern"

    def find(self, paths: Sequence[PurePosixPath]) -> list[str | None]:
        """Find the patient ID of each image.

        Args:
            paths: Paths of the images of a dataset, from their class folder on
                ("NORMAL/patient0012_01.png").

        Returns:
            N patient IDs; None where the rule finds none.
        """
        below = [PurePosixPath(*path.parts[1:]).with_suffix("") for path in paths]
        if self.pattern is not None:
            return [_search(self.pattern, path) for path in below]
        known = [_group(_KNOWN.fullmatch(path.as_posix())) for path in below]
        kermany = _kermany_folders(paths)
        for i, path in enumerate(paths):
            if path.parts[0] in kermany and known[i] is None:
                known[i] = _group(_SERIES.fullmatch(path.stem))
        return known


def compile_patient_pattern(pattern: str | None, key: str = "data.patient_pattern") -> PatientRule:
    """Compile a patient pattern; None selects the built-in naming schemes.

    Args:
        pattern: See `PatientRule`. Doubled backslashes, as some shells and YAML need them, count
            as one: paths contain none.
        key: Configuration key of the pattern, for messages.

    Raises:
        ConfigError: `pattern` is not a regular expression.
    """
    try:
        single = pattern.replace("\\\\", "\\") if pattern else None
        return PatientRule(re.compile(single, re.IGNORECASE) if single else None, key)
    except re.error as error:
        raise ConfigError(
            f"{key} is not a regular expression: {error}. Its value is {pattern!r}."
        ) from error


def check_pattern(
    images: Sequence[Path], patients: Sequence[str | None], rule: PatientRule
) -> None:
    """Log a warning if the pattern of a rule matches no image, or only some of them.

    Args:
        images: N image files.
        patients: N patient IDs that `rule` found in their paths.
        rule: Rule that found them. Nothing is logged about the built-in naming schemes.
    """
    missing = [path for path, name in zip(images, patients, strict=True) if name is None]
    if rule.pattern is None or not missing:
        return
    log.warning(
        "%s=%r matches %d of %d images (first without a match: %s). Each image without a match "
        "counts as one patient. Correct the pattern, or list the patients in manifest.csv.",
        rule.key,
        rule.pattern.pattern,
        len(images) - len(missing),
        len(images),
        missing[0],
    )


def check_patients(samples: Sequence[Sample], classes: Sequence[str], key: str) -> None:
    """Log a warning if a patient ID has images of several classes or a large share of all images.

    Args:
        samples: All images of a dataset, with their patient IDs.
        classes: Class names.
        key: Configuration key of the patient pattern, for messages.
    """
    images: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.patient is not None:
            images[sample.patient].append(sample)
    mixed = [name for name, found in images.items() if len({s.target for s in found}) > 1]
    if mixed:
        counts = Counter(classes[sample.target] for sample in images[mixed[0]])
        log.warning(
            "%d of %d patient IDs have images of more than one class (first: %r, %s). %s",
            len(mixed),
            len(images),
            mixed[0],
            ", ".join(f"{count} {name}" for name, count in counts.items()),
            _ADVICE.format(key=key),
        )
    for name, found in images.items():
        if len(found) > max(_LARGE_COUNT, _LARGE_SHARE * len(samples)):
            log.warning(
                "Patient ID %r has %d of %d images (first: %s). %s",
                name,
                len(found),
                len(samples),
                found[0].path,
                _ADVICE.format(key=key),
            )


def _search(pattern: re.Pattern[str], path: PurePosixPath) -> str | None:
    if "/" in pattern.pattern:
        return _group(pattern.search(path.as_posix()))
    places = (path.name, *path.parts[:-1])
    found = (_group(pattern.search(place)) for place in places)
    return next((patient for patient in found if patient), None)


def _group(match: re.Match[str] | None) -> str | None:
    """Return the first group that matched, or the whole match of a pattern without groups."""
    if match is None:
        return None
    if not match.re.groups:
        return match[0] or None
    return next((group for group in match.groups() if group), None)


def _kermany_folders(paths: Sequence[PurePosixPath]) -> set[str]:
    """Return the class folders whose IM-0115-0001 names are Kermany's.

    Kermany's images are directly in their class folder, next to others named NORMAL2-IM-0373-0001;
    in a small subset, the other class folders have names such as person100_bacteria_475. Viewers
    export every study as IM-0001-0001, IM-0001-0002, ...
    """
    series: dict[str, list[PurePosixPath]] = defaultdict(list)
    for path in paths:
        if _SERIES.fullmatch(path.stem):
            series[path.parts[0]].append(path)
    normal = {path.parts[0] for path in paths if _KERMANY_NORMAL.fullmatch(path.stem)}
    if not normal and any(_KERMANY_CASE.fullmatch(path.stem) for path in paths):
        normal = set(series) if len(series) == 1 else set()
    return {folder for folder, found in series.items() if folder in normal and _varied(found)}


def _varied(paths: Sequence[PurePosixPath]) -> bool:
    """Return whether series are directly in a class folder and none has a large share of them."""
    counts = Counter(_group(_SERIES.fullmatch(path.stem)) for path in paths)
    is_flat = all(len(path.parts) == 2 for path in paths)  # noqa: PLR2004 - class folder and file
    return is_flat and max(counts.values()) <= max(_LARGE_COUNT, _LARGE_SHARE * len(paths))
