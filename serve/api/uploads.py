"""Uploads that can be resumed, by the tus protocol 1.0.0 (creation, termination).

https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request
from starlette.responses import Response

from ..jobs.errors import RequestError
from ..jobs.service import Service
from ..jobs.uploads import Upload, Writer
from .body import pieces

VERSION = "1.0.0"
_BASIC = {"Tus-Resumable": VERSION}
_DATA_TYPE = "application/offset+octet-stream"


async def describe(request: Request) -> Response:
    """OPTIONS /v1/uploads: what this server can do."""
    service: Service = request.app.state.service
    headers = {
        **_BASIC,
        "Tus-Version": VERSION,
        "Tus-Extension": "creation,termination",
        "Tus-Max-Size": str(service.settings.limits.bytes),
    }
    return Response(status_code=204, headers=headers)


async def create(request: Request) -> Response:
    """POST /v1/uploads: announce a file by its length."""
    service: Service = request.app.state.service
    _require_version(request)
    length = _number(request, "upload-length")
    if length == 0:
        raise RequestError(400, "Upload-Length is 0: the file is empty")
    upload = await service.uploads.create(_file_name(request), length)
    headers = {**_headers(upload), "Location": f"/v1/uploads/{upload.id}"}
    return Response(status_code=201, headers=headers)


async def state(request: Request) -> Response:
    """HEAD /v1/uploads/{id}: how many bytes are there."""
    service: Service = request.app.state.service
    upload = service.uploads.get(request.path_params["id"])
    return Response(headers=_headers(upload))


async def append(request: Request) -> Response:
    """PATCH /v1/uploads/{id}: add bytes at the offset that the client and the server agree on.

    What came before a connection broke is kept.
    """
    service: Service = request.app.state.service
    _require_version(request)
    upload = service.uploads.get(request.path_params["id"])
    kind = request.headers.get("content-type", "")
    if kind != _DATA_TYPE:
        raise RequestError(415, f"the Content-Type must be {_DATA_TYPE}")
    offset = _number(request, "upload-offset")
    service.uploads.claim(upload)
    try:
        if offset != upload.offset:
            raise RequestError(
                409,
                f"Upload-Offset is {offset}, but {upload.offset} bytes are there: continue there",
            )
        await _append(request, upload, service)
    finally:
        service.uploads.release(upload)
    return Response(status_code=204, headers=_headers(upload))


async def _append(request: Request, upload: Upload, service: Service) -> None:
    writer = Writer(upload.path)
    left = upload.length - upload.offset
    try:
        async with writer:
            async for piece in pieces(request):
                left -= len(piece)
                if left < 0:
                    raise RequestError(
                        413, f"the file is longer than its Upload-Length of {upload.length} bytes"
                    )
                await writer.write(piece)
    finally:
        upload.offset += writer.written
        service.metrics.received(writer.written)


async def delete(request: Request) -> Response:
    """DELETE /v1/uploads/{id}: give up an upload."""
    service: Service = request.app.state.service
    upload = service.uploads.get(request.path_params["id"])
    service.uploads.claim(upload)
    await service.uploads.remove(upload)
    return Response(status_code=204, headers=_BASIC)


def _headers(upload: Upload) -> dict[str, str]:
    return {
        **_BASIC,
        "Upload-Offset": str(upload.offset),
        "Upload-Length": str(upload.length),
    }


def _require_version(request: Request) -> None:
    """Refuse other versions of the protocol; without the header, this one is meant."""
    version = request.headers.get("tus-resumable", VERSION)
    if version != VERSION:
        raise RequestError(
            412, f"Tus-Resumable must be {VERSION}", headers={"Tus-Version": VERSION}
        )


def _number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise RequestError(400, f"the header {header.title()} must be a number of bytes")
    return int(text)


def _file_name(request: Request) -> str:
    """The `filename` in Upload-Metadata, `key base64,key base64`."""
    for pair in request.headers.get("upload-metadata", "").split(","):
        key, _, value = pair.strip().partition(" ")
        if key in ("filename", "name"):
            try:
                return base64.b64decode(value, validate=True).decode(errors="replace")
            except (binascii.Error, ValueError):
                raise RequestError(400, "the filename in Upload-Metadata is not base64") from None
    return "file"
