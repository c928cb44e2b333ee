import logging
from pathlib import Path

import pytest
from made_images import write_image

from xray.data.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from xray.data.manifest_row import COLUMNS, Row, normalize_path
from xray.errors import DataError

ROW = Row(
    path="train/covid/a, b.png",
    source="site",
    label="COVID-19",
    class_name="covid",
    patient="site-7",
    view="PA",
    width=48,
    height=40,
    bits=8,
    sha256="ab" * 32,
    split="train",
)
BARE = Row(path="normal/ä.png", source="site", label="COVID-19", class_name="covid")
HEADER = ",".join(COLUMNS)


def read(folder: Path, text: str) -> Manifest:
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    manifest = read_manifest(folder)
    assert manifest is not None
    return manifest


def test_written_manifest_is_read(tmp_path: Path) -> None:
    write_manifest(tmp_path, [ROW, BARE])
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest.rows == {ROW.path: ROW, BARE.path: BARE}
    assert manifest.lines == {BARE.path: 2, ROW.path: 3}
    assert (tmp_path / MANIFEST).read_text(encoding="utf-8").splitlines() == [
        "path,source,label,class,patient,view,width,height,bits,sha256,split",
        "normal/ä.png,site,COVID-19,covid,,,,,,,",
        f'"train/covid/a, b.png",site,COVID-19,covid,site-7,PA,48,40,8,{"ab" * 32},train',
    ]


def test_folder_without_a_manifest(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None


def test_manifest_of_an_older_version_has_a_perceptual_hash(tmp_path: Path) -> None:
    line = ",".join([*ROW.cells()[:-1], "0123456789abcdef", "train"]).replace(
        ROW.path, f'"{ROW.path}"'
    )
    text = f"{HEADER.replace(',split', ',phash,split')}\n{line}\n"
    assert read(tmp_path, text).rows == {ROW.path: ROW}


def test_other_columns_are_ignored(tmp_path: Path) -> None:
    line = ",".join(["note", *BARE.cells()])
    assert read(tmp_path, f"\ufeffmore,{HEADER}\n{line}\n").rows == {BARE.path: BARE}


def cells(**changed: str) -> str:
    values = dict(zip(COLUMNS, BARE.cells(), strict=True))
    return ",".join({**values, **changed}.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column 'path'"),
        ("path,source\n", "none of the columns patient, label, class, split"),
        ("path,patient,patient\n", "has the column 'patient' 2 times"),
        ("path,patient, Patient\n", "has the column 'patient' 2 times"),
        (f"{HEADER}\na,b\n", f"line 2: the row does not have {len(COLUMNS)} cells"),
        (f"{HEADER}\n{cells()},more\n", f"line 2: the row does not have {len(COLUMNS)} cells"),
        (f"{HEADER}\n{cells()}\n\n{cells()}\n", "lines 2 and 4: 'normal/ä.png' is listed twice."),
        ("path,label\na.png,x\n./a.png,y\n", "lines 2 and 3: 'a.png' is listed twice, as 'x' and"),
        ("path,label\na/b.png,x\na//b.png,x\n", "lines 2 and 3: 'a/b.png' is listed twice."),
        ("path,label\na/b.png,x\n a/b.png ,x\n", "lines 2 and 3: 'a/b.png' is listed twice."),
        ("path,label\na\\b.png,x\n", "line 2: 'a\\\\b.png' contains a backslash."),
        (f"{HEADER}\n{cells(path='')}\n", "line 2: the cell of 'path' is empty"),
        (f"{HEADER}\n{cells(path='/etc/x.png')}\n", "line 2: '/etc/x.png' is not a path below"),
        (f"{HEADER}\n{cells(path='a/../../x.png')}\n", "line 2: 'a/../../x.png' is not a path"),
        (f"{HEADER}\n{cells(path='C:/x.png')}\n", "line 2: 'C:/x.png' is not a path below"),
        (f"{HEADER}\n{cells(split='dev')}\n", "line 2: the split is 'dev'. Write train, val, test"),
        (f"{HEADER}\n{cells(width='wide')}\n", "line 2: 'width' is 'wide', but must be a whole"),
        (f"{HEADER}\n{cells(**{'class': ''})}\n", "line 2: the cell of 'class' is empty"),
    ],
)  # fmt: skip
def test_errors_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / MANIFEST))


@pytest.mark.parametrize(
    "path",
    ["a/b.png", "./a/b.png", "a//b.png", "a/./b.png", " a/b.png "],
)
def test_paths_are_normalized(path: str) -> None:
    assert normalize_path(path) == "a/b.png"


@pytest.mark.parametrize(
    "path", ["..\\b.png", "\\\\server\\b.png", "a\\b.png", "D:b.png", "a\0.png", ".", " "]
)
def test_paths_outside_the_folder_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        normalize_path(path)


@pytest.mark.parametrize("cell", ["", "nan", "NaN", "Unknown", "none", "N/A", "-", " - ", "NULL"])
def test_cells_that_mean_no_patient_id(tmp_path: Path, cell: str) -> None:
    assert read(tmp_path, f"path,patient\na.png,{cell}\n").rows["a.png"].patient is None


def test_leading_zeros_of_patient_ids_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = read(tmp_path, "path,patient\na.png,00012\nb.png,13\nc.png,1e5\nd.png,100\n").rows
    assert [row.patient for row in rows.values()] == ["00012", "13", "1e5", "100"]
    assert not caplog.records


@pytest.mark.parametrize(
    ("one", "two"), [("00012", "12"), ("p1", "P1"), ("p 1", "p1"), ("site-01", "Site-1")]
)
def test_patient_ids_that_differ_in_form_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, one: str, two: str
) -> None:
    rows = read(tmp_path, f"path,patient\na,{one}\nb,{one}\nc,{two}\nd,other\n").rows
    assert [row.patient for row in rows.values()] == [one, one, two, "other"]
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert f"{one!r} and {two!r}" in record.getMessage()


@pytest.mark.parametrize(
    ("cell", "split"), [("Train", "train"), ("valid", "val"), ("TESTING", "test"), ("", None)]
)
def test_names_of_splits(tmp_path: Path, cell: str, split: str | None) -> None:
    assert read(tmp_path, f"path,split\na.png,{cell}\n").rows["a.png"].split == split


# Matching rows with files


def matched(folder: Path, rows: list[str], files: list[str]) -> list[str | None]:
    manifest = read(folder, "path,label\n" + "".join(f"{row},x\n" for row in rows))
    return [row and row.path for row in manifest.match(files)]


def test_files_are_matched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = ["./a.png", "N/b.png", "NORMAL/C.PNG", "x/e\u0301.png"]
    files = ["a.png", "N/b.png", "normal/c.png", "x/\u00e9.png"]
    found = matched(tmp_path, rows, files)
    assert found == ["a.png", "N/b.png", "NORMAL/C.PNG", "x/e\u0301.png"]
    assert not caplog.records


def test_case_decides_between_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert matched(tmp_path, ["A.png", "a.png"], ["a.png", "A.png"]) == ["a.png", "A.png"]
    assert not caplog.records
    assert matched(tmp_path, ["A.png", "b.PNG"], ["A.png", "b.png", "B.png"]) == [
        "A.png",
        None,
        None,
    ]
    assert "1 of 2 rows refer to missing files (first: 'b.PNG')" in caplog.text
    assert "2 of 3 images have no row (first: 'b.png')" in caplog.text


def test_two_rows_of_one_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lines 2 and 3 name the same file 'a\.png'"):
        matched(tmp_path, ["A.png", "A.PNG"], ["a.png"])
    with pytest.raises(DataError, match=r"lines 3 and 2 name the same file 'a\.png'"):
        matched(tmp_path, ["A.png", "a.png"], ["a.png"])


@pytest.mark.parametrize(
    "rows", [["other/a.png", "other/b.png"], ["NORMAL/a", "NORMAL/b"], ["a.png", "b.png"]]
)
def test_rows_that_name_no_file(tmp_path: Path, rows: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        matched(tmp_path, rows, ["NORMAL/a.png", "NORMAL/b.png"])
    message = str(caught.value)
    assert f"{tmp_path / MANIFEST} lists 2 files, but none of them exists" in message
    assert f"first: {rows[0]!r}" in message
    assert "'NORMAL/a.png'" in message


def test_rows_of_other_splits_are_not_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_image(tmp_path / "train" / "a.png")
    assert matched(tmp_path, ["train/a.png", "test/b.png"], ["test/b.png"]) == ["test/b.png"]
    assert not caplog.records
    assert matched(tmp_path, ["train/a.png"], ["test/b.png"]) == [None]
    assert "1 of 1 images have no row (first: 'test/b.png')" in caplog.text


def test_an_empty_manifest_names_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lists 0 files"):
        matched(tmp_path, [], ["a.png"])
