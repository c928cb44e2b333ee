import pytest

from xray import restore
from xray.errors import RunError


def test_a_damaged_checkpoint_is_named(tmp_path):
    path = tmp_path / "best.ckpt"
    path.write_bytes(b"half")
    with pytest.raises(RunError, match=r"best\.ckpt is no checkpoint"):
        restore.load_classifier(path)
