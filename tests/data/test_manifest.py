from dataclasses import replace
from pathlib import Path

import pytest

from xray.data.manifest import COLUMNS, MANIFEST, Row, read_manifest, write_manifest
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
    phash=0x0123456789ABCDEF,
    split="train",
)
BARE = replace(
    ROW, path="normal/ä.png", patient=None, view=None, width=None, height=None, bits=None,
    sha256=None, phash=None, split=None,
)  # fmt: skip
WINDOWS = "a\\b.png"
HEADER = ",".join(COLUMNS)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_manifest(tmp_path, [ROW, BARE])
    assert read_manifest(tmp_path) == {ROW.path: ROW, BARE.path: BARE}
    assert (tmp_path / MANIFEST).read_text(encoding="utf-8").splitlines() == [
        "path,source,label,class,patient,view,width,height,bits,sha256,phash,split",
        "normal/ä.png,site,COVID-19,covid,,,,,,,,",
        f'"train/covid/a, b.png",site,COVID-19,covid,site-7,PA,48,40,8,{"ab" * 32},'
        "0123456789abcdef,train",
    ]


def test_a_tree_without_a_manifest(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None


def test_further_columns_do_not_matter(tmp_path: Path) -> None:
    line = ",".join(["note", *BARE.cells()])
    (tmp_path / MANIFEST).write_text(f"\ufeffmore,{HEADER}\n{line}\n", encoding="utf-8")
    assert read_manifest(tmp_path) == {BARE.path: BARE}


def cells(**changed: str) -> str:
    values = dict(zip(COLUMNS, BARE.cells(), strict=True))
    return ",".join({**values, **changed}.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no column path, patient"),
        ("path,source,label\n", "has no column patient"),
        (f"{HEADER}\na,b\n", "line 2: it has not as many cells as the first line"),
        (f"{HEADER}\n{cells()},more\n", "line 2: it has not as many cells as the first line"),
        (f"{HEADER}\n{cells()}\n{cells()}\n", "line 3: 'normal/ä.png' is listed twice"),
        (f"{HEADER}\n{cells(path='')}\n", "line 2: '' is no path below the root"),
        (f"{HEADER}\n{cells(path='/etc/x.png')}\n", "'/etc/x.png' is no path below the root"),
        (f"{HEADER}\n{cells(path='a/../../x.png')}\n", "'a/../../x.png' is no path below the root"),
        (f"{HEADER}\n{cells(path=WINDOWS)}\n", "is no path below the root, with forward slashes"),
        (f"{HEADER}\n{cells(split='dev')}\n", "the split 'dev' is none of train, val, test"),
        (f"{HEADER}\n{cells(width='wide')}\n", "'wide' is no width"),
        (f"{HEADER}\n{cells(phash='xyz')}\n", "'xyz' is no phash"),
        (f"{HEADER}\n{cells(**{'class': ''})}\n", "the cell of class is empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_manifest(tmp_path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / MANIFEST))
    assert str(caught.value).endswith("to have the tree read by its folders.")


def test_a_manifest_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"cannot be read \('utf-8' codec"):
        read_manifest(tmp_path)
