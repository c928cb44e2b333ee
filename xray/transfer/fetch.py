"""Download a file, whole and checked, or leave nothing that could be taken for it."""

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
    """Download a file, unless it is there already.

    It grows in `<target>.part`, beside which `<target>.part.etag` keeps what state of the server's
    file that is, and is renamed when complete and checked. A stopped download goes on at the next
    call, provided that the server's file is the same: by its ETag or date, or, where it sends
    neither, by `sha256`.

    Args:
        url: https, to which redirects must lead as well.
        target: Where the file will lie; its folder is made.
        sha256: Of the file, hexadecimal. None: not checked.
        size: Of the file in bytes. None: what the server announces.
        page: Where a person finds the file, for the error message.
        allow_http_to: Hosts that may be asked without TLS.

    Returns:
        `target`.

    Raises:
        FetchError: It cannot be downloaded or written, or is not the file expected, or `target`
            holds another file. Nothing is then at `target` that was not there before.
    """
    download = _Download(url, target, sha256 and sha256.lower(), size, page, allow_http_to)
    try:
        if not download.is_there():
            download.run()
    except OSError as error:
        advice = "Make room there, or name a folder that you may write."
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
        """Whether the target is the file expected; raises a FetchError where it is another."""
        if not self.target.exists():
            return False
        if wrong := self._wrong(self.target):
            raise FetchError(
                f"{self.target} is there, but {wrong}. Delete it, and it is downloaded anew."
            )
        return True

    def run(self) -> None:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        for pause in (*_PAUSES_S, None):
            try:
                self._go_on()
                break
            except InterruptionError as error:
                if pause is None:
                    raise self._failure(str(error), passing=True) from error
                log.warning("%s: %s; trying again in %g s", self.url, error, pause)
                sleep(pause)
            except RefusalError as error:
                raise self._failure(str(error)) from error
        if wrong := self._wrong(self.part):
            self._discard()
            raise self._failure(f"{wrong}. What came was deleted")
        self.part.replace(self.target)
        self.etag.unlink(missing_ok=True)

    def _go_on(self) -> None:
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
        """Return the bytes that are there already, and of what state of the file they are."""
        validator = self.etag.read_text() if self.etag.exists() else None
        if not self.part.exists() or not (validator or self.sha256):
            return 0, None
        return self.part.stat().st_size, validator

    def _check(self, answer: Answer) -> None:
        """Refuse what cannot become the file, before anything is written."""
        if answer.media_type == "text/html" and self.target.suffix not in (".html", ".htm"):
            raise RefusalError("the server sends a web page in its place, perhaps to log in")
        if answer.total is None:
            return
        if self.size not in (None, answer.total):
            self._discard()
            raise RefusalError(
                f"the server has a file of {answer.total:,} bytes, not of {self.size:,}"
            )
        need = answer.total - answer.start
        free = shutil.disk_usage(self.target.parent).free
        if need > free:
            raise FetchError(
                f"{self.url} needs {decimal(need)} in {self.target.parent}, where {decimal(free)} "
                "are free. Make room there, or name another folder."
            )

    def _receive(self, answer: Answer) -> None:
        done, total = answer.start, self.size if answer.total is None else answer.total
        if done:
            log.info("%s: going on after %s", self.target.name, decimal(done))
        with (
            self.part.open("ab" if done else "wb") as file,
            byte_bar(self.target.name, total, done) as show,
        ):
            # Only now that no bytes of another state of the file are left.
            if not done or answer.validator:
                self._note(answer.validator)
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
        # The file's own size: a second download at the same time would have added to it.
        done = self.part.stat().st_size
        if done > total:
            self._discard()
            raise RefusalError(f"more than its {total:,} bytes came")
        if done < total:
            raise InterruptionError(f"it broke off after {decimal(done)} of {decimal(total)}")

    def _note(self, validator: str | None) -> None:
        if validator:
            self.etag.write_text(validator)
        else:
            self.etag.unlink(missing_ok=True)

    def _wrong(self, path: Path) -> str | None:
        """Return how a file differs from the one expected, as a clause."""
        size = path.stat().st_size
        if self.size not in (None, size):
            return f"it has {size:,} bytes, not {self.size:,}"
        if self.sha256 is None:
            return None
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return None if found == self.sha256 else f"its SHA-256 is {found}, not {self.sha256}"

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.etag.unlink(missing_ok=True)

    def _failure(self, reason: str, *, passing: bool = False) -> FetchError:
        move = "Download"
        if passing and self._begun()[0]:
            move = "Run the same again to go on from where it stopped, or download"
        return FetchError(
            f"{self.url} cannot be downloaded: {reason}. {move} it by hand from "
            f"{self.page or self.url} and pass path=<the file> to prepare."
        )
