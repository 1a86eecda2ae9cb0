"""A client that goes away leaves neither a process nor a file."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from ..support.waiting import PATIENCE_S, wait_until
from .conftest import Served, Start
from .test_restart import wait_until_gone, working_in


def head(server: Served, address: str, length: int, kind: str) -> bytes:
    lines = [
        f"POST {address} HTTP/1.1",
        f"Host: {server.client.base_url.host}",
        f"Content-Type: {kind}",
        f"Content-Length: {length}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def connect(server: Served) -> socket.socket:
    url = server.client.base_url
    return socket.create_connection((url.host, url.port), timeout=PATIENCE_S)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_while_an_image_is_upscaled(start: Start, photo: Path) -> None:
    server = start(command=(sys.executable, "-c", "import time; time.sleep(600)"))
    data = photo.read_bytes()
    with connect(server) as client:
        client.sendall(head(server, "/v1/upscale", len(data), "image/png") + data)
        wait_until(lambda: working_in(server.folder), "the process of the job")
    wait_until_gone(server.folder)
    server.idle()


@pytest.mark.parametrize("address", ["/v1/jobs", "/v1/upscale"])
def test_while_a_form_is_uploaded(server: Served, address: str) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    with connect(server) as client:
        kind = "multipart/form-data; boundary=x"
        client.sendall(head(server, address, 50_000_000, kind) + part + bytes(3_000_000))
        wait_until(server.left_over, "a part of the upload")
    server.idle()


def test_while_events_are_sent(server: Served, long_clip: Path) -> None:
    job = server.upload(long_clip)
    for _ in range(5):
        with connect(server) as client:
            client.sendall(
                f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            )
            assert client.recv(100)
    assert server.client.get(f"/v1/jobs/{job}").json()["state"] in ("queued", "running", "done")
    server.client.delete(f"/v1/jobs/{job}")
    server.idle()
