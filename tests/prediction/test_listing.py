"""Images are found in files, folders, lists and tables."""

import os

import pytest
from made_images import write_image

from xray.errors import DataError
from xray.prediction.inputs import distinct, read_inputs, write_inputs
from xray.prediction.listing import list_images


def names(source, **options):
    return [path.name for path in list_images(source, **options)]


def test_a_folder_is_searched_recursively_in_alphabetical_order(tmp_path):
    for name in ("b/2.png", "b/1.JPG", "a/x/3.dcm", "c.png"):
        write_image(tmp_path / "m.png")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((tmp_path / "m.png").read_bytes())
    assert names(tmp_path) == ["3.dcm", "1.JPG", "2.png", "c.png", "m.png"]
    assert all(path.is_absolute() for path in list_images(tmp_path))


def test_content_decides_on_files_without_a_known_suffix(tmp_path):
    image = write_image(tmp_path / "1.png").read_bytes()
    (tmp_path / "1.2.840.113619").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 32)
    (tmp_path / "image").write_bytes(image)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "damaged.png").write_bytes(b"x")
    assert names(tmp_path) == ["1.2.840.113619", "1.png", "damaged.png", "image"]


def test_hidden_files_masks_and_the_output_are_skipped(tmp_path):
    for name in (
        ".hidden.png",
        "._1.png",
        "__MACOSX/1.png",
        "masks/lung/1.png",
        "1_mask.png",
        "out/1.png",
    ):
        write_image(tmp_path / name)
    write_image(tmp_path / "1.png")
    assert names(tmp_path, exclude=tmp_path / "out") == ["1.png"]


def test_a_link_to_a_parent_folder_is_not_followed_forever(tmp_path):
    write_image(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert names(tmp_path) == ["1.png"]


def test_a_single_image_and_a_missing_one(tmp_path):
    image = write_image(tmp_path / "1.png")
    assert list(list_images(image)) == [image]
    with pytest.raises(DataError, match=r"2\.png does not exist"):
        list_images(tmp_path / "2.png")


def test_a_list_refers_to_its_own_folder(tmp_path):
    (tmp_path / "list.txt").write_text("\ufeffa/1.png\n\n  2.png \n/elsewhere/3.png\n")
    found = [str(path) for path in list_images(tmp_path / "list.txt")]
    assert found == [f"{tmp_path}/a/1.png", f"{tmp_path}/2.png", "/elsewhere/3.png"]


@pytest.mark.parametrize(
    "text",
    [
        "path,label\n1.png,x\n2.png,y\n",
        "id;Filename\n1;1.png\n2;2.png\n",
        "\ufeffimage\n1.png\n\n2.png\n",
        'a\tpath\n"x,y"\t1.png\nz\t2.png\n',
    ],
)
def test_tables_of_several_dialects(tmp_path, text):
    (tmp_path / "table.csv").write_text(text)
    assert names(tmp_path / "table.csv") == ["1.png", "2.png"]


def test_a_table_without_paths_names_its_columns(tmp_path):
    (tmp_path / "table.csv").write_text("id,label\n1,x\n")
    with pytest.raises(DataError, match=r"columns are: id, label\. Expected one of: path"):
        list(list_images(tmp_path / "table.csv"))


def test_the_list_of_inputs_is_distinct_and_complete(tmp_path):
    odd = tmp_path / 'line\nbreak, "quotes".png'
    raw = tmp_path / os.fsdecode(b"caf\xe9.png")
    paths = [odd, raw, odd, tmp_path / "3.png"]
    count, digest = write_inputs(tmp_path / "inputs.csv", paths)
    assert count == 3
    assert list(read_inputs(tmp_path / "inputs.csv")) == [odd, raw, tmp_path / "3.png"]
    assert list(read_inputs(tmp_path / "inputs.csv", 2)) == [tmp_path / "3.png"]
    assert write_inputs(tmp_path / "other.csv", distinct(paths)) == (3, digest)
    assert write_inputs(tmp_path / "other.csv", paths[1:])[1] != digest
