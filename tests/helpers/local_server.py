"""A server on this machine that does as it is told."""

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Server:
    """What is served, and what goes wrong.

    Attributes:
        statuses: Answered instead, one after the other, before the file is.
        cuts: After how many bytes of a body to hang up, one answer after the other.
        asked: The headers of each request.
    """

    url: str = ""
    body: bytes = bytes(range(256)) * 40
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    checks_if_range: bool = True
    length: bool = True
    chunked: bool = False
    media_type: str = "application/zip"
    location: str = ""
    content_range: str | None = None
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def rest(self, headers: dict[str, str]) -> int | None:
        """Return where the asked range starts, None for the whole file."""
        match = re.fullmatch(r"bytes=(\d+)-", headers.get("Range", ""))
        if match is None or not self.ranges:
            return None
        wanted = headers.get("If-Range")
        if self.checks_if_range and wanted not in (None, self.etag, self.modified):
            return None
        return int(match[1])


@contextmanager
def serve(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            told.asked.append(dict(self.headers))
            if told.statuses and (status := told.statuses.pop(0)):
                self._end(status, {"Location": told.location} if told.location else {})
                return
            start = told.rest(told.asked[-1])
            if start is not None and start >= len(told.body):
                self._end(416, {"Content-Range": f"bytes */{len(told.body)}"})
                return
            self._send(start)

        def _send(self, start: int | None) -> None:
            body = told.body[start or 0 :]
            headers = {"Content-Type": told.media_type}
            if told.chunked:
                headers["Transfer-Encoding"] = "chunked"
                body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            elif told.length:
                headers["Content-Length"] = str(len(body))
            if start is not None:
                last = len(told.body) - 1
                span = told.content_range or f"bytes {start}-{last}/{len(told.body)}"
                headers["Content-Range"] = span
            if told.etag:
                headers["ETag"] = told.etag
            if told.modified:
                headers["Last-Modified"] = told.modified
            self._end(200 if start is None else 206, headers)
            self.wfile.write(body[: told.cuts.pop(0) if told.cuts else None])

        def _end(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            if status not in (200, 206):
                headers["Content-Length"] = "0"
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up, or does not trust the certificate, is no news."""

    with Quiet(("127.0.0.1", 0), Handler) as http:
        if context:
            # The handshake is left to the thread of the connection.
            http.socket = context.wrap_socket(
                http.socket, server_side=True, do_handshake_on_connect=False
            )
        told.url = f"{'https' if context else 'http'}://127.0.0.1:{http.server_port}/set.zip"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield told
        http.shutdown()
        thread.join()
