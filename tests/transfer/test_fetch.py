import errno
import hashlib
import logging
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_server import Server, serve

from xray.errors import FetchError
from xray.transfer import fetch as module
from xray.transfer.fetch import fetch

HERE = frozenset({"127.0.0.1"})
PAGE = "https://example.org/set"
CUT = 5000


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """Record pauses instead of waiting."""
    slept: list[float] = []
    monkeypatch.setattr(module, "sleep", slept.append)
    return slept


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File with a key and a self-signed certificate for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    file = tmp_path_factory.mktemp("tls") / "here.pem"
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=here"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(file), "-out", str(file.with_suffix(".crt"))]
    command = [openssl, "req", *options.split(), *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + file.with_suffix(".crt").read_text())
    return file


@pytest.fixture
def tls_server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serve(context) as server:
        yield server


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "downloads" / "set.zip"


def get(server, target: Path, **options) -> Path:
    return fetch(server.url, target, page=PAGE, allow_http_to=HERE, **options)


def refusal(server, target: Path, **options) -> str:
    with pytest.raises(FetchError) as caught:
        get(server, target, **options)
    return str(caught.value)


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def files(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.exists() else []


def cut_off(server, target: Path, **options) -> str:
    """Truncate the first answer, and let the server fail afterwards."""
    server.cuts, server.statuses = [CUT], [0, 503, 503, 503]
    message = refusal(server, target, **options)
    assert (target.parent / "set.zip.part").read_bytes() == server.body[:CUT]
    assert not target.exists()
    server.requests.clear()
    return message


def test_whole(server, target):
    options = {"sha256": sha256(server.body).upper(), "size": len(server.body)}
    assert get(server, target, **options) == target
    assert target.read_bytes() == server.body
    assert files(target) == ["set.zip"]
    assert "Range" not in server.requests[0]
    # An existing file is not requested again.
    assert get(server, target, **options) == target
    assert len(server.requests) == 1


def test_without_length(server, target):
    server.length, server.etag = False, None
    assert get(server, target, sha256=sha256(server.body)).read_bytes() == server.body


def test_other_file_at_target_is_not_changed(server, target):
    target.parent.mkdir()
    target.write_bytes(b"mine")
    assert "it has 4 bytes, expected 10,240. Delete it" in refusal(server, target, size=10240)
    assert f"expected {'0' * 64}" in refusal(server, target, sha256="0" * 64)
    assert target.read_bytes() == b"mine"
    assert not server.requests


def test_interrupted_download_is_resumed_at_once(server, target, pauses, caplog):
    server.cuts = [CUT, 100]
    assert get(server, target).read_bytes() == server.body
    assert [request.get("Range") for request in server.requests] == [
        None,
        "bytes=5000-",
        "bytes=5100-",
    ]
    assert server.requests[1]["If-Range"] == '"one"'
    assert pauses == [1.0, 4.0]
    assert "after 5.0 kB of 10.2 kB; next attempt in 1 s" in caplog.text


def test_interrupted_download_is_resumed_by_the_next_call(server, target, pauses, caplog):
    message = cut_off(server, target)
    assert files(target) == ["set.zip.part", "set.zip.part.etag"]
    assert message == (
        f"{server.url} cannot be downloaded: the server answers 503 Service Unavailable. Run the "
        "command again to resume, or download it by hand from "
        f"{PAGE} and pass path=<the file> to xray.prepare."
    )
    assert pauses == [1.0, 4.0, 15.0]
    with caplog.at_level(logging.INFO):
        assert get(server, target).read_bytes() == server.body
    assert "resuming after 5.0 kB" in caplog.text
    assert server.requests[0]["Range"] == "bytes=5000-"
    assert files(target) == ["set.zip"]


def test_resumed_by_date(server, target):
    server.etag, server.modified = 'W/"weak"', "Tue, 01 Sep 2026 00:00:00 GMT"
    cut_off(server, target)
    assert get(server, target).read_bytes() == server.body
    assert server.requests[0]["If-Range"] == server.modified


def test_only_a_hash_allows_to_resume_without_a_version(server, target):
    server.etag = None
    cut_off(server, target)
    assert get(server, target).read_bytes() == server.body
    assert "Range" not in server.requests[0]
    target.unlink()
    digest = sha256(server.body)
    cut_off(server, target, sha256=digest)
    assert get(server, target, sha256=digest).read_bytes() == server.body
    assert server.requests[0]["Range"] == "bytes=5000-"


def test_server_without_ranges(server, target):
    server.ranges = False
    cut_off(server, target)
    assert get(server, target).read_bytes() == server.body
    assert "Range" in server.requests[0]


@pytest.mark.parametrize("checks", [True, False])
def test_changed_file_is_not_appended_to_an_old_part(server, target, checks):
    cut_off(server, target)
    server.body, server.etag, server.checks_if_range = server.body[::-1], '"two"', checks
    assert get(server, target).read_bytes() == server.body
    assert len(server.requests) == (1 if checks else 2)


def test_wrong_range_restarts_the_download(server, target):
    cut_off(server, target)
    server.content_range = "bytes 17-10239/10240"
    assert get(server, target).read_bytes() == server.body
    assert [request.get("Range") for request in server.requests] == ["bytes=5000-", None]


def test_complete_part_is_not_downloaded_again(server, target):
    cut_off(server, target)
    (target.parent / "set.zip.part").write_bytes(server.body)
    assert get(server, target, sha256=sha256(server.body)).read_bytes() == server.body
    assert len(server.requests) == 1


def test_part_that_is_too_long_restarts_the_download(server, target):
    cut_off(server, target)
    (target.parent / "set.zip.part").write_bytes(server.body + b"more")
    assert get(server, target).read_bytes() == server.body
    assert len(server.requests) == 2


def test_wrong_hash_leaves_nothing(server, target):
    message = refusal(server, target, sha256="0" * 64)
    assert f"its SHA-256 is {sha256(server.body)}, expected {'0' * 64}" in message
    assert f"Download it by hand from {PAGE} and pass path=" in message
    assert files(target) == []


def test_wrong_size_leaves_nothing(server, target):
    message = refusal(server, target, size=10241)
    assert "the file on the server has 10,240 bytes, expected 10,241" in message
    assert files(target) == []
    # If the server announces no size, the download stops when it sends too much.
    server.chunked = True
    assert "the server sent more than 100 bytes" in refusal(server, target, size=100)
    assert files(target) == []


@pytest.mark.parametrize(
    ("status", "words"), [(404, "answers 404 Not Found"), (403, "requires a login (403 Forbidden)")]
)
def test_refused_request_is_not_repeated(server, target, status, words):
    server.statuses = [status] * 2
    assert words in refusal(server, target)
    assert len(server.requests) == 1
    assert files(target) == []


def test_chunks(server, target, caplog):
    server.chunked, server.cuts = True, [CUT]
    assert get(server, target).read_bytes() == server.body
    assert "the connection failed (IncompleteRead" in caplog.text
    assert int(server.requests[1]["Range"].removeprefix("bytes=").removesuffix("-")) > CUT - 10


def test_temporary_server_error(server, target, pauses):
    server.statuses = [500, 502]
    assert get(server, target).read_bytes() == server.body
    assert pauses == [1.0, 4.0]


def test_web_page_instead_of_the_file(server, target):
    server.media_type = "text/html; charset=utf-8"
    assert "a web page instead" in refusal(server, target)
    assert files(target) == []


def test_redirect_is_followed(server, target):
    server.statuses, server.location = [302], server.url + "?mirror"
    assert get(server, target).read_bytes() == server.body


@pytest.mark.parametrize("location", ["http://example.org/set.zip", "ftp://example.org/set.zip"])
def test_redirect_without_tls_leaves_nothing(server, target, location):
    server.statuses, server.location = [302], location
    assert f"it leads to {location}, which is not https" in refusal(server, target)
    assert files(target) == []


@pytest.mark.parametrize("url", ["http://example.org/a.zip", "file:///etc/hosts", "HTTP://h/a"])
def test_url_without_tls(url, target):
    with pytest.raises(FetchError, match="which is not https"):
        fetch(url, target, allow_http_to=HERE)


def test_tls(tls_server, target, certificate, monkeypatch):
    with pytest.raises(FetchError, match=r"certificate of the server is invalid \(self.signed"):
        fetch(tls_server.url, target)
    assert not tls_server.requests
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_server.cuts = [CUT]
    assert fetch(tls_server.url, target).read_bytes() == tls_server.body


def test_redirect_from_tls_to_http(tls_server, server, target, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_server.statuses, tls_server.location = [302], server.url
    with pytest.raises(FetchError, match=f"it leads to {server.url}, which is not https"):
        fetch(tls_server.url, target)
    assert not server.requests
    assert files(target) == []


def test_offline(target, pauses, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/set.zip"
        with pytest.raises(FetchError) as caught:
            fetch(url, target, page=PAGE, allow_http_to=HERE)
    assert str(caught.value) == (
        f"{url} cannot be downloaded: the server cannot be reached "
        f"([Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}). Download it by hand "
        f"from {PAGE} and pass path=<the file> to xray.prepare."
    )
    assert not pauses


def test_silent_server_times_out(server, target, monkeypatch):
    monkeypatch.setattr("xray.transfer.request._TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server.url = f"http://127.0.0.1:{mute.getsockname()[1]}/set.zip"
        assert "the connection failed (timed out)" in refusal(server, target)


def test_full_disk_is_reported_before_the_download(server, target, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("", (), {"free": 1000}))
    message = refusal(server, target)
    assert f"needs 10.2 kB in {target.parent}, which has 1.0 kB free" in message
    assert files(target) == []


def test_folder_that_cannot_be_written(server, target):
    target.parent.write_text("a file")
    assert f"{target} cannot be written" in refusal(server, target)


def test_simultaneous_download_is_detected(server, target, monkeypatch):
    sync = os.fsync

    def meanwhile(handle: int) -> None:
        sync(handle)
        os.write(handle, b"from another process")

    monkeypatch.setattr(module.os, "fsync", meanwhile)
    assert "the server sent more than 10,240 bytes" in refusal(server, target)
    assert files(target) == []


def test_interrupt_leaves_part(server, target, monkeypatch):
    def interrupted(*_: object) -> Callable[[], None]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            get(server, target)
    assert files(target) == ["set.zip.part", "set.zip.part.etag"]
    assert get(server, target).read_bytes() == server.body
