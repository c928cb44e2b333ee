from pathlib import Path

import pytest

from xray.data.table import read_table
from xray.errors import DataError


def write(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "path,note\na.png,one\nb c.png,\n",
        "path;note\r\na.png;one\r\nb c.png;\r\n",
        "path\tnote\na.png\tone\nb c.png\t\n",
        "path, note\na.png, one\nb c.png,\n",
        'path, note\n"a.png", "one"\n"b c.png", ""\n',
        "\ufeff Path ,note\n a.png , one \n\nb c.png,\n,\n",
    ],
    ids=["comma", "semicolon", "tab", "comma and space", "quoted", "mark, case, spaces, blanks"],
)
def test_separators_and_spaces(tmp_path: Path, text: str) -> None:
    table = read_table(write(tmp_path, text), ("path",))
    assert table.columns == ("path", "note")
    assert [cells for _, cells in table.rows] == [
        {"path": "a.png", "note": "one"},
        {"path": "b c.png", "note": ""},
    ]
    assert table.ragged == ()


def test_a_semicolon_in_a_cell_does_not_separate(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "path,note\na;b.png,x;y;z\n"), ("path",))
    assert table.rows == [(2, {"path": "a;b.png", "note": "x;y;z"})]


def test_line_numbers_count_blank_lines_and_lines_in_quotes(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, 'path,note\n\na,"x\ny"\nb,z,z\n'), ("path",))
    assert [line for line, _ in table.rows] == [4, 5]
    assert table.ragged == (5,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no column 'path'; its columns are: none"),
        ("file;note\n", r"no column 'path'; its columns are: file, note"),
        ("path,note,Path\n", r"the column 'path' 2 times"),
        ("path,note,note,note\n", r"the column 'note' 3 times"),
    ],
)
def test_header_errors(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_table(write(tmp_path, text), ("path",))
    assert str(tmp_path / "list.csv") in str(caught.value)


def test_columns_without_a_name_may_repeat(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, "path,,\na,,\n"), ("path",)).rows[0][1]["path"] == "a"


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        read_table(tmp_path / "list.csv", ())
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "none.csv", ())
