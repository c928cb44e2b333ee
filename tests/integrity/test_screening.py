import shutil

from made_images import write_image

from xray.integrity import screening as module
from xray.integrity.duplicates import Pair, find_duplicates
from xray.integrity.screening import screen, unscreened


def test_pairs_are_searched_again_only_after_a_file_changed(tmp_path, monkeypatch):
    searches = []

    def spy(index, read):
        searches.append(len(index.paths))
        return find_duplicates(index, read)

    monkeypatch.setattr(module, "find_duplicates", spy)
    root = tmp_path / "set"
    paths = [write_image(root / f"{i}.png", seed=i) for i in range(3)]
    shutil.copy(paths[0], paths[2])
    first, again = (screen(paths, root, tmp_path / "store") for _ in range(2))
    assert first.pairs == again.pairs == [Pair(0, 2, 1.0, True)]
    assert searches == [3]
    write_image(paths[2], seed=9, size=41)
    assert screen(paths, root, tmp_path / "store").pairs == []
    assert searches == [3, 3]


def test_screening_of_some_of_the_files(tmp_path):
    paths = [write_image(tmp_path / f"{i}.png", seed=i) for i in range(4)]
    shutil.copy(paths[1], paths[3])
    paths[0].write_bytes(b"")
    whole = screen(paths, tmp_path, None)
    part = whole.only([3, 0, 1])
    assert part.index.paths == [paths[3], paths[0], paths[1]]
    assert list(part.index.problems) == [1]
    assert part.index.usable().tolist() == [0, 2]
    assert [(pair.first, pair.second) for pair in part.pairs] == [(2, 0)]
    assert whole.only([0, 1]).pairs == []


def test_unscreened_files_have_no_findings(tmp_path):
    empty = unscreened([tmp_path / "a.png", tmp_path / "b.png"])
    assert len(empty.index.rows) == 2
    assert empty.index.problems == {}
    assert empty.pairs == []
