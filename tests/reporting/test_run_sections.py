"""The parts of a report that describe the data."""

import json

import pytest

from xray.reporting.page import Facts
from xray.reporting.run_sections import audit_result
from xray.runs.run import read_run

AUDIT = {"verdict": "clean", "skipped": 3, "unknown_patients": 0, "remaining": 0}


@pytest.fixture
def facts(tmp_path):
    """Read the facts that a report shows for an entry "audit" of data.json."""

    def read(audit):
        (tmp_path / "data.json").write_text(json.dumps({"audit": audit}))
        (shown,) = (block for block in audit_result(read_run(tmp_path)) if isinstance(block, Facts))
        return dict(shown.pairs)

    return read


def test_files_that_are_not_used_are_counted(facts):
    unused = {"masks": 1234, "outside": 2, "unread": {"": 1, ".gif": 5}}
    shown = facts(AUDIT | {"extraneous": unused})
    assert shown["Unreadable files skipped"] == "3"
    assert shown["Masks skipped"] == "1,234"
    assert shown["Images outside the class folders"] == "2"
    assert shown["Image files not read"] == "without extension: 1, .gif: 5"
    none = facts(AUDIT | {"extraneous": {"masks": 0, "outside": 0, "unread": {}}})
    assert (none["Masks skipped"], none["Image files not read"]) == ("0", "none")


def test_older_runs_did_not_count_them(facts):
    assert "Masks skipped" not in facts(AUDIT)
