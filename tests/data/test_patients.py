import logging
from pathlib import Path, PurePosixPath

import pytest

from xray.data.patients import check_patients, check_pattern, compile_patient_pattern
from xray.errors import ConfigError
from xray.types import Sample


def find(*paths: str, pattern: str | None = None) -> list[str | None]:
    return compile_patient_pattern(pattern).find([PurePosixPath(path) for path in paths])


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("person100_bacteria_475.jpeg", "person100_bacteria"),
        ("person100_virus_184.jpeg", "person100_virus"),
        ("person447_virus_921_1.jpeg", "person447_virus"),
        ("NORMAL2-IM-0373-0001.jpeg", "NORMAL2-IM-0373"),
        ("NORMAL2-IM-0373-0001-0002.jpeg", "NORMAL2-IM-0373"),
        ("00000013_005.png", "00000013"),
        ("00030805_000.png", "00030805"),
        ("patient0012_01.png", "patient0012"),
        ("patient00001_dicom000004.png", "patient00001"),
        ("PERSON1_VIRUS_6.JPEG", "PERSON1_VIRUS"),
    ],
)
@pytest.mark.parametrize("folder", ["normal", "normal/more"])
def test_known_names(name: str, patient: str, folder: str) -> None:
    assert find(f"{folder}/{name}") == [patient]


@pytest.mark.parametrize(
    "name",
    [
        "20200310_101500.png",
        "20200310_101.png",
        "00000013_0050.png",
        "00000013_005_left.png",
        "x00000013_005.png",
        "patient.png",
        "patient12.png",
        "patient_view1_frontal.png",
        "patient1_01_copy.png",
        "person1.jpeg",
        "person1_bacteria.jpeg",
        "personal_notes_1.png",
        "IM-0001-0001.jpg",
        "IM-000123.png",
        "scan_person1_bacteria_1.png",
        "a.png",
    ],
)
def test_other_names_are_not_guessed(name: str) -> None:
    assert find(f"normal/{name}") == [None]


def test_known_folders() -> None:
    assert find(
        "NORMAL/patient00001/study1/view1_frontal.jpg",
        "NORMAL/patient00001/study2/view2_lateral.jpg",
        "NORMAL/patient00001/view1_frontal.jpg",
        "NORMAL/p10/p10000032/s50414267/02aa804e-bde0afdd-112c0b34-7bc16630-4e384014.jpg",
        "NORMAL/p10000032/s53189527/2a2277a9-b0ded155-c0de8eb9-c124d10e-82c5caab.jpg",
    ) == ["patient00001", "patient00001", None, "p10000032", "p10000032"]


# IM-0115-0001: a name of Kermany et al., and of every export of some viewers


def test_series_beside_kermanys_other_normal_images() -> None:
    names = ["NORMAL/NORMAL2-IM-0373-0001.jpeg", "NORMAL/IM-0115-0001.jpeg"]
    assert find(*names, "NORMAL/IM-0640-0001-0002.jpeg", "PNEUMONIA/x.png") == [
        "NORMAL2-IM-0373",
        "IM-0115",
        "IM-0640",
        None,
    ]


def test_series_of_a_small_subset_of_kermany() -> None:
    assert find("N/IM-0115-0001.jpeg", "N/IM-0117-0001.jpeg", "P/person1_virus_6.jpeg") == [
        "IM-0115",
        "IM-0117",
        "person1_virus",
    ]


def test_series_of_another_class_than_kermanys() -> None:
    kermany = ["N/NORMAL2-IM-0373-0001.jpeg", "N/IM-0115-0001.jpeg", "P/person1_virus_6.jpeg"]
    assert find(*kermany, "covid/IM-0001-0001.jpg")[-1] is None
    # Two classes contain series, and it is unknown which of them is Kermany's.
    assert find("N/IM-0115-0001.jpg", "C/IM-0001-0001.jpg", "P/person1_virus_6.jpeg")[:2] == [
        None,
        None,
    ]


def test_series_of_a_viewer() -> None:
    folders = [f"N/case{i}/IM-0001-0001.jpg" for i in range(3)]
    assert find(*folders, "P/person1_virus_6.jpeg") == [None] * 3 + ["person1_virus"]
    one = [f"N/IM-0001-{i:04d}.jpg" for i in range(1, 22)]
    assert find(*one, "P/person1_virus_6.jpeg")[:-1] == [None] * 21
    assert find(*one[:20], "P/person1_virus_6.jpeg")[:-1] == ["IM-0001"] * 20


def test_official_split_of_kermany(shared: Path) -> None:
    root = shared / "data" / "kermany"
    counts = {}
    for split in ("train", "test"):
        files = (root / split).glob("*/*.jpeg")
        found = find(*[path.relative_to(root / split).as_posix() for path in files])
        assert None not in found
        counts[split] = len(set(found))
    assert counts == {"train": 3654, "test": 428}


# A pattern of the user


@pytest.mark.parametrize(
    ("pattern", "path", "patient"),
    [
        (r"study-(\d+)", "N/study-7-b.png", "7"),
        (r"\d+", "N/a12.34.png", "12"),
        (r"a(\d+)|b(\d+)", "N/b7.png", "7"),
        (r"P\d", "N/xp1.png", "p1"),
        (r"patient\d+", "N/patient00001/study1/view1_frontal.jpg", "patient00001"),
        (r"^p\d{8}$", "N/p10/p10000032/s50414267/image.jpg", "p10000032"),
        # Doubled backslashes count as one.
        (r"patient\\d+", "N/patient00001/study1/view1_frontal.jpg", "patient00001"),
        # The file name takes precedence over folders, and outer folders over inner ones.
        (r"[a-z]\d", "N/b2/c3/a1.png", "a1"),
        (r"[a-z]\d", "N/b2/c3/x.png", "b2"),
        # The class folder and the suffix do not take part.
        (r"N|png", "N/x.png", None),
        # With a slash: the whole path. Here, the first folder is the patient.
        (r"^([^/]+)/", "N/DOE JOHN/IM-0001-0001.jpg", "DOE JOHN"),
        (r"^([^/]+)/", "N/IM-0001-0001.jpg", None),
        (r"(\w+)/\w+/\w+$", "N/site/7/1/x.png", "7"),
        # An empty match is not a patient.
        (r"\d*$", "N/x.png", None),
        (r"x(\d*)", "N/x.png", None),
    ],
)
def test_pattern(pattern: str, path: str, patient: str | None) -> None:
    assert find(path, pattern=pattern) == [patient]


def test_pattern_that_is_not_a_regular_expression() -> None:
    with pytest.raises(ConfigError, match=r"data\.patient_pattern is not a regular.*'\(x'"):
        compile_patient_pattern("(x")
    with pytest.raises(ConfigError, match=r"source\.folder\.patient_pattern is not"):
        compile_patient_pattern("(x", "source.folder.patient_pattern")


# Warnings


def matched(pattern: str | None, *patients: str | None) -> None:
    rule = compile_patient_pattern(pattern)
    check_pattern([Path(f"{i}.png") for i in range(len(patients))], patients, rule)


def test_warning_about_a_pattern_that_does_not_match(caplog: pytest.LogCaptureFixture) -> None:
    matched("x", "x", "x")
    matched(None, None)
    matched("x")
    assert not caplog.records
    matched("x", None, None)
    matched("y", "y", None, "y")
    none, some = [record.getMessage() for record in caplog.records]
    assert "data.patient_pattern='x' matches 0 of 2 images (first without a match: 0.png)" in none
    assert "data.patient_pattern='y' matches 2 of 3 images (first without a match: 1.png)" in some
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def samples(counts: dict[tuple[str | None, int], int]) -> list[Sample]:
    return [
        Sample(Path(f"{patient}/{target}/{i}.png"), target, "", patient)
        for (patient, target), count in counts.items()
        for i in range(count)
    ]


def warned(counts: dict[tuple[str | None, int], int]) -> None:
    check_patients(samples(counts), ["normal", "pneumonia"], "data.patient_pattern")


def test_warning_about_a_patient_of_two_classes(caplog: pytest.LogCaptureFixture) -> None:
    warned({("a", 0): 3, ("b", 1): 2, (None, 0): 2, (None, 1): 2})
    assert not caplog.records
    warned({("a", 0): 3, ("a", 1): 1, ("b", 1): 2, ("c", 0): 1, ("c", 1): 1})
    [record] = caplog.records
    assert "2 of 3 patient IDs" in record.getMessage()
    assert "(first: 'a', 3 normal, 1 pneumonia)" in record.getMessage()
    assert "data.patient_pattern" in record.getMessage()


@pytest.mark.parametrize(
    ("count", "others", "is_large"), [(20, 10, False), (21, 10, True), (25, 225, False)]
)
def test_warning_about_a_large_share(
    caplog: pytest.LogCaptureFixture, count: int, others: int, is_large: bool
) -> None:
    warned({("a", 0): count, **{(f"b{i}", 1): 1 for i in range(others)}})
    expected = [f"Patient ID 'a' has {count} of {count + others} images"] if is_large else []
    assert [record.getMessage().split(" (first")[0] for record in caplog.records] == expected
