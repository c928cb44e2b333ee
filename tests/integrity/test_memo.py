from xray.integrity.memo import memoize


def test_result_is_computed_once_per_key_and_after_damage(tmp_path, caplog):
    store, calls = tmp_path / "new" / "found.json", []

    def find():
        calls.append(len(calls))
        return [(1, "a", 0.5), (2, "b", True)]

    assert memoize(store, {"files": "x"}, find) == memoize(store, {"files": "x"}, find)
    assert calls == [0]
    memoize(store, {"files": "y"}, find)
    assert calls == [0, 1]
    store.write_text('{"key": ')
    assert memoize(store, {"files": "y"}, find) == [(1, "a", 0.5), (2, "b", True)]
    assert calls == [0, 1, 2]
    assert "is damaged" in caplog.text
    assert [path.name for path in store.parent.iterdir()] == ["found.json"]


def test_nothing_is_stored_without_a_writable_file(tmp_path, caplog):
    assert memoize(None, {}, lambda: [(1,)]) == [(1,)]
    (tmp_path / "file").touch()
    assert memoize(tmp_path / "file" / "found.json", {}, lambda: [(1,)]) == [(1,)]
    assert "cannot be written" in caplog.text
