"""From a local path, Kaggle or a server to a folder."""

from collections.abc import Callable
from pathlib import Path

from xray.errors import DataError
from xray.sources.base import About
from xray.transfer.archive import extract
from xray.transfer.fetch import fetch


def obtain_local(path: str, work: Path) -> Path:
    """Take a folder as it is, and unpack an archive.

    Args:
        path: Of a folder or of an archive; "~" is the home directory.
        work: Where an archive is unpacked.

    Raises:
        XrayError: There is nothing at `path`, or it is an archive that cannot be unpacked.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise DataError(f"path={path}: there is nothing. Pass path=<archive or folder>.")
    return extract(place, work / "unpacked")


def obtain_url(url: str, path: str | None, about: About, downloads: Path, work: Path) -> Path:
    """Download an archive, once, unless a local path is given, and unpack it.

    Raises:
        XrayError: It is not to be had, or cannot be unpacked.
    """
    if path is not None:
        return obtain_local(path, work)
    name = "-".join(url.partition("://")[2].split("/")[1:])
    return extract(fetch(url, downloads / name, page=about.page), work / "unpacked")


def obtain_kaggle(
    handle: str, path: str | None, about: About, work: Path, *, competition: bool = False
) -> Path:
    """Download a dataset or the files of a competition from Kaggle, unless a local path is given.

    kagglehub keeps what it downloads in a cache of its own (KAGGLEHUB_CACHE).

    Args:
        handle: "owner/dataset", or a competition's name.
        path: Of a local folder or archive.
        about: Of the dataset.
        work: Where a local archive is unpacked.
        competition: Whether `handle` is a competition, whose rules must be accepted before.

    Raises:
        XrayError: kagglehub is not installed, or it cannot download; the message names the page.
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
    # What it raises without a network, a login or an accepted rule is of many libraries.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(
            f"{about.title} cannot be downloaded from Kaggle ({reason}). Check the network and "
            f"the login (kagglehub.login()). {by_hand}"
        ) from error
