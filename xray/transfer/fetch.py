"""Download a file completely and verified, or not at all.

pooch is not used: its downloader cannot resume, follows redirects to http, and has no limit for the
size, so only its comparison of checksums would remain.
"""

import hashlib
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from rich.filesize import decimal

from xray.errors import FetchError
from xray.transfer.bar import byte_bar
from xray.transfer.request import Answer, InterruptionError, RefusalError, request

log = logging.getLogger(__name__)

_PAUSES_S = (1.0, 4.0, 15.0)


def fetch(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    page: str | None = None,
    allow_http_to: frozenset[str] = frozenset(),
) -> Path:
    """Download a file, unless it exists.

    The file is written to `<target>.part` and renamed when it is complete and verified;
    `<target>.part.etag` identifies the version on the server. An interrupted download is resumed
    by the next call if that version is unchanged, by its ETag or date, or else by `sha256`.

    Args:
        url: URL with https. Redirects must lead to https as well.
        target: Path of the file; its folder is created.
        sha256: SHA-256 of the file, hexadecimal; None: not verified.
        size: Size of the file, bytes; None: the size that the server announces.
        page: Web page of the file, for the error message.
        allow_http_to: Hosts for which http is allowed.

    Returns:
        `target`.

    Raises:
        FetchError: The file cannot be downloaded or written, is not the expected file, or `target`
            is another file. `target` is unchanged.
    """
    download = _Download(url, target, sha256 and sha256.lower(), size, page, allow_http_to)
    try:
        if not download.is_there():
            download.run()
    except OSError as error:
        advice = "Free some space, or choose a writable folder."
        raise FetchError(f"{target} cannot be written ({error}). {advice}") from error
    return target


@dataclass(frozen=True, slots=True)
class _Download:
    url: str
    target: Path
    sha256: str | None
    size: int | None
    page: str | None
    allow_http_to: frozenset[str]

    @property
    def part(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def etag(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part.etag")

    def is_there(self) -> bool:
        """Return whether the target exists; raise a FetchError if it is another file."""
        if not self.target.exists():
            return False
        if wrong := self._wrong(self.target):
            raise FetchError(f"{self.target} exists, but {wrong}. Delete it to download it again.")
        return True

    def run(self) -> None:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        for pause in (*_PAUSES_S, None):
            try:
                self._attempt()
                break
            except InterruptionError as error:
                if pause is None:
                    raise self._failure(str(error), passing=True) from error
                log.warning("%s: %s; next attempt in %g s", self.url, error, pause)
                sleep(pause)
            except RefusalError as error:
                raise self._failure(str(error)) from error
        if wrong := self._wrong(self.part):
            self._discard()
            raise self._failure(f"{wrong}. The downloaded file was deleted")
        self.part.replace(self.target)
        self.etag.unlink(missing_ok=True)

    def _attempt(self) -> None:
        offset, validator = self._begun()
        answer = request(
            self.url, offset=offset, validator=validator, allow_http_to=self.allow_http_to
        )
        try:
            self._check(answer)
            self._receive(answer)
        finally:
            answer.close()

    def _begun(self) -> tuple[int, str | None]:
        """Return the number of bytes of an earlier attempt, and the version of the file."""
        validator = self.etag.read_text() if self.etag.exists() else None
        if not self.part.exists() or not (validator or self.sha256):
            return 0, None
        return self.part.stat().st_size, validator

    def _check(self, answer: Answer) -> None:
        """Raise an error, before anything is written, if the answer cannot be the file."""
        if answer.media_type == "text/html" and self.target.suffix not in (".html", ".htm"):
            raise RefusalError("the server sends a web page instead, possibly a login page")
        if answer.total is None:
            return
        if self.size not in (None, answer.total):
            self._discard()
            raise RefusalError(
                f"the file on the server has {answer.total:,} bytes, expected {self.size:,}"
            )
        need = answer.total - answer.start
        free = shutil.disk_usage(self.target.parent).free
        if need > free:
            raise FetchError(
                f"{self.url} needs {decimal(need)} in {self.target.parent}, which has "
                f"{decimal(free)} free. Free some space, or choose another folder."
            )

    def _receive(self, answer: Answer) -> None:
        done, total = answer.start, self.size if answer.total is None else answer.total
        if done:
            log.info("%s: resuming after %s", self.target.name, decimal(done))
        with (
            self.part.open("ab" if done else "wb") as file,
            byte_bar(self.target.name, total, done) as show,
        ):
            # The part file no longer contains bytes of another version.
            if not done or answer.validator:
                self._remember(answer.validator)
            for chunk in answer.chunks():
                file.write(chunk)
                done += len(chunk)
                show(done)
                if total is not None and done > total:
                    break
            file.flush()
            os.fsync(file.fileno())
        if total is not None:
            self._compare(total)

    def _compare(self, total: int) -> None:
        # The size of the file includes bytes of a second, simultaneous download.
        done = self.part.stat().st_size
        if done > total:
            self._discard()
            raise RefusalError(f"the server sent more than {total:,} bytes")
        if done < total:
            raise InterruptionError(f"it was interrupted after {decimal(done)} of {decimal(total)}")

    def _remember(self, validator: str | None) -> None:
        if validator:
            self.etag.write_text(validator)
        else:
            self.etag.unlink(missing_ok=True)

    def _wrong(self, path: Path) -> str | None:
        """Return how a file differs from the expected one, as a clause; None if it does not."""
        size = path.stat().st_size
        if self.size not in (None, size):
            return f"it has {size:,} bytes, expected {self.size:,}"
        if self.sha256 is None:
            return None
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return None if found == self.sha256 else f"its SHA-256 is {found}, expected {self.sha256}"

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.etag.unlink(missing_ok=True)

    def _failure(self, reason: str, *, passing: bool = False) -> FetchError:
        move = "Download"
        if passing and self._begun()[0]:
            move = "Run the command again to resume, or download"
        return FetchError(
            f"{self.url} cannot be downloaded: {reason}. {move} it by hand from "
            f"{self.page or self.url} and pass path=<the file> to xray.prepare."
        )
