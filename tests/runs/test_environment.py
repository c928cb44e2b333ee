import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from xray import machine
from xray.runs import environment
from xray.runs.environment import describe_environment, git_state


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    (tmp_path / "code.py").touch()
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    return tmp_path


def test_git_state_of_a_clean_and_a_changed_checkout(checkout):
    clean = git_state(checkout)
    assert clean is not None
    assert clean["dirty"] is False
    assert len(str(clean["commit"])) == 40
    (checkout / "code.py").write_text("1")
    assert git_state(checkout) == {"commit": clean["commit"], "dirty": True}


def test_a_checkout_around_the_source_is_not_its_own(checkout):
    inner = checkout / "site-packages"
    inner.mkdir()
    assert git_state(inner) is None


def test_a_checkout_without_a_commit(tmp_path):
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    assert git_state(tmp_path) is None


def test_no_checkout_and_no_git(tmp_path, monkeypatch):
    assert git_state(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert git_state(tmp_path) is None


def test_environment_names_what_matters():
    before = datetime.now(UTC).replace(microsecond=0)
    found = describe_environment(3, ["python", "x"])
    assert before <= datetime.fromisoformat(found["started"]) <= datetime.now(UTC)
    assert found["seed"] == 3
    assert found["command"] == ["python", "x"]
    assert found["python"] == platform.python_version()
    assert found["packages"]["numpy"] == np.__version__
    assert found["cpu"]["cores"] >= 1


def test_environment_names_the_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda k: f"GPU {k}")
    assert describe_environment(0, [])["gpus"] == ["GPU 0", "GPU 1"]


def test_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(environment, "_PACKAGES", ("no-such-package",))
    assert describe_environment(0, [])["packages"] == {"no-such-package": None}


def test_cpu_model(tmp_path, monkeypatch):
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Fast: One\n")
    monkeypatch.setattr(machine, "_CPU_INFO", info)
    assert describe_environment(0, [])["cpu"]["model"] == "Fast: One"


def test_machine_that_is_not_linux(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CPU_INFO", tmp_path / "none")
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert describe_environment(0, [])["cpu"] == {"model": "arm", "cores": 5}


def test_cpu_without_a_model_name(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("processor: 0\n")
    monkeypatch.setattr(machine, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert describe_environment(0, [])["cpu"]["model"] is None
