"""Who may ask: the token, pages of other origins, and what is logged."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import re
import time
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...web.site import HEADERS
from ..jobs.metrics import Metrics
from ..jobs.settings import Settings
from .answers import error_answer

_LOG = logging.getLogger("framelift.serve")
COOKIE = "framelift"
_ID = re.compile(r"/[0-9a-f]{32}(?=/|$)")
_CLOSED = ("/v1/", "/metrics")
_OPEN = ("/v1/session",)


def is_loopback(host: str) -> bool:
    """Whether a name or address to bind to is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def session_of(token: str) -> str:
    """The cookie of a browser that has shown the token, which it does not contain."""
    return hmac.new(token.encode(), b"framelift session", hashlib.sha256).hexdigest()


def is_right(given: str, wanted: str) -> bool:
    """Compare in constant time, so that guesses learn nothing from it."""
    return hmac.compare_digest(given.encode(), wanted.encode())


class Access:
    """The outermost layer: refuses, counts, logs, and adds headers.

    Paths are logged without queries, and no header ever is.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, metrics: Metrics, paths: Collection[str]
    ) -> None:
        """`paths` are those of the API, with {id}; the metrics count each of them."""
        self._app = app
        self._paths = paths
        self._token = settings.token
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            refused = self._refusal(Headers(scope=scope), scope["path"], scope["method"])
            if refused is not None:
                await error_answer(*refused)(scope, receive, noting_send)
            else:
                await self._app(scope, receive, noting_send)
        finally:
            seconds = time.perf_counter() - begun
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.answered(method, self._counted_as(scope["path"]), status or 500, seconds)
            _LOG.info(
                "%s %s %s %.0f ms", method, _ID.sub("/{id}", _path(scope)), status, 1000 * seconds
            )

    def _counted_as(self, path: str) -> str:
        """The path for the metrics, of which there must be only few."""
        path = _ID.sub("/{id}", path)
        return path if path in self._paths else ("page" if not path.startswith("/v1") else "other")

    def _refusal(
        self, headers: Headers, path: str, method: str
    ) -> tuple[int, str, str, dict[str, str]] | None:
        if self._token is None:
            problem = _foreign_page(headers, method)
            return None if problem is None else (403, "AccessError", problem, {})
        closed = path.startswith(_CLOSED) and path not in _OPEN
        if closed and not self._has_token(headers, self._token):
            return (
                401,
                "AccessError",
                "this server needs a token: send it as `Authorization: Bearer TOKEN`",
                {"WWW-Authenticate": "Bearer"},
            )
        return None

    def _has_token(self, headers: Headers, token: str) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return is_right(given.strip(), token)
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and is_right(cookie.value, session_of(token))


def _foreign_page(headers: Headers, method: str) -> str | None:
    """What is wrong with a request that a web page of another origin made a browser send.

    Without a token the server trusts everyone who reaches it, and any page that the user visits
    could reach it through the browser. A foreign name in Host is one whose owner pointed it at
    127.0.0.1 to get around the browser's rules (DNS rebinding).
    """
    host = headers.get("host", "")
    name = re.sub(r":\d*$", "", host)
    if not is_loopback(name.strip("[]")):
        return "this server has no token, so it only answers requests to 127.0.0.1 or localhost"
    origin = headers.get("origin")
    foreign = origin is not None and origin.partition("://")[2] != host
    crossing = headers.get("sec-fetch-site") == "cross-site" and method not in ("GET", "HEAD")
    if foreign or crossing:
        return "web pages from other origins cannot use this server"
    return None


def _path(scope: Scope) -> str:
    """The path on one line."""
    return ascii(scope["path"])[1:-1][:200]


_METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
