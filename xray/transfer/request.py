"""HTTP request for a file, or for the rest of one."""

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
# Errors that another attempt may not have, unlike a refused connection, an unknown host or an
# invalid certificate.
_TEMPORARY = (
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    TimeoutError,
    IncompleteRead,
    BadStatusLine,
    ssl.SSLEOFError,
)


class RefusalError(Exception):
    """The file cannot be downloaded; the message is the reason, as a clause."""


class InterruptionError(Exception):
    """The connection or the server failed; another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of a server.

    Attributes:
        start: Position of the first byte in the file; 0 for the whole file.
        total: Size of the whole file, bytes; None if unknown.
        validator: Version of the file: a strong ETag, or else the date of the last change, or else
            None.
        media_type: Media type ("application/zip").
        response: Open connection; None if there are no further bytes.
    """

    start: int
    total: int | None
    validator: str | None
    media_type: str
    response: HTTPResponse | None

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, and close the connection.

        If the server states no length, a truncated body ends without an error.

        Raises:
            RefusalError: Reading failed permanently.
            InterruptionError: The connection failed, or no bytes arrived for 30 s.
        """
        if self.response is None:
            return
        with self.response as response:
            try:
                while chunk := response.read1(_CHUNK):
                    yield chunk
            except (OSError, HTTPException) as error:
                raise _connection_error(error) from error

    def close(self) -> None:
        """Close the connection without reading the rest of the body."""
        if self.response is not None:
            self.response.close()


def request(
    url: str,
    *,
    offset: int = 0,
    validator: str | None = None,
    allow_http_to: frozenset[str] = frozenset(),
) -> Answer:
    """Request a file from `offset` on.

    The whole file is requested if the server has another version of it or does not support ranges.

    Args:
        url: URL with https.
        offset: Number of bytes that are already downloaded.
        validator: Version of the file that these bytes are from.
        allow_http_to: Hosts for which http is allowed.

    Raises:
        RefusalError: The URL or a redirect is not https, or the server does not send the file.
        InterruptionError: The connection or the server failed.
    """
    check_url(url, allow_http_to)
    headers = _headers(offset, validator)
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
        raise _connection_error(error) from error
    answer = _answer(response)
    if not offset or _fits(answer, offset, validator):
        return answer
    answer.close()
    return request(url, allow_http_to=allow_http_to)


def _headers(offset: int, validator: str | None) -> dict[str, str]:
    headers = {"User-Agent": "xray"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator:
            headers["If-Range"] = validator
    return headers


def check_url(url: str, allow_http_to: frozenset[str] = frozenset()) -> None:
    """Check that a URL is https, or http to one of these hosts.

    Raises:
        RefusalError: It is neither.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in allow_http_to):
        return
    raise RefusalError(
        f"it leads to {url}, which is not https, so that the file could be replaced in transit"
    )


class _Redirects(HTTPRedirectHandler):
    def __init__(self, allow_http_to: frozenset[str]) -> None:
        self._allow_http_to = allow_http_to

    def redirect_request(  # noqa: PLR0917 - signature of urllib
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
    # Some servers support Range but not If-Range.
    same = not validator or answer.validator in (None, validator)
    return answer.start == offset and same


def _validator(headers: HTTPMessage) -> str | None:
    # A weak ETag (W/"...") does not identify identical bytes.
    tag: str = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified")


def _status(error: HTTPError) -> Exception:
    answer = f"{error.code} {error.reason}"
    if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return InterruptionError(f"the server answers {answer}")
    if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return RefusalError(f"the server requires a login ({answer})")
    return RefusalError(f"the server answers {answer}")


def _connection_error(error: Exception) -> Exception:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, _TEMPORARY):
        return InterruptionError(f"the connection failed ({cause or type(cause).__name__})")
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RefusalError(f"the certificate of the server is invalid ({cause.verify_message})")
    return RefusalError(f"the server cannot be reached ({cause})")
