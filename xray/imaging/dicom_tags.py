"""Read the DICOM elements that a manifest may contain: none of them identifies the patient."""

import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xray.errors import ConfigError, ImageError
from xray.imaging.dicom_header import conceal_errors, parse, read_dicom_header
from xray.imaging.format import Format, open_image
from xray.imaging.limits import MAX_PIXELS

if TYPE_CHECKING:
    from pydicom import Dataset

_DIGITS = 16
# View Position (0018,5101) and code meanings of the View Code Sequence, as upper-case letters.
_VIEWS = {
    "PA": "PA",
    "POSTEROANTERIOR": "PA",
    "AP": "AP",
    "ANTEROPOSTERIOR": "AP",
    "LATERAL": "LATERAL",
    "LAT": "LATERAL",
    "LL": "LATERAL",
    "RL": "LATERAL",
    "LEFTLATERAL": "LATERAL",
    "RIGHTLATERAL": "LATERAL",
    "LLD": "DECUBITUS",
    "RLD": "DECUBITUS",
    "LLO": "OBLIQUE",
    "RLO": "OBLIQUE",
    "LAO": "OBLIQUE",
    "RAO": "OBLIQUE",
    "LPO": "OBLIQUE",
    "RPO": "OBLIQUE",
}


@dataclass(frozen=True)
class DicomTags:
    """Elements of a DICOM file that do not identify the patient.

    Attributes:
        patient: Pseudonym of the patient, 16 hexadecimal digits; None without a patient ID.
        view: "PA", "AP", "LATERAL", "DECUBITUS" or "OBLIQUE"; None if the file names no such view.
        bits: Bits stored per sample.
        width: Columns.
        height: Rows.
    """

    patient: str | None
    view: str | None
    bits: int
    width: int
    height: int


def dicom_tags(path: Path | str, *, salt: str) -> DicomTags:
    """Read the elements that a manifest may contain, without reading the pixels.

    The result and all error messages are free of names, IDs, dates and institutions.

    Args:
        path: The file.
        salt: Secret of the dataset, see `pseudonym`.

    Raises:
        ConfigError: The salt is empty.
        ImageError: The file is not DICOM, or its header is rejected by `read_image`.
    """
    path = Path(path)
    _check_salt(salt)
    with open_image(path) as (file, kind):
        if kind is not Format.DICOM:
            raise ImageError(path, f"is a {kind} image, not DICOM", "Pass a DICOM file.")
        layout = read_dicom_header(file, path, MAX_PIXELS)
        dataset = parse(file, path, pixels=False)
        with conceal_errors(path, "has damaged patient or view tags"):
            identity, view = str(dataset.get("PatientID") or "").strip(), _view(dataset)
    patient = pseudonym(identity, salt) if identity else None
    return DicomTags(patient, view, layout.bits, layout.width, layout.height)


def pseudonym(identity: str, salt: str) -> str:
    """Compute a stable pseudonym of a patient.

    It consists of the first 16 digits of HMAC-SHA-256 (RFC 2104) of the patient ID, with the salt
    as key. A hash without a secret would not protect the IDs: they are short, so that all of them
    can be tried. The salt must therefore be long, random (`python -c "import secrets;
    print(secrets.token_hex())"`), the same for all files of a dataset, and never published.

    Args:
        identity: The patient ID, not empty.
        salt: Secret of the dataset, not empty.

    Returns:
        16 lower-case hexadecimal digits. Among a million patients, two share a pseudonym with a
        probability of 3e-8.

    Raises:
        ConfigError: The salt is empty.
    """
    _check_salt(salt)
    return hmac.new(salt.encode(), identity.encode(), "sha256").hexdigest()[:_DIGITS]


def _check_salt(salt: str) -> None:
    if not salt:
        raise ConfigError(
            "The salt of the pseudonyms is empty, so that patient IDs could be found by trial. "
            "Pass a long random text, the same for all files of the dataset."
        )


def _view(dataset: "Dataset") -> str | None:
    codes = dataset.get("ViewCodeSequence") or []
    texts = [dataset.get("ViewPosition"), *(code.get("CodeMeaning") for code in codes)]
    # Only known words are returned: free text may contain personal data.
    words = ("".join(filter(str.isalpha, str(text or ""))).upper() for text in texts)
    return next((_VIEWS[word] for word in words if word in _VIEWS), None)
