"""What a request brings: bytes, a form with a file, or JSON. Everything has a limit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from ...common.text import nesting
from ..jobs.errors import RequestError
from ..jobs.metrics import Metrics
from ..jobs.names import shown_name
from ..jobs.uploads import Uploads, Writer

_SILENCE_SECONDS = 60.0
_JSON_BYTES = 64 << 10
_FIELD_BYTES = 4 << 10
_MOST_PARTS = 30
_MOST_NESTING = 4


@dataclass
class Received:
    """A file and what came with it."""

    name: str = "file"
    """The client's name for it, only to be shown."""
    size: int = 0
    fields: dict[str, str] = field(default_factory=dict)


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises RequestError if the client falls silent or goes away."""
    stream = request.stream().__aiter__()
    while True:
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RequestError(408, f"nothing came for {_SILENCE_SECONDS:g} s") from None
        except ClientDisconnect:
            raise RequestError(400, "the connection was closed before the end") from None
        if piece:
            yield piece


async def receive_json(request: Request) -> dict[str, Any]:
    """The JSON object of the body. Raises RequestError for anything else."""
    body = bytearray()
    async for piece in pieces(request):
        body += piece
        if len(body) > _JSON_BYTES:
            raise RequestError(413, f"the JSON has more than {_JSON_BYTES} bytes", "LimitError")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError(400, "the body is not JSON") from None
    if not isinstance(document, dict) or nesting(document, _MOST_NESTING) > _MOST_NESTING:
        raise RequestError(400, "the body is not the JSON object that /openapi.json describes")
    return document


async def receive_bytes(
    request: Request, target: Path, uploads: Uploads, metrics: Metrics
) -> Received:
    """Write the whole body to `target`. Raises RequestError if it is too long."""
    received = Received()
    async with Writer(target) as writer:
        async for piece in pieces(request):
            received.size += len(piece)
            uploads.require_small(received.size)
            metrics.received(len(piece))
            await writer.write(piece)
    return received


async def receive_form(
    request: Request, target: Path, uploads: Uploads, metrics: Metrics
) -> Received:
    """Write the file of a form to `target`.

    Raises RequestError if the form is malformed or too long, or has no file or several.
    """
    _, parameters = parse_options_header(request.headers.get("content-type", ""))
    boundary = parameters.get(b"boundary")
    if not boundary:
        raise RequestError(400, "the form has no boundary in its Content-Type")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]
        async with Writer(target) as writer:
            async for piece in pieces(request):
                metrics.received(len(piece))
                parser.write(piece)
                uploads.require_small(form.received.size)
                await writer.write(form.take())
    except FormParserError:
        raise RequestError(400, "the form is damaged") from None
    form.require_whole()
    return form.received


class _Form:
    """Listens to the parser of a form with one file and some short fields."""

    def __init__(self) -> None:
        self.received = Received()
        self._bytes = bytearray()
        self._parts = self._files = 0
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = bytearray(), bytearray()
        self._field: str | None = None
        self._ended = False

    def callbacks(self) -> dict[str, Any]:
        """For the parser."""
        names = (
            "on_part_begin",
            "on_header_field",
            "on_header_value",
            "on_header_end",
            "on_headers_finished",
            "on_part_data",
            "on_part_end",
            "on_end",
        )
        return {name: getattr(self, name) for name in names}

    def take(self) -> bytes:
        """The bytes of the file that came since the last call."""
        data, self._bytes = bytes(self._bytes), bytearray()
        return data

    def require_whole(self) -> None:
        """Raise RequestError unless the form came to its end and has a file."""
        if not self._ended:
            raise RequestError(400, "the form is cut short")
        if not self._files:
            raise RequestError(400, "the form has no file: send it as the field `file`")

    def on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise RequestError(400, f"the form has more than {_MOST_PARTS} fields")
        self._headers, self._field = {}, None
        self._value = bytearray()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name, self._value = bytearray(), bytearray()

    def on_headers_finished(self) -> None:
        _, named = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._value = bytearray()
        if b"filename" in named:
            self._files += 1
            if self._files > 1:
                raise RequestError(400, "the form has several files: send one")
            self.received.name = shown_name(named[b"filename"].decode(errors="replace"))
            return
        self._field = named.get(b"name", b"").decode(errors="replace")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._bytes += data[start:end]
            self.received.size += end - start
            return
        self._value += data[start:end]
        if len(self._value) > _FIELD_BYTES:
            raise RequestError(400, "a field of the form is too long")

    def on_part_end(self) -> None:
        if self._field is not None:
            self.received.fields[self._field] = self._value.decode(errors="replace")

    def on_end(self) -> None:
        self._ended = True
