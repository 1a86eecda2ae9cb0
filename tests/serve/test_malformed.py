"""200 malformed requests and files: no 500, no traceback, no file left."""

from __future__ import annotations

import random
import socket
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import httpx
import pytest

from ..support.waiting import PATIENCE_S
from .conftest import Served

_PATHS = (
    "/v1/jobs/{}",
    "/v1/jobs/{}/result",
    "/v1/jobs/{}/input",
    "/v1/jobs/{}/events",
    "/v1/uploads/{}",
    "/v1/models/{}",
    "/v1/session/{}",
    "/{}",
)
_IDS = (
    "0",
    "f" * 32,
    "F" * 32,
    "f" * 33,
    "..",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%00",
    "a%0d%0aX: y",
    "\N{SNOWMAN}",
    "'; DROP TABLE jobs; --",
    "-1",
    "a" * 3000,
    "NaN",
    ".",
)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW")
_PIECES = (
    b"\r\n",
    b"\x00\x01\x02",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /v1/upscale HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    b"POST /v1/upscale HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
    b"Content-Type: image/png\r\n\r\nshort",
    b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\nZZ\r\n",
    b"GET /v1/jobs HTTP/1.1\r\n\r\n",
    b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"a" * 4000 + b"\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
)
_FORMS = (
    b"",
    b"--x",
    b"--x--",
    b"--x\r\n\r\n",
    b"x" * 5000,
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\ncut short',
    b'--x\r\nContent-Disposition: form-data; name="scale"\r\n\r\n2\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; filename="a.png"\r\n\r\n\r\n--x--\r\n',
    b"--x\r\nContent-Disposition: attachment\r\n\r\n1\r\n--x--\r\n",
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n1\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="b"\r\n\r\n2\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="scale"\r\n\r\n' + b"1" * 9000 + b"\r\n--x--\r\n",
    b"--x\r\n" + b"A: b\r\n" * 500 + b"\r\n1\r\n--x--\r\n",
    b'--x\r\nContent-Disposition: form-data; name="\xff\xfe"\r\n\r\n\xff\r\n--x--\r\n',
    b"".join(
        b'--x\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n1\r\n' % n for n in range(60)
    )
    + b"--x--\r\n",
)
_TYPES = (
    "",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/mixed; boundary=x",
    "multipart/form-data; boundary=" + "y" * 300,
    "application/json",
    "text/plain",
    "image/svg+xml",
    "\xff",
    "application/json; charset=utf-16",
)


def requests() -> Iterator[tuple[str, str, dict[str, str], bytes]]:
    """Method, path, headers and body of requests that make no sense."""
    methods = iter(_METHODS * 40)
    for path in _PATHS:
        for name in _IDS:
            yield next(methods), path.format(name), {}, b""
    for address in ("/v1/upscale", "/v1/jobs"):
        for body in _FORMS:
            yield "POST", address, {"Content-Type": "multipart/form-data; boundary=x"}, body
        for kind in _TYPES:
            yield "POST", address, {"Content-Type": kind}, b"\xff\x00 no such thing"
        for query in ("?scale=nan", "?scale=-1", "?model=%00", "?" + "a=b&" * 500, "?format=../a"):
            yield "POST", address + query, {"Content-Type": "image/png"}, b"x"
    for headers in ({"Range": "bytes=9-1"}, {"Last-Event-ID": "\x7f"}, {"Authorization": "x"}):
        yield "GET", "/v1/models", headers, b""


def test_requests(server: Served) -> None:
    asked = list(requests())
    for method, path, headers, body in asked:
        try:
            answer = server.client.request(
                method,
                path,
                headers={key.encode(): value.encode("latin-1") for key, value in headers.items()},
                content=body,
            )
        except httpx.InvalidURL:
            continue
        assert answer.status_code < 500, (method, path, headers, body)
        assert "Traceback" not in answer.text
        if answer.status_code >= 400 and method != "HEAD":
            assert answer.json()["error"]["message"], answer.text
    url = server.client.base_url
    for piece in _PIECES:
        with socket.create_connection((url.host, url.port), timeout=PATIENCE_S) as raw:
            raw.sendall(piece)
            raw.shutdown(socket.SHUT_WR)
            answer_bytes = raw.recv(1 << 16)
            assert b" 500 " not in answer_bytes[:20], piece
            assert b"Traceback" not in answer_bytes
    assert len(asked) + len(_PIECES) >= 180
    server.idle()


def damaged(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """The file with bytes changed, cut off, or repeated."""
    draw = random.Random(seed)
    for number in range(count):
        changed = bytearray(data)
        for _ in range(draw.choice((1, 8, 60))):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        if number % 3 == 1:
            del changed[draw.randrange(len(changed)) :]
        elif number % 3 == 2:
            changed = changed[: draw.randrange(len(changed))] + changed
        yield bytes(changed)


def bomb(width: int, height: int) -> bytes:
    """A small PNG whose header states a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1 << 20))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def files(photo: Path, clip: Path) -> Iterator[tuple[str, bytes]]:
    image = cv2.imread(str(photo))
    assert image is not None
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    for name, data in (
        ("a.png", photo.read_bytes()),
        ("a.jpg", jpeg),
        ("a.mp4", clip.read_bytes()),
    ):
        for changed in damaged(data, 3, seed=len(data)):
            yield name, changed
    yield "bomb.png", bomb(60_000, 60_000)
    yield "bomb.png", bomb(0x7FFFFFFF, 0x7FFFFFFF)
    for name in (
        "a.webp",
        "a.tif",
        "a.bmp",
        "a.ppm",
        "a.gif",
        "a.mkv",
        "a.exe",
        "",
        "a\n.png",
        "é.mp4",
    ):
        yield name, b"P6 99999999 99999999 255 " if name == "a.ppm" else b"\x00\xffBM" * 50


def test_files(server: Served, photo: Path, clip: Path) -> None:
    sent = list(files(photo, clip))
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda file: _one(server, *file), sent))
    for location in filter(None, kept):
        assert server.client.delete(location).status_code == 204
    assert len(sent) >= 20
    server.idle()


def _one(server: Served, name: str, data: bytes) -> str | None:
    with httpx.Client(base_url=server.client.base_url, timeout=PATIENCE_S) as client:
        made = client.post("/v1/jobs", files={"file": (name, data)}, data={"model": "tiny"})
        assert made.status_code in (201, 400, 422), made.text
        if made.status_code != 201:
            return None
        with client.stream("GET", f"{made.headers['location']}/events") as events:
            for _ in events.iter_lines():
                pass
        job = client.get(made.headers["location"]).json()
        assert job["state"] in ("done", "failed")
        if job["state"] == "failed":
            assert job["error"]["kind"] in ("InputError", "LimitError", "OutputError"), job["error"]
            message = job["error"]["message"]
            assert "\n" not in message
            assert "Traceback" not in message
            assert str(server.folder) not in message
        return str(made.headers["location"])


@pytest.mark.slow
def test_the_files_that_once_failed(server: Served, shared: Path) -> None:
    kinds = (".mp4", ".mkv", ".tif", ".dv", ".png")
    sent = [path for path in (shared / "data" / "faults").iterdir() if path.suffix in kinds]
    for path in sent:
        location = _one(server, path.name, path.read_bytes())
        if location:
            server.client.delete(location)
    server.idle()


@pytest.mark.slow
def test_many_files(server: Served, photo: Path, clip: Path) -> None:
    sent = [
        (path.name, data) for path in (photo, clip) for data in damaged(path.read_bytes(), 100, 1)
    ]
    with ThreadPoolExecutor(4) as pool:
        for location in pool.map(lambda file: _one(server, *file), sent):
            server.client.delete(location or "/v1/jobs/none")
    server.idle()
