"""torchvision's ImageNet weights as a verified file in torch.hub's cache."""

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import torch
from torchvision.models import get_model_weights

from xray.errors import WeightsError
from xray.model.zoo import architecture

_REACH_SECONDS = 4.0
_STALL_SECONDS = 30.0


class WeightsUnavailableError(WeightsError):
    """The weights are not in the cache and cannot be downloaded."""


def imagenet_url(name: str) -> str:
    """Return the URL of torchvision's ImageNet weights of a backbone.

    Args:
        name: A key of `xray.model.zoo.BACKBONES`.

    Returns:
        A URL that ends in `<file>-<first digits of its SHA-256>.pth`.
    """
    url: str = get_model_weights(name)[architecture(name).weights].url
    return url


def imagenet_file(name: str) -> Path:
    """Return a backbone's ImageNet weights from torch.hub's cache; download them if necessary.

    Args:
        name: A key of `xray.model.zoo.BACKBONES`.

    Returns:
        A file whose SHA-256 agrees with its name.

    Raises:
        WeightsUnavailableError: The file is not in the cache and cannot be downloaded.
        WeightsError: The cached file is damaged.
    """
    url = imagenet_url(name)
    file_name = Path(urlsplit(url).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / file_name
    digits = Path(file_name).stem.rpartition("-")[2]
    if not path.exists():
        _download(name, url, path, digits)
    elif not _sha256(path).startswith(digits):
        raise WeightsError(
            f"{path} is damaged: its SHA-256 should begin with {digits}, as in its name. "
            "Delete the file; it is downloaded again."
        )
    return path


def _download(name: str, url: str, path: Path, digits: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _reach(url)
        with _socket_timeout(_STALL_SECONDS):
            torch.hub.download_url_to_file(url, str(path), digits, progress=True)
    except (OSError, HTTPException, RuntimeError, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()
        raise WeightsUnavailableError(
            f"The ImageNet weights of {name} are not in the cache and could not be downloaded "
            f"({error or type(error).__name__}).\n"
            f"  file: {path}\n"
            f"  URL:  {url}\n"
            "Connect to the network; or copy the file to that path from another machine; or choose "
            "model.weights=auto (random weights if none are found), model.weights=random, or "
            "model.weights=<file> (.safetensors, .pth)."
        ) from error


def _reach(url: str) -> None:
    """Fail within seconds without a network.

    Every address of the host is tried for the whole timeout, so the long timeout of a slow download
    would delay an offline run by minutes.
    """
    try:
        with urlopen(Request(url, method="HEAD"), timeout=_REACH_SECONDS):
            pass
    except HTTPError as error:
        # The host is reachable; the download reports problems with the file.
        error.close()


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
