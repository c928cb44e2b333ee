import contextlib
import hashlib
import io
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from xray.errors import WeightsError
from xray.model import imagenet
from xray.model.imagenet import WeightsUnavailableError, imagenet_file, imagenet_url
from xray.model.zoo import BACKBONES


def saved(value):
    buffer = io.BytesIO()
    torch.save({"features.0.weight": torch.tensor([value])}, buffer)
    return buffer.getvalue()


CONTENT = saved(1.0)
FILE_NAME = f"vgg16-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


class Handler(BaseHTTPRequestHandler):
    """Serves `content` under a status, and may promise more bytes than it sends."""

    status, content, promised, head_status = 200, CONTENT, len(CONTENT), 200
    asked: list[str]

    def do_HEAD(self):
        type(self).asked.append("HEAD")
        self.send_response(self.head_status)
        self.end_headers()

    def do_GET(self):
        type(self).asked.append("GET")
        self.send_response(self.status)
        self.send_header("Content-Length", str(self.promised))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(self.content)

    def log_message(self, *args):
        pass


@pytest.fixture
def handler():
    return type("OneTestsHandler", (Handler,), {"asked": []})


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def server(handler, cache, monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/{FILE_NAME}"
        monkeypatch.setattr(imagenet, "imagenet_url", lambda name: url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield url
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", BACKBONES)
def test_urls_are_torchvisions_v1_weights(name):
    assert imagenet_url(name).startswith(f"https://download.pytorch.org/models/{name}")
    assert len(imagenet_url(name).rpartition("-")[2]) == len("397923af.pth")


def test_resnet50_is_version_1():
    assert imagenet_url("resnet50").endswith("/resnet50-0676ba61.pth")


def test_downloads_once(server, cache, handler):
    before = socket.getdefaulttimeout()
    assert imagenet_file("vgg16") == cache / FILE_NAME
    assert (cache / FILE_NAME).read_bytes() == CONTENT
    assert imagenet_file("vgg16") == cache / FILE_NAME
    assert handler.asked == ["HEAD", "GET"]
    assert socket.getdefaulttimeout() == before


def test_server_without_head_requests(server, cache, handler):
    handler.head_status = 405
    assert imagenet_file("vgg16").read_bytes() == CONTENT


def check_unavailable(server, cache, reason):
    with pytest.raises(WeightsUnavailableError, match=reason) as caught:
        imagenet_file("vgg16")
    message = str(caught.value)
    assert "The ImageNet weights of vgg16 are not in the cache" in message
    assert f"file: {cache / FILE_NAME}" in message
    assert f"URL:  {server}" in message
    assert "model.weights=auto" in message
    assert not cache.is_dir() or list(cache.iterdir()) == []


@pytest.mark.parametrize("status", [404, 500])
def test_server_error(server, cache, handler, status):
    handler.status = status
    check_unavailable(server, cache, f"HTTP Error {status}")


def test_truncated_download_is_removed(server, cache, handler):
    handler.content = CONTENT[:-100]
    check_unavailable(server, cache, "invalid hash value|IncompleteRead")


def test_download_with_another_hash(server, cache, handler):
    handler.content = saved(2.0)
    check_unavailable(server, cache, "invalid hash value")


def test_response_that_is_not_http(server, cache, handler):
    handler.do_HEAD = lambda self: self.wfile.write(b"hello\r\n")
    check_unavailable(server, cache, "hello")


def test_refused_connection(cache, monkeypatch):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/{FILE_NAME}"
        monkeypatch.setattr(imagenet, "imagenet_url", lambda name: url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        check_unavailable(url, cache, "refused")


def test_unresponsive_server(cache, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{FILE_NAME}"
        monkeypatch.setattr(imagenet, "imagenet_url", lambda name: url)
        monkeypatch.setattr(imagenet, "_REACH_SECONDS", 0.05)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        check_unavailable(url, cache, "timed out")


def test_unwritable_cache(server, tmp_path):
    (tmp_path / "hub").write_text("a file where a directory should be")
    with pytest.raises(WeightsUnavailableError, match="Not a directory"):
        imagenet_file("vgg16")


def test_damaged_cached_file(server, cache, handler):
    cache.mkdir(parents=True)
    (cache / FILE_NAME).write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError, match=r"is damaged: its SHA-256 .* Delete the file") as caught:
        imagenet_file("vgg16")
    assert not isinstance(caught.value, WeightsUnavailableError)
    assert str(cache / FILE_NAME) in str(caught.value)
    assert handler.asked == []
