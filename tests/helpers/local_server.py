"""HTTP server on this machine with configurable errors."""

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Server:
    """Content and errors of the server.

    Attributes:
        statuses: Status codes of the first answers, instead of the file; 0: the file.
        cuts: Numbers of bytes after which the connection is closed, one per answer.
        requests: Headers of each request.
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
    requests: list[dict[str, str]] = field(default_factory=list)

    def rest(self, headers: dict[str, str]) -> int | None:
        """Return the start of the requested range; None for the whole file."""
        match = re.fullmatch(r"bytes=(\d+)-", headers.get("Range", ""))
        if match is None or not self.ranges:
            return None
        wanted = headers.get("If-Range")
        if self.checks_if_range and wanted not in (None, self.etag, self.modified):
            return None
        return int(match[1])


@contextmanager
def serve(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run a server in a thread, and stop it at the end."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            server.requests.append(dict(self.headers))
            if server.statuses and (status := server.statuses.pop(0)):
                self._end(status, {"Location": server.location} if server.location else {})
                return
            start = server.rest(server.requests[-1])
            if start is not None and start >= len(server.body):
                self._end(416, {"Content-Range": f"bytes */{len(server.body)}"})
                return
            self._send(start)

        def _send(self, start: int | None) -> None:
            body = server.body[start or 0 :]
            headers = {"Content-Type": server.media_type}
            if server.chunked:
                headers["Transfer-Encoding"] = "chunked"
                body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            elif server.length:
                headers["Content-Length"] = str(len(body))
            if start is not None:
                last = len(server.body) - 1
                span = server.content_range or f"bytes {start}-{last}/{len(server.body)}"
                headers["Content-Range"] = span
            if server.etag:
                headers["ETag"] = server.etag
            if server.modified:
                headers["Last-Modified"] = server.modified
            self._end(200 if start is None else 206, headers)
            self.wfile.write(body[: server.cuts.pop(0) if server.cuts else None])

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
            """Ignore clients that close the connection or do not trust the certificate."""

    with Quiet(("127.0.0.1", 0), Handler) as http:
        if context:
            # The thread of the connection does the handshake.
            http.socket = context.wrap_socket(
                http.socket, server_side=True, do_handshake_on_connect=False
            )
        server.url = f"{'https' if context else 'http'}://127.0.0.1:{http.server_port}/set.zip"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        http.shutdown()
        thread.join()
