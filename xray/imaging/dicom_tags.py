"""What a manifest may hold of a DICOM file: nothing that tells who the patient is."""

import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xray.errors import ConfigError, ImageError
from xray.imaging.dicom_header import discreet, parse, read_dicom_header
from xray.imaging.format import Format, open_image
from xray.imaging.limits import MAX_PIXELS

if TYPE_CHECKING:
    from pydicom import Dataset

_DIGITS = 16
# View Position (0018,5101), and the words of the View Code Sequence, in capitals and without
# punctuation.
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
    """What may be written down of a DICOM file.

    Attributes:
        patient: Pseudonym of the patient, 16 hexadecimal digits; None without a patient id.
        view: "PA", "AP", "LATERAL", "DECUBITUS" or "OBLIQUE"; None where the file says none of
            these.
        bits: Bits stored a value.
        width: Columns.
        height: Rows.
    """

    patient: str | None
    view: str | None
    bits: int
    width: int
    height: int


def dicom_tags(path: Path | str, *, salt: str) -> DicomTags:
    """Read what a manifest may hold, without reading the pixels.

    No name, id, date or institution leaves this function, nor does an error quote one.

    Args:
        path: The file.
        salt: The dataset's secret, see `pseudonym`.

    Raises:
        ConfigError: The salt is empty.
        ImageError: As of `read_image`, as far as the header tells; or the file is not DICOM.
    """
    path = Path(path)
    _check_salt(salt)
    with open_image(path) as (file, kind):
        if kind is not Format.DICOM:
            raise ImageError(path, f"is a {kind} image, not DICOM", "Name a DICOM file.")
        layout = read_dicom_header(file, path, MAX_PIXELS)
        dataset = parse(file, path, pixels=False)
        with discreet(path, "has damaged patient or view tags"):
            identity, view = str(dataset.get("PatientID") or "").strip(), _view(dataset)
    patient = pseudonym(identity, salt) if identity else None
    return DicomTags(patient, view, layout.bits, layout.width, layout.height)


def pseudonym(identity: str, salt: str) -> str:
    """Derive a stable name for a patient that does not tell who it is.

    It is the first 16 digits of HMAC-SHA-256 (RFC 2104) of the id, keyed with the salt. A bare hash
    would not do: ids are short, and all of them can be tried. Hence the salt must be long, random
    (`python -c "import secrets; print(secrets.token_hex())"`), the same for all files of a dataset,
    and kept away from what is published: who has it can try all ids again.

    Args:
        identity: The patient id, not empty.
        salt: The dataset's secret, not empty.

    Returns:
        16 lower-case hexadecimal digits; two of a million patients share one with a probability of
        3e-8.

    Raises:
        ConfigError: The salt is empty.
    """
    _check_salt(salt)
    return hmac.new(salt.encode(), identity.encode(), "sha256").hexdigest()[:_DIGITS]


def _check_salt(salt: str) -> None:
    if not salt:
        raise ConfigError(
            "The salt of the pseudonyms is empty, so that patient ids could be found by trial. "
            "Give a long random text, the same for all files of the dataset."
        )


def _view(dataset: "Dataset") -> str | None:
    codes = dataset.get("ViewCodeSequence") or []
    texts = [dataset.get("ViewPosition"), *(code.get("CodeMeaning") for code in codes)]
    # Only words of the list: free text may hold anything.
    words = ("".join(filter(str.isalpha, str(text or ""))).upper() for text in texts)
    return next((_VIEWS[word] for word in words if word in _VIEWS), None)
