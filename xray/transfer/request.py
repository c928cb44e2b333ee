"""One HTTP request for a file, or for the rest of one."""

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import BadStatusLine, HTTPException, HTTPMessage, HTTPResponse, IncompleteRead
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

_TIMEOUT_S = 30.0
_CHUNK = 1 << 18
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
# Trouble that may be over at the next attempt. A refused connection, an unknown host or a wrong
# certificate is not.
_PASSING = (
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    TimeoutError,
    IncompleteRead,
    BadStatusLine,
    ssl.SSLEOFError,
)


class RefusalError(Exception):
    """The file is not to be had; the message, a clause, says why."""


class InterruptionError(Exception):
    """The connection broke or the server is out of order: another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server sends of a file.

    Attributes:
        start: Position in the file of the first byte sent; 0 where all of it is.
        total: Size of the whole file in bytes; None where the server does not tell.
        validator: Tells this state of the file from later ones (a strong ETag, else the date of
            the last change, else None).
        media_type: Such as "application/zip".
        response: The open connection; None where nothing is left to be sent.
    """

    start: int
    total: int | None
    validator: str | None
    media_type: str
    response: HTTPResponse | None

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes as they come, and close the connection.

        Raises:
            RefusalError: Reading failed for good.
            InterruptionError: The connection broke, or was silent for 30 s. Where the server gives
                no length of its chunks, a body that is cut short merely ends.
        """
        if self.response is None:
            return
        with self.response as response:
            try:
                while chunk := response.read1(_CHUNK):
                    yield chunk
            except (OSError, HTTPException) as error:
                raise _trouble(error) from error

    def close(self) -> None:
        """Close the connection, whatever is left of the body."""
        if self.response is not None:
            self.response.close()


def request(
    url: str,
    *,
    offset: int = 0,
    validator: str | None = None,
    allow_http_to: frozenset[str] = frozenset(),
) -> Answer:
    """Ask for a file from `offset` on.

    A server that cannot, or whose file is no longer the one that `validator` stands for, is taken
    to send all of it.

    Args:
        url: https.
        offset: Bytes that are there already.
        validator: Of the file that these bytes are from.
        allow_http_to: Hosts that need no TLS.

    Raises:
        RefusalError: The URL or a redirect is not https, or the server does not give the file.
        InterruptionError: It may work later.
    """
    check_url(url, allow_http_to)
    headers = {"User-Agent": "xray"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator:
            headers["If-Range"] = validator
    opener = build_opener(_Redirects(allow_http_to))
    try:
        response = opener.open(Request(url, headers=headers), timeout=_TIMEOUT_S)
    except HTTPError as error:
        with error:
            if not offset or error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise _status(error) from error
            if error.headers.get("Content-Range") == f"bytes */{offset}":
                return Answer(offset, offset, validator, "", None)
        return request(url, allow_http_to=allow_http_to)
    except (OSError, HTTPException) as error:
        raise _trouble(error) from error
    answer = _answer(response)
    if not offset or _fits(answer, offset, validator):
        return answer
    answer.close()
    return request(url, allow_http_to=allow_http_to)


def check_url(url: str, allow_http_to: frozenset[str] = frozenset()) -> None:
    """Refuse what is not https, unless it is http to one of these hosts.

    Raises:
        RefusalError: It is refused.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in allow_http_to):
        return
    raise RefusalError(
        f"it leads to {url}, and without https anyone on the way could exchange the file"
    )


class _Redirects(HTTPRedirectHandler):
    def __init__(self, allow_http_to: frozenset[str]) -> None:
        self._allow_http_to = allow_http_to

    def redirect_request(  # noqa: PLR0917 - as urllib calls it
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        try:
            check_url(newurl, self._allow_http_to)
        except RefusalError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _answer(response: HTTPResponse) -> Answer:
    headers = response.headers
    length = headers.get("Content-Length", "")
    start, total = 0, int(length) if length.isdigit() else None
    if match := _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "")):
        start, total = int(match[1]), int(match[2]) if match[2] != "*" else None
    return Answer(start, total, _validator(headers), headers.get_content_type(), response)


def _fits(answer: Answer, offset: int, validator: str | None) -> bool:
    if answer.start == 0:
        return True
    # Some servers know Range but not If-Range.
    same = not validator or answer.validator in (None, validator)
    return answer.start == offset and same


def _validator(headers: HTTPMessage) -> str | None:
    # A weak ETag (W/"...") stands for what looks alike, not for the same bytes.
    tag: str = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified")


def _status(error: HTTPError) -> Exception:
    answer = f"{error.code} {error.reason}"
    if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return InterruptionError(f"the server answers {answer}")
    if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return RefusalError(f"the server asks for a login ({answer})")
    return RefusalError(f"the server answers {answer}")


def _trouble(error: Exception) -> Exception:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, _PASSING):
        return InterruptionError(f"the connection broke ({cause or type(cause).__name__})")
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RefusalError(f"the server does not prove who it is ({cause.verify_message})")
    return RefusalError(f"the server cannot be reached ({cause})")
