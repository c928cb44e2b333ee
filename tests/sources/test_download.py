"""Downloads of datasets, and their errors, without a network."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from made_up import lay, pack

from xray.errors import DataError, FetchError
from xray.sources import download as obtain
from xray.sources import pneumonia_mnist
from xray.sources.covid_chestxray import CovidChestxray
from xray.sources.download import obtain_local
from xray.sources.kermany import Kermany
from xray.sources.pneumonia_mnist import PneumoniaMnist
from xray.sources.rsna import Rsna

BY_HAND = (
    "Or download it by hand from https://www.kaggle.com/datasets/paultimothymooney/"
    "chest-xray-pneumonia, and pass path=<archive or folder>."
)


def kagglehub(monkeypatch: pytest.MonkeyPatch, **functions: object) -> None:
    module = ModuleType("kagglehub")
    module.__dict__.update(functions)
    monkeypatch.setitem(sys.modules, "kagglehub", module)


def test_kaggle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    requests = []

    def download(handle: str) -> str:
        requests.append(handle)
        return str(tmp_path)

    kagglehub(monkeypatch, dataset_download=download, competition_download=download)
    assert Kermany().open(tmp_path / "d", tmp_path / "w") == tmp_path
    assert Rsna().open(tmp_path / "d", tmp_path / "w") == tmp_path
    assert requests == [
        "paultimothymooney/chest-xray-pneumonia",
        "rsna-pneumonia-detection-challenge",
    ]


def test_without_kagglehub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(DataError) as caught:
        Kermany().open(tmp_path, tmp_path)
    assert "which is not installed: pip install -e '.[kaggle]'. " + BY_HAND in str(caught.value)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError("no route\nto host"), "no route to host"), (KeyError(), "KeyError")],
)
def test_without_a_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, reason: str
) -> None:
    def download(handle: str) -> str:
        raise error

    kagglehub(monkeypatch, dataset_download=download)
    with pytest.raises(DataError) as caught:
        Kermany().open(tmp_path, tmp_path)
    assert f"cannot be downloaded from Kaggle ({reason}). Check the network" in str(caught.value)
    assert BY_HAND in str(caught.value)


def test_local_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"path=.*gone does not exist"):
        obtain_local(str(tmp_path / "gone"), tmp_path)
    assert obtain_local(str(tmp_path), tmp_path) == tmp_path
    archive = pack(tmp_path / "a.zip", {"x/y.txt": b"z"})
    unpacked = obtain_local(str(archive), tmp_path / "work")
    assert (unpacked / "x" / "y.txt").read_bytes() == b"z"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert obtain_local("~", tmp_path) == tmp_path


def test_archive_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = []

    def fetch(url: str, target: Path, *, page: str) -> Path:
        requests.append((url, page))
        target.parent.mkdir(parents=True, exist_ok=True)
        return pack(target, {"top/metadata.csv": b"", "top/images/a.png": b""})

    monkeypatch.setattr(obtain, "fetch", fetch)
    folder = CovidChestxray().open(tmp_path / "downloads", tmp_path / "work")
    assert (folder / "top" / "metadata.csv").is_file()
    assert folder.is_relative_to(tmp_path / "work")
    assert requests == [
        (
            "https://github.com/ieee8023/covid-chestxray-dataset/archive/refs/heads/master.zip",
            "https://github.com/ieee8023/covid-chestxray-dataset",
        )
    ]
    [kept] = (tmp_path / "downloads").iterdir()
    assert kept.name == "ieee8023-covid-chestxray-dataset-archive-refs-heads-master.zip"


def test_download_page_is_named_without_a_network(tmp_path: Path) -> None:
    """Connect to a closed port of this machine instead of a server."""
    page = CovidChestxray.about.page
    with pytest.raises(FetchError, match=page):
        obtain.obtain_url(
            "https://127.0.0.1:9/a.zip", None, CovidChestxray.about, tmp_path, tmp_path
        )


def test_wrong_md5_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = []

    def fetch(url: str, target: Path, *, page: str) -> Path:
        requests.append(url)
        target.write_bytes(b"something else")
        return target

    monkeypatch.setattr(pneumonia_mnist, "fetch", fetch)
    with pytest.raises(DataError, match=r"was not the published file \(MD5 [0-9a-f]{32}"):
        PneumoniaMnist(resolution=28).open(tmp_path, tmp_path / "work")
    assert requests == ["https://zenodo.org/records/10519652/files/pneumoniamnist.npz?download=1"]
    assert not (tmp_path / "pneumoniamnist.npz").exists()


def test_correct_md5_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # MD5 sum of an empty file (RFC 1321, A.5).
    monkeypatch.setitem(pneumonia_mnist._MD5, 64, "d41d8cd98f00b204e9800998ecf8427e")
    monkeypatch.setattr(pneumonia_mnist, "fetch", lambda url, target, page: target)
    lay(tmp_path, {"pneumoniamnist_64.npz": b""})
    with pytest.raises(DataError, match="does not contain the arrays of PneumoniaMNIST"):
        PneumoniaMnist(resolution=64).open(tmp_path, tmp_path / "work")
