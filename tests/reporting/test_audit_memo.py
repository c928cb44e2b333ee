"""The stored audit of a dataset is used until a file or a setting changes."""

import json
import os
from pathlib import Path

import pytest

from xray.reporting.audit_memo import AuditMemo


@pytest.fixture
def root(tmp_path):
    (tmp_path / "set" / "normal").mkdir(parents=True)
    (tmp_path / "set" / "normal" / "a.png").write_bytes(b"a")
    return tmp_path / "set"


@pytest.fixture
def run(tmp_path):
    run = tmp_path / "run"
    (run / "montages").mkdir(parents=True)
    (run / "montages" / "class.png").write_bytes(b"picture")
    (run / "audit.json").write_text('{"verdict": "clean"}')
    (run / "findings.csv").write_text("kind\n")
    return run


def recall(root, tmp_path, **settings):
    return AuditMemo(root, settings, tmp_path / "store").recall(tmp_path / "other")


def test_stored_audit_is_recalled_until_the_settings_change(root, run, tmp_path):
    assert recall(root, tmp_path) is None
    AuditMemo(root, {}, tmp_path / "store").store(run)
    assert recall(root, tmp_path) == {"verdict": "clean"}
    names = sorted(path.name for path in (tmp_path / "other").rglob("*"))
    assert names == ["audit.json", "class.png", "findings.csv", "montages"]
    assert recall(root, tmp_path, seed=1) is None


def test_any_changed_file_or_folder_invalidates_the_stored_audit(root, run, tmp_path):
    def changed(change):
        AuditMemo(root, {}, tmp_path / "store").store(run)
        assert recall(root, tmp_path) is not None
        change()
        return recall(root, tmp_path) is None

    assert changed((root / "covid").mkdir)
    assert changed(lambda: (root / "covid" / ".hidden").write_bytes(b""))
    assert changed(lambda: os.utime(root / "normal" / "a.png", (1, 1)))
    # A link to a parent folder, a broken link, and a link to another folder.
    assert changed(lambda: (root / "covid" / "loop").symlink_to(root))
    assert changed(lambda: (root / "covid" / "gone").symlink_to(tmp_path / "nothing"))
    assert changed(lambda: (root / "linked").symlink_to(run))
    assert changed(lambda: (run / "new.png").write_bytes(b""))


def test_damaged_store_and_failed_write_are_logged(root, run, tmp_path, caplog):
    memo = AuditMemo(root, {}, tmp_path / "store")
    memo.store(run)
    (memo.place / "audit.json").write_text("{")
    assert recall(root, tmp_path) is None
    assert "is damaged" in caplog.text
    (tmp_path / "file").write_text("")
    AuditMemo(root, {}, tmp_path / "file").store(run)
    assert "cannot be written" in caplog.text


def test_audit_with_unreadable_files_is_not_stored(root, run, tmp_path):
    memo = AuditMemo(root, {}, tmp_path / "store")
    memo.store(run)
    bad = {"verdict": "clean", "findings": {"bad_file": {"within": 1, "across": 0}}}
    (run / "audit.json").write_text(json.dumps(bad))
    memo.store(run)
    assert recall(root, tmp_path) is None


def test_folder_without_permission_does_not_prevent_storing(root, run, tmp_path, monkeypatch):
    def scandir(folder, opened=os.scandir):
        if Path(folder).name == "lost+found":
            raise PermissionError(13, "Permission denied")
        return opened(folder)

    (root / "lost+found").mkdir()
    monkeypatch.setattr(os, "scandir", scandir)
    AuditMemo(root, {}, tmp_path / "store").store(run)
    assert recall(root, tmp_path) is not None
