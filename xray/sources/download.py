"""Datasets from a local path, from Kaggle or from a server."""

from collections.abc import Callable
from pathlib import Path

from xray.errors import DataError
from xray.sources.base import About
from xray.transfer.archive import extract
from xray.transfer.fetch import fetch


def obtain_local(path: str, work: Path) -> Path:
    """Return a folder, or unpack an archive.

    Args:
        path: Path of a folder or archive; "~" is the home directory.
        work: Folder for the unpacked files.

    Raises:
        XrayError: `path` does not exist, or the archive cannot be unpacked.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise DataError(f"path={path} does not exist. Pass path=<archive or folder>.")
    return extract(place, work / "unpacked")


def obtain_url(url: str, path: str | None, about: About, downloads: Path, work: Path) -> Path:
    """Download and unpack an archive, unless a local path is given.

    Args:
        url: URL of the archive.
        path: Path of a local folder or archive.
        about: Description of the dataset.
        downloads: Folder in which the archive is stored; it is downloaded once.
        work: Folder for the unpacked files.

    Raises:
        XrayError: The archive cannot be downloaded or unpacked.
    """
    if path is not None:
        return obtain_local(path, work)
    name = "-".join(url.partition("://")[2].split("/")[1:])
    return extract(fetch(url, downloads / name, page=about.page), work / "unpacked")


def obtain_kaggle(
    handle: str, path: str | None, about: About, work: Path, *, competition: bool = False
) -> Path:
    """Download a dataset or the files of a competition from Kaggle, unless a local path is given.

    kagglehub stores downloads in its own cache (KAGGLEHUB_CACHE).

    Args:
        handle: "owner/dataset", or the name of a competition.
        path: Path of a local folder or archive.
        about: Description of the dataset.
        work: Folder for the unpacked files of a local archive.
        competition: Whether `handle` is a competition, whose rules must be accepted first.

    Raises:
        XrayError: kagglehub is not installed, or the download fails; the message names the
            download page.
    """
    if path is not None:
        return obtain_local(path, work)
    by_hand = f"Or download it by hand from {about.page}, and pass path=<archive or folder>."
    try:
        import kagglehub
    except ImportError as error:
        raise DataError(
            f"{about.title} is downloaded with kagglehub, which is not installed: "
            f"pip install -e '.[kaggle]'. {by_hand}"
        ) from error
    download: Callable[[str], str] = (
        kagglehub.competition_download if competition else kagglehub.dataset_download
    )
    try:
        return Path(download(handle))
    # Without a network, a login or accepted rules, kagglehub raises errors of several libraries.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(
            f"{about.title} cannot be downloaded from Kaggle ({reason}). Check the network and "
            f"the login (kagglehub.login()). {by_hand}"
        ) from error
