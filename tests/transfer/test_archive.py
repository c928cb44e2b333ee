import bz2
import gzip
import io
import lzma
import random
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from xray.errors import ArchiveError
from xray.transfer import archive as module
from xray.transfer.archive import Limits, extract

PIXELS = random.Random(0).randbytes(4000)
GOOD = {
    "set/train/NORMAL/a.png": PIXELS[:3000],
    "set/train/NORMAL/b.png": b"",
    "set/Übersicht.txt": b"text",
}

Entry = zipfile.ZipInfo | str


def make_zip(path: Path, members: Iterable[tuple[Entry, bytes]], **options) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in members:
            archive.writestr(entry, content, **options)
    return path


def tar_entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, **fields) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size = kind, size
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry


def make_tar(path: Path, members: Iterable[tuple[str, bytes]], mode: str = "w") -> Path:
    return tar_of(path, [(tar_entry(n, size=len(c)), c) for n, c in members], mode)


def tar_of(path: Path, members: Iterable[tuple[tarfile.TarInfo, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for entry, content in members:
            archive.addfile(entry, io.BytesIO(content))
    return path


MAKERS: dict[str, Callable[[Path, Iterable[tuple[str, bytes]]], Path]] = {
    ".zip": make_zip,
    ".tar": make_tar,
    ".tar.gz": lambda path, members: make_tar(path, members, "w:gz"),
    ".tar.bz2": lambda path, members: make_tar(path, members, "w:bz2"),
    ".tar.xz": lambda path, members: make_tar(path, members, "w:xz"),
}


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "data" / "set"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refusal(archive: Path, folder: Path, **options) -> str:
    """Return the message of a refused archive, after checking that no file was written."""
    before = contents(archive.parent)
    with pytest.raises(ArchiveError) as caught:
        extract(archive, folder, **options)
    assert not folder.parent.exists() or not any(folder.parent.iterdir())
    assert contents(archive.parent) == before
    message = str(caught.value)
    assert message.startswith(str(archive))
    return message


# Archives that are unpacked


@pytest.mark.parametrize("suffix", MAKERS)
def test_good_archive(tmp_path, folder, suffix):
    archive = MAKERS[suffix](tmp_path / f"set{suffix}", GOOD.items())
    # The format is determined by the content, not the suffix.
    archive = archive.rename(tmp_path / "download")
    assert extract(archive, folder) == folder
    assert contents(folder) == GOOD
    assert [path.name for path in folder.parent.iterdir()] == ["set"]


def test_folder_is_returned_unchanged(tmp_path, folder):
    assert extract(tmp_path, folder) == tmp_path
    assert not folder.exists()


def test_folders_and_dots(tmp_path, folder):
    entries = [("./", tarfile.DIRTYPE), ("./empty", tarfile.DIRTYPE), ("./empty", tarfile.DIRTYPE)]
    members = [(tar_entry(name, kind), b"") for name, kind in entries]
    extract(tar_of(tmp_path / "a.tar", [*members, (tar_entry("./x", size=2), b"xy")]), folder)
    assert contents(folder) == {"x": b"xy"}
    assert (folder / "empty").is_dir()


def test_metadata_of_macos_is_left_out(tmp_path, folder):
    extraneous = ["__MACOSX/set/._a.png", "__MACOSX/", "set/.DS_Store", "set/._a.png"]
    members = [*GOOD.items(), *((name, b"") for name in extraneous)]
    extract(make_zip(tmp_path / "a.zip", members), folder)
    assert contents(folder) == GOOD
    assert not list(folder.rglob("__MACOSX"))


def test_archive_in_the_archive_is_not_unpacked(tmp_path, folder):
    inner = make_zip(tmp_path / "inner.zip", GOOD.items()).read_bytes()
    # It is stored at the end, where the directory of a zip archive would be.
    extract(make_tar(tmp_path / "a.tar", [("inner.zip", inner)]), folder)
    assert contents(folder) == {"inner.zip": inner}


def test_executable_bits_are_not_restored(tmp_path, folder):
    entry = tar_entry("run.sh", size=2, mode=0o4777)
    extract(tar_of(tmp_path / "a.tar", [(entry, b"hi")]), folder)
    assert not (folder / "run.sh").stat().st_mode & (stat.S_IXUSR | stat.S_ISUID)


def test_empty_folder_is_filled_and_other_folders_are_not_changed(tmp_path, folder):
    archive = make_zip(tmp_path / "a.zip", GOOD.items())
    folder.mkdir(parents=True)
    extract(archive, folder)
    with pytest.raises(ArchiveError, match=r"set already exists\. Delete it"):
        extract(archive, folder)
    assert contents(folder) == GOOD


# Archives that are refused

ESCAPES = {
    "../evil": "leads out of the folder",
    "a/../../evil": "leads out of the folder",
    "/tmp/evil": "has an absolute path",
    "C:/evil": "a name that is another path on Windows",
    "a/C:evil": "a name that is another path on Windows",
    "..\\evil": "a name that is another path on Windows",
    "\\\\host\\evil": "a name that is another path on Windows",
    "a\x1b[2Jb": "has control characters",
    "x" * 256: "a name that is too long",
    "x/" * 600 + "x": "a name that is too long",
}


@pytest.mark.parametrize("maker", [make_zip, make_tar])
@pytest.mark.parametrize("name", ESCAPES, ids=range(len(ESCAPES)))
def test_escape(tmp_path, folder, maker, name):
    archive = maker(tmp_path / "a", [("good", b"good"), (name, b"evil")])
    message = refusal(archive, folder)
    assert ESCAPES[name] in message
    assert repr(name) in message
    assert "pass path=<that folder> to xray.prepare" in message


@pytest.mark.parametrize("maker", [make_zip, make_tar])
@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("a", "a"), "has the same path as another member"),
        (("a", "a/b"), "has the same path as another member"),
        (("a/b", "a"), "has the same path as another member"),
        (("x", "."), "has the same path as another member"),
        (("Scan.png", "scan.PNG"), "would overwrite Scan.png"),
        (("A/1.png", "a/2.png"), "would overwrite A on file systems that ignore case"),
        (("\u00e4", "a\u0308"), "would overwrite"),
        (("a", "a. "), "would overwrite"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_with_one_path(tmp_path, folder, maker, names, words):
    archive = maker(tmp_path / "a", [(name, b"x") for name in names])
    assert words in refusal(archive, folder)


def test_null_byte_in_a_zip_name(tmp_path, folder):
    archive = make_zip(tmp_path / "a.zip", [("a.pngX.exe", b"x")])
    archive.write_bytes(archive.read_bytes().replace(b"a.pngX", b"a.png\0"))
    assert "has control characters" in refusal(archive, folder)


def test_tar_name_that_is_not_utf8(tmp_path, folder):
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tar_entry("caf\udce9"))
    assert "not UTF-8" in refusal(tmp_path / "a.tar", folder)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.CHRTYPE, "is a device or a pipe"),
        (tarfile.BLKTYPE, "is a device or a pipe"),
        (tarfile.FIFOTYPE, "is a device or a pipe"),
    ],
)
def test_tar_member_that_is_not_a_file(tmp_path, folder, kind, words):
    entry = tar_entry("member", kind, linkname="/etc")
    archive = tar_of(tmp_path / "a.tar", [(entry, b""), (tar_entry("member/x", size=1), b"x")])
    assert f"'member' {words}" in refusal(archive, folder)


@pytest.mark.parametrize(
    ("mode", "words"), [(stat.S_IFLNK, "is a link"), (stat.S_IFIFO, "is a device or a pipe")]
)
def test_zip_member_that_is_not_a_file(tmp_path, folder, mode, words):
    entry = zipfile.ZipInfo("member")
    entry.external_attr = (mode | 0o777) << 16
    assert words in refusal(make_zip(tmp_path / "a.zip", [(entry, b"/etc")]), folder)


def test_encrypted_zip(tmp_path, folder):
    archive = make_zip(tmp_path / "a.zip", [("a", b"x")])
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(content)
    assert "'a' is encrypted" in refusal(archive, folder)


def test_zip_method_without_bounded_memory(tmp_path, folder):
    archive = make_zip(tmp_path / "a.zip", [("a", b"x")], compress_type=zipfile.ZIP_BZIP2)
    assert "unsupported compression method" in refusal(archive, folder)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.xz"])
@pytest.mark.parametrize("name", ["zeros", "._metadata"])
def test_bomb(tmp_path, folder, suffix, name):
    archive = MAKERS[suffix](tmp_path / f"a{suffix}", [(name, bytes(12_000_000))])
    assert "more than 100 times the size of the archive" in refusal(archive, folder)


def test_bomb_with_a_wrong_size_in_its_header(tmp_path, folder):
    archive = make_zip(tmp_path / "a.zip", [("zeros", bytes(100_000))])
    true, false = (n.to_bytes(4, "little") for n in (100_000, 10))
    archive.write_bytes(archive.read_bytes().replace(true, false))
    assert "Bad CRC-32" in refusal(archive, folder)


@pytest.mark.parametrize("suffix", MAKERS)
def test_limits(tmp_path, folder, suffix):
    archive = MAKERS[suffix](tmp_path / f"a{suffix}", [("a", PIXELS), ("b", PIXELS)])
    message = refusal(archive, folder, limits=Limits(size=7999))
    assert "'b' exceeds the limit of 8.0 kB" in message
    message = refusal(archive, folder, limits=Limits(members=1))
    assert "'b' exceeds the limit of 1 files and folders" in message
    extract(archive, folder, limits=Limits(size=8000, members=2))


def test_parent_folders_count(tmp_path, folder):
    archive = make_zip(tmp_path / "a.zip", [("1/2/3/x", b"x")])
    assert "exceeds the limit of 3 files" in refusal(archive, folder, limits=Limits(members=3))
    extract(archive, folder, limits=Limits(members=4))


def test_tar_header_that_is_too_large(tmp_path, folder):
    entry = tar_entry("x", tarfile.GNUTYPE_LONGNAME, size=2**21)
    archive = tar_of(tmp_path / "a.tar.gz", [(entry, b"x" * 2**21)], "w:gz")
    assert "impossible size" in refusal(archive, folder)


def test_tar_member_of_negative_size(tmp_path, folder):
    header = bytearray(tar_entry("x").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + b"\xfe\x00"
    header[148:156] = b"%06o\0 " % tarfile.calc_chksums(header)[0]
    archive = tmp_path / "a.tar"
    archive.write_bytes(make_tar(archive, [("a", b"")]).read_bytes()[:512] + header + bytes(1024))
    assert "impossible size" in refusal(archive, folder)


# Damaged archives


@pytest.mark.parametrize("suffix", MAKERS)
def test_truncated_anywhere(tmp_path, folder, suffix):
    archive = MAKERS[suffix](tmp_path / f"a{suffix}", GOOD.items())
    whole = archive.read_bytes()
    # A plain tar archive may end after one block of zeros; the rest is padding.
    end = len(whole) if suffix != ".tar" else whole.rindex(b"text") + 512
    for cut in range(0, end, max(1, end // 40)):
        archive.write_bytes(whole[:cut])
        assert "Download it again" in refusal(archive, folder)


@pytest.mark.parametrize("suffix", MAKERS)
def test_flipped_bits_are_found_or_harmless(tmp_path, folder, suffix):
    archive = MAKERS[suffix](tmp_path / f"a{suffix}", GOOD.items())
    whole = archive.read_bytes()
    draw = random.Random(1)
    found = 0
    for number in range(150):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        archive.write_bytes(damaged)
        target = folder / str(number)
        try:
            extract(archive, target)
        except ArchiveError:
            found += 1
            assert not target.exists()
    assert not list(folder.glob(".*"))
    # A plain tar archive has checksums of its headers only.
    assert found > (2 if suffix == ".tar" else 100)


def test_damaged_end_of_a_compressed_tar(tmp_path, folder):
    plain = make_tar(tmp_path / "plain.tar", GOOD.items()).read_bytes()
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(plain)[:-8] + bytes(8))
    assert "CRC check failed" in refusal(archive, folder)
    archive.write_bytes(gzip.compress(plain + bytes(2**21)))
    assert "continues after its end" in refusal(archive, folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>Please log in</html>" * 99, b"Rar!\x1a\7\1\0", b"7z\xbc\xaf\x27\x1c", b"PK\3\4"]
    + [pack(b"no tar") for pack in (gzip.compress, bz2.compress, lzma.compress)],
    # The bytes of gzip contain the time, which differs between test processes.
    ids=["empty", "html", "rar", "7z", "zip", "gz", "bz2", "xz"],
)
def test_file_that_is_not_an_archive(tmp_path, folder, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    assert "not a zip or tar archive" in refusal(archive, folder)


@pytest.mark.parametrize("maker", [make_zip, make_tar])
def test_archive_without_a_file(tmp_path, folder, maker):
    assert "contains no file" in refusal(maker(tmp_path / "a", []), folder)
    assert "contains no file" in refusal(maker(tmp_path / "a", [("._a", b"")]), folder)


def test_missing_archive(tmp_path, folder):
    assert "cannot be opened (No such file" in refusal(tmp_path / "none.zip", folder)


# Writing


def test_interrupted_extraction_leaves_nothing(tmp_path, folder, monkeypatch):
    archive = make_zip(tmp_path / "a.zip", GOOD.items())

    def interrupt(*_: object) -> None:
        assert any(folder.parent.rglob("a.png"))
        raise KeyboardInterrupt

    monkeypatch.setattr(module._Extraction, "_spend", interrupt)
    with pytest.raises(KeyboardInterrupt):
        extract(archive, folder)
    assert not any(folder.parent.iterdir())


def test_folder_that_cannot_be_created(tmp_path, folder):
    folder.parent.write_text("a file")
    with pytest.raises(ArchiveError, match=r"set cannot be written .*Free some space"):
        extract(make_zip(tmp_path / "a.zip", GOOD.items()), folder)
