from xray.integrity.memo import kept


def test_found_once_for_each_key_and_again_where_the_store_is_damaged(tmp_path, caplog):
    store, sought = tmp_path / "new" / "found.json", []

    def find():
        sought.append(len(sought))
        return [(1, "a", 0.5), (2, "b", True)]

    assert kept(store, {"files": "x"}, find) == kept(store, {"files": "x"}, find)
    assert sought == [0]
    kept(store, {"files": "y"}, find)
    assert sought == [0, 1]
    store.write_text('{"key": ')
    assert kept(store, {"files": "y"}, find) == [(1, "a", 0.5), (2, "b", True)]
    assert sought == [0, 1, 2]
    assert "is damaged" in caplog.text
    assert [path.name for path in store.parent.iterdir()] == ["found.json"]


def test_nothing_is_kept_without_a_place_for_it(tmp_path, caplog):
    assert kept(None, {}, lambda: [(1,)]) == [(1,)]
    (tmp_path / "file").touch()
    assert kept(tmp_path / "file" / "found.json", {}, lambda: [(1,)]) == [(1,)]
    assert "cannot be written" in caplog.text
