"""Uploads in several requests, by the tus protocol."""

from __future__ import annotations

import io
import socket
from pathlib import Path

import httpx
import pytest
from tusclient.client import TusClient

from ..support.waiting import wait_until
from .conftest import Served, Start

ADDING = {"Content-Type": "application/offset+octet-stream"}


def begin(server: Served, length: int, name: str = "Y2xpcC5tcDQ=") -> str:
    answer = server.client.post(
        "/v1/uploads",
        headers={"Upload-Length": str(length), "Upload-Metadata": f"filename {name}"},
    )
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def add(server: Served, where: str, offset: int, data: bytes) -> httpx.Response:
    headers = {**ADDING, "Upload-Offset": str(offset)}
    return server.client.patch(where, headers=headers, content=data)


def start_job(server: Served, where: str, **options: object) -> httpx.Response:
    return server.client.post(
        "/v1/jobs",
        json={"upload": where.rpartition("/")[2], "options": {"model": "tiny", **options}},
    )


def test_a_client_of_the_protocol_uploads_a_clip_in_pieces_and_resumes(
    server: Served, clip: Path
) -> None:
    data = clip.read_bytes()
    client = TusClient(f"{server.client.base_url}/v1/uploads")
    first = client.uploader(
        file_stream=io.BytesIO(data), chunk_size=1000, metadata={"filename": "my clip.mp4"}
    )
    first.upload_chunk()  # type: ignore[no-untyped-call]
    assert first.url is not None
    again = client.uploader(file_stream=io.BytesIO(data), chunk_size=1000, url=first.url)
    assert again.offset == 1000
    again.upload()
    made = start_job(server, first.url, scale=2, no_audio=True)
    assert made.status_code == 201
    assert made.json()["name"] == "my clip.mp4"
    job = server.finished(made.json()["id"])
    assert (job["state"], job["result"]["width"]) == ("done", 128)
    assert server.client.get(job["input"]["url"]).content == data
    assert server.client.head(first.url).status_code == 404  # the job has it
    server.client.delete(made.headers["location"])
    server.idle()


def test_what_came_before_a_connection_broke_is_kept(server: Served) -> None:
    where = begin(server, 3_000_000)
    url = server.client.base_url
    with socket.create_connection((url.host, url.port)) as broken:
        lines = [
            f"PATCH {where} HTTP/1.1",
            f"Host: {url.host}",
            "Upload-Offset: 0",
            *(f"{name}: {value}" for name, value in ADDING.items()),
            "Content-Length: 3000000",
        ]
        broken.sendall("\r\n".join([*lines, "", ""]).encode() + bytes(1_500_000))

    def arrived() -> int:
        offset = int(server.client.head(where).headers["upload-offset"])
        return offset if offset >= 1_500_000 else 0

    offset = wait_until(arrived, "what was sent")
    assert add(server, where, 0, b"x").status_code == 409
    assert start_job(server, where).status_code == 409
    assert add(server, where, offset, bytes(1_500_000)).headers["upload-offset"] == "3000000"
    assert server.client.delete(where).status_code == 204
    server.idle()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Upload-Length": "0"}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "1e9"}, 400),
        ({"Upload-Length": "9" * 30}, 400),
        ({"Upload-Length": "5", "Tus-Resumable": "0.2.2"}, 412),
        ({"Upload-Length": "5", "Upload-Metadata": "filename ?"}, 400),
        ({"Upload-Length": str(1 << 50)}, 413),
    ],
)
def test_announcements_that_make_no_sense(
    server: Served, headers: dict[str, str], status: int
) -> None:
    answer = server.client.post("/v1/uploads", headers=headers)
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (status, True)
    server.idle()


def test_bytes_that_do_not_fit(server: Served) -> None:
    where = begin(server, 10)
    assert add(server, where, 0, bytes(11)).status_code == 413
    wrong = server.client.patch(where, headers={"Upload-Offset": "0"}, content=b"1")
    assert wrong.status_code == 415
    assert server.client.patch("/v1/uploads/../../etc/passwd", content=b"1").status_code == 405
    server.client.delete(where)
    server.idle()


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        b'{"upload": 5}',
        b'{"upload": "../../etc/passwd"}',
        b'{"upload": "00000000000000000000000000000000"}',
        b'{"upload": "x", "path": "/etc/passwd"}',
        b"[" * 50_000,
        b'{"upload": "x", "options": {"scale": ' + b"9" * 5000 + b"}}",
    ],
)
def test_json_that_makes_no_sense(server: Served, document: bytes) -> None:
    answer = server.client.post(
        "/v1/jobs", content=document, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["message"]


def test_options_of_strange_characters_are_one_line(server: Served) -> None:
    where = begin(server, 1)
    add(server, where, 0, b"x")
    for options in (
        r'{"\ud800": 1}',
        r'{"model": "\ud800"}',
        r'{"crf": {"a": 1}}',
        r'{"crf": null}',
    ):
        answer = server.client.post(
            "/v1/jobs",
            content=f'{{"upload": "{where.rpartition("/")[2]}", "options": {options}}}',
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["kind"] == "ConfigError"
    server.client.delete(where)
    server.idle()


def test_there_are_only_so_many_unfinished_uploads(start: Start) -> None:
    server = start(limits={"queue": 2})
    places = [begin(server, 5) for _ in range(2)]
    answer = server.client.post("/v1/uploads", headers={"Upload-Length": "5"})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "BusyError")
    server.client.delete(places[0])
    begin(server, 5)
