import signal
from pathlib import Path

import pytest
from bad_files import write_bad_files

from xray.errors import ImageError
from xray.imaging.header import read_header
from xray.imaging.read import read_image


@pytest.fixture
def bad_files(tmp_path: Path):
    def stop(*_: object) -> None:
        raise TimeoutError("reading a bad file takes too long")

    # A reader that blocks would block the tests.
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(30)
    yield write_bad_files(tmp_path)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_each_file_is_rejected_with_its_path_and_reason(bad_files):
    assert len(bad_files) >= 30
    for path, reason in bad_files.items():
        with pytest.raises(ImageError) as caught:
            read_image(path)
        assert reason in caught.value.reason, path
        assert str(caught.value).startswith(f"{path} ")
        assert caught.value.advice.endswith((".", "]'"))


def test_reasons_are_specific(bad_files):
    # Each kind of damage has its own message.
    assert len(set(bad_files.values())) >= 25


def test_most_files_are_rejected_by_their_header(bad_files):
    only_by_pixels = {
        *("truncated.png", "truncated.jpg", "checksum.png", "black.png", "white.jpg"),
        *("two_headers.png", "ended.jpg", "resized.jfif", "cut.bmp", "cut.tif"),
        *("cut.dcm", "rle.dcm", "odd.dcm", "blank.dcm", "bits.dcm", "jpeg.dcm"),
    }
    for path, reason in bad_files.items():
        if path.name in only_by_pixels:
            assert min(read_header(path).width, read_header(path).height) >= 32
            continue
        with pytest.raises(ImageError) as caught:
            read_header(path)
        assert reason in caught.value.reason
