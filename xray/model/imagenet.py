"""torchvision's ImageNet weights, as a verified file in torch.hub's cache."""

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

_REACH_SECONDS = 4.0
_STALL_SECONDS = 30.0


class WeightsUnavailableError(WeightsError):
    """The weights are neither in the cache nor to be had from the network."""


def imagenet_url(name: str) -> str:
    """Return where torchvision's `IMAGENET1K_V1` weights of a backbone lie.

    V1 for resnet50 too, though V2 classifies ImageNet better: V2 was trained with label smoothing
    and mixup, and such regularisers make frozen features transfer worse (Kornblith et al. 2019,
    arXiv:1805.08974).

    Args:
        name: One of `xray.model.backbone.BACKBONES`.

    Returns:
        A URL that ends in `<file>-<first digits of its SHA-256>.pth`.
    """
    url: str = get_model_weights(name)["IMAGENET1K_V1"].url
    return url


def imagenet_file(name: str) -> Path:
    """Find a backbone's ImageNet weights in torch.hub's cache, or download them into it.

    Args:
        name: One of `xray.model.backbone.BACKBONES`.

    Returns:
        The file, whose SHA-256 agrees with its name.

    Raises:
        WeightsUnavailableError: It is not in the cache and cannot be downloaded.
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
            f"{path} is damaged: its SHA-256 should begin with {digits}, as its name says. "
            "Delete it, and it will be downloaded again."
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
            f"  sought: {path}\n"
            f"  from:   {url}\n"
            "Connect to the network; or download that file on another machine and put it there by "
            "hand; or choose model.weights=auto (random weights where none are found), "
            "model.weights=random, or model.weights=<file> (.safetensors, .pth)."
        ) from error


def _reach(url: str) -> None:
    """Fail within seconds where there is no network.

    A connection is tried to each address of the host in turn, each for the whole timeout, so the
    one that suits a slow download would hold up an offline run for minutes.
    """
    try:
        with urlopen(Request(url, method="HEAD"), timeout=_REACH_SECONDS):
            pass
    except HTTPError as error:
        # The host is there; what it thinks of the file, the download will tell.
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
