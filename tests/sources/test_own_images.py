# ruff: noqa: E501
"""Your own folders and tables, prepared through the real entry point."""

from collections.abc import Callable
from pathlib import Path

import pytest
from made_up import (
    Outcome,
    dicom,
    lay,
    pack,
    picture,
    pictures,
    prepare,
    prepared,
    rejected,
    table,
)

from xray.data.manifest import read_manifest

FLAT = ["COVID-19/patient01_1.png", "COVID-19/patient01_2.png", "COVID-19/patient02_1.png",
        "Healthy/patient03_1.jpg", "Healthy/patient04_1.jpg", "Healthy/.hidden.jpg",
        "masks/lesion/COVID-19/patient01_1.png", "__MACOSX/Healthy/._patient03_1.jpg"]  # fmt: skip


@pytest.mark.parametrize("inner", ["Normal/COVID-19/a.png", "Normal/deep/test/a.png"])
def test_a_class_or_split_below_a_class_is_an_error(tmp_path: Path, inner: str) -> None:
    files = pictures(["COVID-19/a.png", "Normal/b.png", "Normal/lung masks/b.png", inner])
    outcome = prepare(tmp_path, "source=folder", f"path={lay(tmp_path / 'in', files)}")
    assert outcome.status == 1
    folder = tmp_path / "in" / Path(inner).parent
    assert f"{folder} is named like" in outcome.err
    assert f"inside {tmp_path / 'in' / 'Normal'}" in outcome.err.replace("the class folder ", "")


def test_flat_folder_in_an_archive(tmp_path: Path) -> None:
    files = pictures([f"wrap/site/{name}" for name in FLAT])
    rows = prepared(tmp_path, "source=folder", f"path={pack(tmp_path / 'a.zip', files)}")
    assert {row.split for row in rows.values()} == {"train", "test"}
    patients = {Path(path).name: (row.patient, row.class_name) for path, row in rows.items()}
    assert patients == {
        "patient01_1.png": ("folder-patient01", "covid"),
        "patient01_2.png": ("folder-patient01", "covid"),
        "patient02_1.png": ("folder-patient02", "covid"),
        "patient03_1.jpg": ("folder-patient03", "normal"),
        "patient04_1.jpg": ("folder-patient04", "normal"),
    }
    splits = {row.split for row in rows.values() if row.patient == "folder-patient01"}
    assert len(splits) == 1
    [mask] = (tmp_path / "tree" / "masks" / "lesion").rglob("*.png")
    assert mask.read_bytes() == files["wrap/site/masks/lesion/COVID-19/patient01_1.png"]
    assert mask.relative_to(tmp_path / "tree" / "masks" / "lesion").as_posix() in rows


@pytest.mark.slow
def test_splits_are_kept(tmp_path: Path) -> None:
    names = [
        f"{split}/{label}/{split}{label}{i}.png"
        for split in ("Train", "valid", "test")
        for label in ("normal", "virus")
        for i in (1, 2)
    ]
    rows = prepared(tmp_path, "source=folder", f"path={lay(tmp_path / 'in', pictures(names))}")
    assert set(rows) == {
        f"{to}/{name}/{split}{label}{i}.png"
        for split, to in (("Train", "train"), ("valid", "val"), ("test", "test"))
        for label, name in (("normal", "normal"), ("virus", "pneumonia"))
        for i in (1, 2)
    }


@pytest.mark.slow
def test_a_missing_test_split_is_held_out(tmp_path: Path) -> None:
    names = [
        f"{split}/{label}/{split}{label}{i}.png"
        for split, count in (("train", 6), ("val", 2))
        for label in ("normal", "virus")
        for i in range(count)
    ]
    rows = prepared(tmp_path, "source=folder", f"path={lay(tmp_path / 'in', pictures(names))}")
    of = {split: [p for p in rows if p.startswith(split)] for split in ("train", "val", "test")}
    assert {split: len(paths) for split, paths in of.items()} == {"train": 10, "val": 4, "test": 2}
    assert all(Path(path).name.startswith("val") for path in of["val"])
    assert all(Path(path).name.startswith("train") for path in of["test"])


def test_patient_pattern(tmp_path: Path) -> None:
    files = pictures([f"{label}/x_p{i}_1.png" for label in ("normal", "covid") for i in (1, 2)])
    rows = prepared(
        tmp_path, "source=folder", f"path={lay(tmp_path / 'in', files)}", "split=flat",
        "source.folder.patient_pattern='_(p\\d)_'",
    )  # fmt: skip
    assert {row.patient for row in rows.values()} == {"folder-p1", "folder-p2"}


def test_unknown_label(tmp_path: Path) -> None:
    files = pictures(["normal/a.png", "normal/b.png", "covid/c.png", "covid/d.png", "TBC/e.png"])
    path = f"path={lay(tmp_path / 'in', files)}"
    outcome = prepare(tmp_path, "source=folder", path)
    assert outcome.status == 1
    assert "folder: the label 'TBC' belongs to no class (first image: e.png)" in outcome.err
    assert "('leave_out=[TBC]')" in outcome.err
    assert "sars cov 2,tbc]'" in outcome.err
    rows = prepared(tmp_path, "source=folder", path, "leave_out=[tbc]", "split=flat")
    assert set(rows) == {"normal/a.png", "normal/b.png", "covid/c.png", "covid/d.png"}
    assert (
        "because no class includes the label: TBC (1)"
        in (tmp_path / "tree" / "SOURCE.md").read_text()
    )


def test_equal_names_are_numbered(tmp_path: Path) -> None:
    files = pictures([f"normal/{p}/a.{e}" for p, e in (("1", "png"), ("2", "jpg"), ("3", "PNG"))])
    files |= pictures(["normal/folder_a-2.png", "covid/a.png"])
    rows = prepared(tmp_path, "source=folder", f"path={lay(tmp_path / 'in', files)}", "split=flat")
    assert set(rows) == {
        "normal/folder_a.png", "normal/folder_a-3.jpg", "normal/folder_a-4.PNG",
        "normal/folder_a-2.png", "covid/a.png",
    }  # fmt: skip


def test_two_classes(tmp_path: Path) -> None:
    files = pictures(["normal/a.png", "covid/c.png"])
    rows = prepared(
        tmp_path, "source=folder", f"path={lay(tmp_path / 'in', files)}", "split=flat",
        "data/groups@groups=two_class",
    )  # fmt: skip
    assert set(rows) == {"normal/a.png", "pneumonia/c.png"}


def test_dicom_files_are_renamed(tmp_path: Path) -> None:
    files = {
        "normal/DOE_JOHN_1.dcm": dicom(seed=1, name="DOE^JOHN", view="PA"),
        "normal/DOE_JOHN_2.dcm": dicom(seed=2, name="DOE^JOHN", view="AP"),
        "covid/ROE_1.dcm": dicom(seed=3, name="ROE^JANE", view="LATERAL"),
        "covid/noone.dcm": dicom(seed=4, name="", view=""),
        "covid/bad.dcm": b"no DICOM",
    }
    rows = prepared(tmp_path, "source=folder", f"path={lay(tmp_path / 'in', files)}", "split=flat")
    assert {path: (row.patient, row.view) for path, row in rows.items()} == {
        "covid/patient00001_dicom000001.png": ("folder-patient00001", "LATERAL"),
        "covid/dicom000003.png": (None, None),
        "normal/patient00002_dicom000004.png": ("folder-patient00002", "PA"),
        "normal/patient00002_dicom000005.png": ("folder-patient00002", "AP"),
    }
    [(source, path, reason)] = rejected(tmp_path)
    assert (source, path) == ("folder", "covid/bad.dcm")
    assert reason
    written = b"".join(p.read_bytes() for p in (tmp_path / "tree").rglob("*.*"))
    assert b"DOE" not in written
    assert b"ROE" not in written


def test_dicom_files_of_any_name_are_written_without_header(tmp_path: Path) -> None:
    files = {
        f"{label}/{name}": dicom(seed=i, name=f"DOE^{i}", view="PA")
        for i, (label, name) in enumerate(
            (("normal", "IM000001"), ("normal", "x.png"), ("virus", "IM000002"), ("virus", "y.jpg"))
        )
    }
    rows = prepared(tmp_path, "source=folder", "split=flat", f"path={lay(tmp_path / 'in', files)}")
    assert sorted(Path(path).parent.name for path in rows) == ["normal"] * 2 + ["pneumonia"] * 2
    assert all(row.patient and "DOE" not in row.patient for row in rows.values())
    for path in rows:
        assert (tmp_path / "tree" / path).read_bytes().startswith(b"\x89PNG")
        assert b"DOE" not in (tmp_path / "tree" / path).read_bytes()


@pytest.mark.slow
def test_pattern_takes_precedence_over_dicom_headers(tmp_path: Path) -> None:
    files = {
        f"{label}/{name}_{i}.dcm": dicom(seed=i, name="Anonymous", view="PA")
        for label, name in (("normal", "a"), ("normal", "b"), ("virus", "c"), ("virus", "d"))
        for i in (1, 2)
    }
    folder = lay(tmp_path / "in", files)
    assert (
        "set source.folder.patient_pattern"
        in prepare(tmp_path, "source=folder", f"path={folder}").err
    )
    pattern = r"source.folder.patient_pattern='^([a-z])_'"
    rows = prepared(tmp_path, "source=folder", f"path={folder}", pattern)
    assert {row.patient for row in rows.values()} == {f"folder-{name}" for name in "abcd"}


def manifest(folder: Path, lines: list[tuple[str, ...]]) -> Path:
    files = pictures([line[0] for line in lines])
    files["list.csv"] = table(("path", "label", "patient", "view", "split", "mrn"), lines)
    return lay(folder, files) / "list.csv"


LINES = [
    ("x/a.png", "Normal", "MRN-4711", "PA", "train", "4711"),
    ("x/b.png", "Normal", "MRN-4711", "AP", "train", "4711"),
    ("y/a.png", "covid", "MRN-0815", "", "Test", "0815"),
    ("y/c.png", "pneumonia", "", "", "", ""),
]


def test_table(tmp_path: Path) -> None:
    rows = prepared(tmp_path, "source=manifest", f"path={manifest(tmp_path / 'in', LINES)}")
    assert {path: (row.patient, row.view) for path, row in rows.items()} == {
        "train/normal/a.png": ("manifest-patient00001", "PA"),
        "train/normal/b.png": ("manifest-patient00001", "AP"),
        "test/covid/a.png": ("manifest-patient00002", None),
        "train/pneumonia/c.png": (None, None),
    }
    written = "".join(p.read_text() for p in (tmp_path / "tree").iterdir() if p.is_file())
    assert "4711" not in written
    assert "0815" not in written


def test_prepared_dataset_as_a_table(tmp_path: Path) -> None:
    first = prepared(tmp_path, "source=manifest", f"path={manifest(tmp_path / 'in', LINES)}")
    (tmp_path / "tree").rename(tmp_path / "first")
    again = prepared(tmp_path, "source=manifest", f"path={tmp_path}/first")
    assert set(again) == set(first)
    assert {path: row.label for path, row in again.items()} == {
        path: row.label for path, row in first.items()
    }


def test_table_in_an_archive(tmp_path: Path) -> None:
    content = {"a.png": picture(0), "manifest.csv": table(("path", "label"), [("a.png", "covid")])}
    archive = pack(tmp_path / "a.zip", content)
    rows = prepared(tmp_path, "source=manifest", f"path={archive}", "split=flat")
    assert set(rows) == {"covid/a.png"}


IMAGES = [f"{label}/{i}.png" for label in ("NORMAL", "PNEUMONIA") for i in range(4)]
ROWS = [f"{name},{name.split('/')[0]},{name[0]}{i // 2}" for i, name in enumerate(IMAGES)]


def with_table(root: Path, header: str, rows: list[str], name: str = "manifest.csv") -> Outcome:
    """Prepare the images of `IMAGES` as a table lists them."""
    lay(root / "in", {**pictures(IMAGES), name: "\r\n".join([header, *rows, ""]).encode()})
    lay(root, {"secret.png": picture(99)})
    return prepare(root, "source=manifest", f"path={root}/in/{name}", f"out={root}/tree")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("header", "change"),
    [
        ("path,label,patient", lambda row: row),
        ("path,label,patient", lambda row: f"./{row}"),
        ("path,label,patient", lambda row: row.replace("/", "//")),
        ("path, label, patient", lambda row: row.replace(",", ", ")),
        ("path;label;patient", lambda row: row.replace(",", ";")),
        ("Path\tLabel\tPatient", lambda row: row.replace(",", "\t")),
        ("path,label,patient", lambda row: row.replace("NORMAL/", "Normal/")),
        ("path,label,patient", lambda row: row.replace(".png", ".PNG")),
    ],
    ids=["plain", "dot", "double slash", "comma space", "semicolon", "tab", "folder",
         "suffix"],
)  # fmt: skip
def test_forms_of_a_table(tmp_path: Path, header: str, change: Callable[[str], str]) -> None:
    outcome = with_table(tmp_path, header, [change(row) for row in ROWS])
    assert (outcome.status, outcome.err) == (0, "")
    assert "refer to missing files" not in outcome.out
    rows = read_manifest(tmp_path / "tree").rows
    assert sorted(path.split("/")[1] for path in rows) == ["normal"] * 4 + ["pneumonia"] * 4
    assert len({row.patient for row in rows.values()}) == 4


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("path,label,patient,patient", None, "has the column 'patient' 2 times"),
        ("path,label,patient", ROWS[0], "lines 2 and 10: 'NORMAL/0.png' is listed twice."),
        ("path,label,patient", f"./{ROWS[0]}", "lines 2 and 10: 'NORMAL/0.png' is listed twice."),
        ("path,label,patient", "NORMAL/0.png,PNEUMONIA,N0", "twice, as 'NORMAL' and as 'PNEUMONIA'"),
        ("path,label,patient", "NORMAL/0.PNG,NORMAL,N0", "lines 2 and 10 name the same file 'NORM"),
        ("path,label,patient", "../secret.png,NORMAL,x", "line 10: '../secret.png' is not a path"),
        ("path,label,patient", "NORMAL\\x.png,NORMAL,x", "contains a backslash. Write the path with"),
        ("path,label,patient", "/etc/x.png,NORMAL,x", "line 10: '/etc/x.png' is not a path below"),
        ("path,label,patient", "NORMAL/x.png,NORMAL", "line 10: the row does not have 3 cells"),
    ],
)  # fmt: skip
def test_tables_that_are_refused(
    tmp_path: Path, header: str, row: str | None, message: str
) -> None:
    outcome = with_table(tmp_path, header, [*ROWS, row] if row else [f"{r},N9" for r in ROWS])
    assert outcome.status == 1
    assert f"{tmp_path}/in/manifest.csv" in outcome.err
    assert message in outcome.err
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize("name", ["NORMAL/link.png", "link/secret.png"])
def test_links_to_files_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    lay(tmp_path, {"in/NORMAL/0.png": picture(0), "other/secret.png": picture(1)})
    (tmp_path / "in" / "link").symlink_to(tmp_path / "other")
    (tmp_path / "in" / "NORMAL" / "link.png").symlink_to(tmp_path / "other" / "secret.png")
    outcome = with_table(tmp_path, "path,label,patient", [*ROWS, f"{name},NORMAL,x"])
    assert outcome.status == 1
    assert f"line 10: '{name}' is a link to a file outside" in outcome.err


def test_rows_and_files_that_do_not_match_are_counted(tmp_path: Path) -> None:
    rows = [*ROWS[:3], *ROWS[4:7], "NORMAL/gone.png,NORMAL,x"]
    outcome = with_table(tmp_path, "path,label,patient", rows)
    assert outcome.status == 0
    assert "1 of 7 rows refer to missing files (first: 'NORMAL/gone.png')" in outcome.out
    assert "2 of 8 images have no row (first: 'NORMAL/3.png'). They are not copied." in outcome.out
    assert rejected(tmp_path) == [("manifest", "NORMAL/gone.png", "is listed, but does not exist")]


def test_images_beside_the_table(tmp_path: Path) -> None:
    files = {
        **pictures(["a.png", "b.png", "c.png"]),
        "list.csv": b"path,label\na.png,normal\nB.png,covid\n",
    }
    outcome = prepare(
        tmp_path, "source=manifest", f"path={lay(tmp_path / 'in', files)}/list.csv", "split=flat"
    )
    assert outcome.status == 0
    assert "1 of 3 images have no row (first: 'c.png')" in outcome.out


def test_no_row_names_a_file(tmp_path: Path) -> None:
    outcome = with_table(tmp_path, "path,label,patient", [f"NORMAL/{row}" for row in ROWS])
    assert outcome.status == 1
    assert "lists 8 files, but none of them exists (first: 'NORMAL/NORMAL/0.png')" in outcome.err
    assert "The first image in the folder is 'NORMAL/0.png'" in outcome.err


def test_unknown_patients_are_not_one_patient(tmp_path: Path) -> None:
    rows = [
        row[:-2] + cell for row, cell in zip(ROWS, ["nan", "", "-", "Unknown"] * 2, strict=True)
    ]
    assert with_table(tmp_path, "path,label,patient", rows).status == 0
    assert {row.patient for row in read_manifest(tmp_path / "tree").rows.values()} == {None}


def test_similar_patients(tmp_path: Path) -> None:
    rows = [row[:-2] + cell for row, cell in zip(ROWS, ["007", "7", "P1", "p1"] * 2, strict=True)]
    outcome = with_table(tmp_path, "path,label,patient", rows)
    assert "2 patient IDs differ from others only in case" in outcome.out
    assert "'007' and '7'" in outcome.out
    assert len({row.patient for row in read_manifest(tmp_path / "tree").rows.values()}) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,label\n", "has no column 'path'; its columns are: file, label"),
        (b"", "has no column 'path', 'label'; its columns are: none"),
        (b"path,label,split\na.png,covid,dev\n", "line 2: the split is 'dev'. Write train, val, test"),
        (b"path,label\n\xff,covid\n", "is not UTF-8 text"),
        (b"path,label\na.png,covid\n", "lists 1 files, but none of them exists (first: 'a.png')"),
        (b"path,label\n", "lists 0 files, but none of them exists"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_used(tmp_path: Path, content: bytes, message: str) -> None:
    file = lay(tmp_path / "in", {"x.csv": content}) / "x.csv"
    outcome = prepare(tmp_path, "source=manifest", f"path={file}")
    assert outcome.status == 1
    assert message in outcome.err


def test_folder_without_a_table(tmp_path: Path) -> None:
    outcome = prepare(tmp_path, "source=manifest", f"path={lay(tmp_path / 'in', {'a': b''})}")
    assert "contains no manifest.csv. Pass path=<the CSV file>." in outcome.err


def test_pattern_without_a_match(tmp_path: Path) -> None:
    folder = lay(tmp_path / "in", pictures(IMAGES))
    options = ("source=folder", f"path={folder}", "source.folder.patient_pattern=x", "split=flat")
    outcome = prepare(tmp_path, *options)
    assert outcome.status == 0
    assert "source.folder.patient_pattern='x' matches 0 of 8 images" in outcome.out


def test_folders_of_patients(tmp_path: Path) -> None:
    names = [f"{label}/case{i}/IM-0001-000{j}.png" for label in ("normal", "covid") for i in (1, 2)
             for j in (1, 2)]  # fmt: skip
    folder = lay(tmp_path / "in", pictures(names))
    rows = prepared(tmp_path, "source=folder", f"path={folder}", "split=flat",
                    "source.folder.patient_pattern='^([^/]+)/'")  # fmt: skip
    assert {row.patient for row in rows.values()} == {"folder-case1", "folder-case2"}


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    outcome = prepare(tmp_path, "source=folder", f"path={tmp_path}/in")
    assert "in contains no folders. Expected train/<class>/" in outcome.err
