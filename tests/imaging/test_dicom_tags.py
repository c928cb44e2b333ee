import dataclasses
import hashlib
import hmac

import numpy as np
import pytest
from dicoms import dataset, radiograph, write
from PIL import Image
from pydicom.dataset import Dataset

from xray.errors import ConfigError, ImageError
from xray.imaging.dicom_tags import DicomTags, dicom_tags, pseudonym


@pytest.fixture
def tags(tmp_path):
    def read(salt: str = "salt", **values: object) -> DicomTags:
        return dicom_tags(write(dataset(radiograph(), 12, **values), tmp_path / "x.dcm"), salt=salt)

    return read


def test_no_identifying_element_is_read(tags):
    found = tags(PatientID="P-17", PatientName="Doe^Jane", ViewPosition="PA", StudyDate="20200101")
    expected = hmac.new(b"salt", b"P-17", hashlib.sha256).hexdigest()[:16]
    assert found == DicomTags(patient=expected, view="PA", bits=12, width=160, height=120)
    assert not any(text in str(dataclasses.asdict(found)) for text in ("P-17", "Doe", "2020"))


def test_pseudonym_is_stable_and_depends_on_the_salt(tags):
    one = tags(PatientID="P-17").patient
    assert tags(PatientID=" P-17 ", Rows=60).patient == one
    assert tags(PatientID="P-18").patient != one
    assert tags("other", PatientID="P-17").patient != one


def test_pseudonym_of_rfc_4231():
    # Test case 2 of RFC 4231.
    assert pseudonym("what do ya want for nothing?", "Jefe") == "5bdcc146bf60754e"


@pytest.mark.parametrize("value", ["", "  ", None])
def test_without_an_id_there_is_no_patient(tags, value):
    assert tags(PatientID=value).patient is None


def test_empty_salt_is_rejected(tags):
    for identity in ("P-17", ""):
        with pytest.raises(ConfigError, match="could be found by trial"):
            tags("", PatientID=identity)
    with pytest.raises(ConfigError, match="long random text"):
        pseudonym("P-17", "")


@pytest.mark.parametrize(
    ("value", "view"),
    [
        ("PA", "PA"),
        ("ap", "AP"),
        ("AP ", "AP"),
        ("LL", "LATERAL"),
        ("RL", "LATERAL"),
        ("LATERAL", "LATERAL"),
        ("LLD", "DECUBITUS"),
        ("RAO", "OBLIQUE"),
        ("", None),
        (None, None),
        ("MRS DOE", None),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
def test_view_is_one_of_the_known_words(tags, value, view):
    assert tags(ViewPosition=value).view == view


@pytest.mark.parametrize(
    ("meaning", "view"),
    [("postero-anterior", "PA"), ("antero-posterior", "AP"), ("left lateral", "LATERAL")],
)
def test_view_code_replaces_a_missing_position(tags, meaning, view):
    code = Dataset()
    code.CodeMeaning = meaning
    assert tags(ViewPosition="", ViewCodeSequence=[code]).view == view


def test_pixels_are_not_read(tmp_path):
    path = write(dataset(radiograph(), 12), tmp_path / "x.dcm")
    path.write_bytes(path.read_bytes()[:-30_000])
    assert dicom_tags(str(path), salt="salt").height == 120


def test_other_formats_are_rejected(tmp_path):
    Image.fromarray(radiograph(8).astype(np.uint8)).save(tmp_path / "x.dcm", "PNG")
    with pytest.raises(ImageError, match="is a PNG image, not DICOM"):
        dicom_tags(tmp_path / "x.dcm", salt="salt")
