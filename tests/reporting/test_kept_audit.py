import json
import os
from pathlib import Path

import pytest

from xray.reporting.kept_audit import KeptAudit


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
    return KeptAudit(root, settings, tmp_path / "kept").recall(tmp_path / "other")


def test_nothing_is_kept_at_first_and_then_all_of_it(root, run, tmp_path):
    assert recall(root, tmp_path) is None
    KeptAudit(root, {}, tmp_path / "kept").keep(run)
    assert recall(root, tmp_path) == {"verdict": "clean"}
    names = sorted(path.name for path in (tmp_path / "other").rglob("*"))
    assert names == ["audit.json", "class.png", "findings.csv", "montages"]
    assert recall(root, tmp_path, seed=1) is None


def test_any_file_or_folder_that_is_new_or_another_counts(root, run, tmp_path):
    def changed(change):
        KeptAudit(root, {}, tmp_path / "kept").keep(run)
        assert recall(root, tmp_path) is not None
        change()
        return recall(root, tmp_path) is None

    assert changed((root / "covid").mkdir)
    assert changed(lambda: (root / "covid" / ".hidden").write_bytes(b""))
    assert changed(lambda: os.utime(root / "normal" / "a.png", (1, 1)))
    # A link that leads back up, one to nothing, and one to another folder.
    assert changed(lambda: (root / "covid" / "loop").symlink_to(root))
    assert changed(lambda: (root / "covid" / "gone").symlink_to(tmp_path / "nothing"))
    assert changed(lambda: (root / "linked").symlink_to(run))
    assert changed(lambda: (run / "new.png").write_bytes(b""))


def test_what_is_damaged_or_cannot_be_kept_is_said(root, run, tmp_path, caplog):
    kept = KeptAudit(root, {}, tmp_path / "kept")
    kept.keep(run)
    (kept.place / "audit.json").write_text("{")
    assert recall(root, tmp_path) is None
    assert "is damaged" in caplog.text
    (tmp_path / "file").write_text("")
    KeptAudit(root, {}, tmp_path / "file").keep(run)
    assert "cannot be written" in caplog.text


def test_what_a_decoder_or_a_permission_may_mend_is_not_kept(root, run, tmp_path):
    kept = KeptAudit(root, {}, tmp_path / "kept")
    kept.keep(run)
    bad = {"verdict": "clean", "findings": {"bad_file": {"within": 1, "across": 0}}}
    (run / "audit.json").write_text(json.dumps(bad))
    kept.keep(run)
    assert recall(root, tmp_path) is None


def test_a_folder_that_is_closed_counts_as_it_is(root, run, tmp_path, monkeypatch):
    def scandir(folder, opened=os.scandir):
        if Path(folder).name == "lost+found":
            raise PermissionError(13, "Permission denied")
        return opened(folder)

    (root / "lost+found").mkdir()
    monkeypatch.setattr(os, "scandir", scandir)
    KeptAudit(root, {}, tmp_path / "kept").keep(run)
    assert recall(root, tmp_path) is not None
