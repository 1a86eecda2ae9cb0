"""Serves the page and its models on this machine, with the headers that threads need."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from ..common.errors import ConfigError
from ..common.notes import say_on_stderr
from ..common.text import one_line
from .site import HEADERS, built_files

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp4": "video/mp4",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
}
_SECONDS = 60.0
"""After which a client that sends or takes nothing is left."""


def cannot_listen(host: str, port: int, why: str) -> ConfigError:
    """The error of an address that no server can be bound to."""
    return ConfigError(
        f"{host}:{port} cannot be used ({why}): choose another with --host or --port"
    )


class PageServer(ThreadingHTTPServer):
    """The page at `url`. An address names a file of a fixed list, never a path."""

    daemon_threads = True

    def __init__(
        self,
        host: str,
        port: int,
        models: dict[str, Path],
        make_index: Callable[[], Mapping[str, object]],
    ) -> None:
        """Listen at `host` and `port`, 0 for any free one. `make_index` is called once, when asked.

        Raises:
            ConfigError: the host or port cannot be used.
            MissingDependencyError: the page is not built.
        """
        self.files = built_files()
        self.files |= {f"models/{name}.onnx": path for name, path in models.items()}
        self.files[""] = self.files["index.html"]
        self._make_index = make_index
        try:
            self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            if isinstance(error, UnicodeError):
                why = "not a host name"
            raise cannot_listen(host, port, str(why)) from error

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the page."""
        host, port = cast("tuple[str, int]", self.server_address[:2])
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    @cached_property
    def index(self) -> bytes:
        """What `models/index.json` holds."""
        return json.dumps(self._make_index(), ensure_ascii=False).encode()

    def handle_error(self, request: object, client_address: object) -> None:
        """One line about a fault of ours; browsers that went away are none."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            say_on_stderr(f"a request failed: {one_line(error)}")


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version = "framelift"
    sys_version = ""
    timeout = _SECONDS

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        try:
            address = unquote(urlsplit(self.path).path).removeprefix("/")
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        if address == "models/index.json":
            self._send(self.server.index, with_body)
        elif address in self.server.files:
            self._send_file(self.server.files[address], with_body)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send(self, data: bytes, with_body: bool) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", _TYPES[".json"])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def _send_file(self, path: Path, with_body: bool) -> None:
        try:
            file = path.open("rb")
        except OSError:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with file:
            facts = path.stat()
            tag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'
            known = self.headers.get("If-None-Match") == tag
            self.send_response(HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK)
            self.send_header("ETag", tag)
            self.send_header("Last-Modified", formatdate(facts.st_mtime, usegmt=True))
            if not known:
                self.send_header(
                    "Content-Type", _TYPES.get(path.suffix, "application/octet-stream")
                )
                self.send_header("Content-Length", str(facts.st_size))
            self.end_headers()
            if with_body and not known:
                shutil.copyfileobj(file, self.wfile)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache")  # asked again, but not sent again
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""
