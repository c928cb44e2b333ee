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
    """Nobody waits; the pauses asked for are kept."""
    slept: list[float] = []
    monkeypatch.setattr(module, "sleep", slept.append)
    return slept


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as told:
        yield told


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1, which nobody vouches for, in one file."""
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
    with serve(context) as told:
        yield told


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
    """Let the first answer end early, and let the server be down afterwards."""
    server.cuts, server.statuses = [CUT], [0, 503, 503, 503]
    message = refusal(server, target, **options)
    assert (target.parent / "set.zip.part").read_bytes() == server.body[:CUT]
    assert not target.exists()
    server.asked.clear()
    return message


def test_whole(server, target):
    options = {"sha256": sha256(server.body).upper(), "size": len(server.body)}
    assert get(server, target, **options) == target
    assert target.read_bytes() == server.body
    assert files(target) == ["set.zip"]
    assert "Range" not in server.asked[0]
    # What is there is not asked for again.
    assert get(server, target, **options) == target
    assert len(server.asked) == 1


def test_without_length(server, target):
    server.length, server.etag = False, None
    assert get(server, target, sha256=sha256(server.body)).read_bytes() == server.body


def test_other_file_at_target_is_left_alone(server, target):
    target.parent.mkdir()
    target.write_bytes(b"mine")
    assert "it has 4 bytes, not 10,240. Delete it" in refusal(server, target, size=10240)
    assert f"not {'0' * 64}" in refusal(server, target, sha256="0" * 64)
    assert target.read_bytes() == b"mine"
    assert not server.asked


def test_cut_is_resumed_at_once(server, target, pauses, caplog):
    server.cuts = [CUT, 100]
    assert get(server, target).read_bytes() == server.body
    assert [asked.get("Range") for asked in server.asked] == [None, "bytes=5000-", "bytes=5100-"]
    assert server.asked[1]["If-Range"] == '"one"'
    assert pauses == [1.0, 4.0]
    assert "after 5.0 kB of 10.2 kB; trying again in 1 s" in caplog.text


def test_cut_leaves_part_for_next_time(server, target, pauses, caplog):
    message = cut_off(server, target)
    assert files(target) == ["set.zip.part", "set.zip.part.etag"]
    assert message == (
        f"{server.url} cannot be downloaded: the server answers 503 Service Unavailable. Run the "
        "same again to go on from where it stopped, or download it by hand from "
        f"{PAGE} and pass path=<the file> to prepare."
    )
    assert pauses == [1.0, 4.0, 15.0]
    with caplog.at_level(logging.INFO):
        assert get(server, target).read_bytes() == server.body
    assert "going on after 5.0 kB" in caplog.text
    assert server.asked[0]["Range"] == "bytes=5000-"
    assert files(target) == ["set.zip"]


def test_resumed_by_date(server, target):
    server.etag, server.modified = 'W/"weak"', "Tue, 01 Sep 2026 00:00:00 GMT"
    cut_off(server, target)
    assert get(server, target).read_bytes() == server.body
    assert server.asked[0]["If-Range"] == server.modified


def test_without_state_only_a_hash_allows_to_resume(server, target):
    server.etag = None
    cut_off(server, target)
    assert get(server, target).read_bytes() == server.body
    assert "Range" not in server.asked[0]
    target.unlink()
    digest = sha256(server.body)
    cut_off(server, target, sha256=digest)
    assert get(server, target, sha256=digest).read_bytes() == server.body
    assert server.asked[0]["Range"] == "bytes=5000-"


def test_server_without_ranges_starts_again(server, target):
    server.ranges = False
    cut_off(server, target)
    assert get(server, target).read_bytes() == server.body
    assert "Range" in server.asked[0]


@pytest.mark.parametrize("checks", [True, False])
def test_changed_file_is_not_glued_to_an_old_part(server, target, checks):
    cut_off(server, target)
    server.body, server.etag, server.checks_if_range = server.body[::-1], '"two"', checks
    assert get(server, target).read_bytes() == server.body
    assert len(server.asked) == (1 if checks else 2)


def test_wrong_range_starts_again(server, target):
    cut_off(server, target)
    server.content_range = "bytes 17-10239/10240"
    assert get(server, target).read_bytes() == server.body
    assert [asked.get("Range") for asked in server.asked] == ["bytes=5000-", None]


def test_complete_part_needs_no_bytes(server, target):
    cut_off(server, target)
    (target.parent / "set.zip.part").write_bytes(server.body)
    assert get(server, target, sha256=sha256(server.body)).read_bytes() == server.body
    assert len(server.asked) == 1


def test_too_long_part_starts_again(server, target):
    cut_off(server, target)
    (target.parent / "set.zip.part").write_bytes(server.body + b"more")
    assert get(server, target).read_bytes() == server.body
    assert len(server.asked) == 2


def test_wrong_hash_leaves_nothing(server, target):
    message = refusal(server, target, sha256="0" * 64)
    assert f"its SHA-256 is {sha256(server.body)}, not {'0' * 64}" in message
    assert f"Download it by hand from {PAGE} and pass path=" in message
    assert files(target) == []


def test_wrong_size_leaves_nothing(server, target):
    message = refusal(server, target, size=10241)
    assert "a file of 10,240 bytes, not of 10,241" in message
    assert files(target) == []
    # A server that announces no size is stopped when it sends too much.
    server.chunked = True
    assert "more than its 100 bytes came" in refusal(server, target, size=100)
    assert files(target) == []


@pytest.mark.parametrize(
    ("status", "words"), [(404, "answers 404 Not Found"), (403, "asks for a login (403 Forbidden)")]
)
def test_refused_request_is_not_repeated(server, target, status, words):
    server.statuses = [status] * 2
    assert words in refusal(server, target)
    assert len(server.asked) == 1
    assert files(target) == []


def test_chunks(server, target, caplog):
    server.chunked, server.cuts = True, [CUT]
    assert get(server, target).read_bytes() == server.body
    assert "the connection broke (IncompleteRead" in caplog.text
    assert int(server.asked[1]["Range"].removeprefix("bytes=").removesuffix("-")) > CUT - 10


def test_server_out_of_order_for_a_while(server, target, pauses):
    server.statuses = [500, 502]
    assert get(server, target).read_bytes() == server.body
    assert pauses == [1.0, 4.0]


def test_web_page_in_place_of_the_file(server, target):
    server.media_type = "text/html; charset=utf-8"
    assert "a web page in its place" in refusal(server, target)
    assert files(target) == []


def test_redirect_is_followed(server, target):
    server.statuses, server.location = [302], server.url + "?mirror"
    assert get(server, target).read_bytes() == server.body


@pytest.mark.parametrize("location", ["http://example.org/set.zip", "ftp://example.org/set.zip"])
def test_redirect_without_tls_leaves_nothing(server, target, location):
    server.statuses, server.location = [302], location
    assert f"it leads to {location}, and without https" in refusal(server, target)
    assert files(target) == []


@pytest.mark.parametrize("url", ["http://example.org/a.zip", "file:///etc/hosts", "HTTP://h/a"])
def test_url_without_tls(url, target):
    with pytest.raises(FetchError, match="without https"):
        fetch(url, target, allow_http_to=HERE)


def test_tls(tls_server, target, certificate, monkeypatch):
    with pytest.raises(FetchError, match=r"does not prove who it is \(self.signed certificate"):
        fetch(tls_server.url, target)
    assert not tls_server.asked
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_server.cuts = [CUT]
    assert fetch(tls_server.url, target).read_bytes() == tls_server.body


def test_redirect_from_tls_to_http(tls_server, server, target, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_server.statuses, tls_server.location = [302], server.url
    with pytest.raises(FetchError, match=f"it leads to {server.url}, and without https"):
        fetch(tls_server.url, target)
    assert not server.asked
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
        f"from {PAGE} and pass path=<the file> to prepare."
    )
    assert not pauses


def test_silent_server_is_given_up(server, target, monkeypatch):
    monkeypatch.setattr("xray.transfer.request._TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server.url = f"http://127.0.0.1:{mute.getsockname()[1]}/set.zip"
        assert "the connection broke (timed out)" in refusal(server, target)


def test_full_disk_is_seen_before_the_download(server, target, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("", (), {"free": 1000}))
    message = refusal(server, target)
    assert f"needs 10.2 kB in {target.parent}, where 1.0 kB are free" in message
    assert files(target) == []


def test_folder_that_cannot_be_written(server, target):
    target.parent.write_text("a file")
    assert f"{target} cannot be written" in refusal(server, target)


def test_second_download_at_the_same_time_is_noticed(server, target, monkeypatch):
    sync = os.fsync

    def meanwhile(handle: int) -> None:
        sync(handle)
        os.write(handle, b"from another process")

    monkeypatch.setattr(module.os, "fsync", meanwhile)
    assert "more than its 10,240 bytes came" in refusal(server, target)
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
