"""Answers of the API: JSON, and errors in the form of `--json`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from ...common.errors import FrameliftError
from ...common.text import one_line
from ..jobs.errors import RequestError

_LOG = logging.getLogger("framelift.serve")
SCHEMA = 1


def error_answer(
    status: int, kind: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """One line about what is wrong, for people and for programs."""
    document = {"schema": SCHEMA, "error": {"kind": kind, "message": one_line(message)}}
    return JSONResponse(document, status, headers)


def status_of(kind: str) -> int:
    """The HTTP status for an error of the command, by its kind."""
    return {
        "LimitError": 413,
        "MemoryError": 413,
        "UsageError": 400,
        "ConfigError": 400,
        "MissingDependencyError": 501,
        "BackendError": 503,
        "BusyError": 503,
        "ServerError": 500,
    }.get(kind, 422)


async def on_request_error(request: Request, error: Exception) -> JSONResponse:
    """The answer to a request that was refused."""
    assert isinstance(error, RequestError)
    return error_answer(error.status, error.kind, error.message, error.headers)


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """The answer to an unknown path or method."""
    assert isinstance(error, HTTPException)
    words = {
        404: "there is nothing at this address; /openapi.json lists all requests",
        405: "this address does not accept this method",
    }
    message = words.get(error.status_code, error.detail)
    return error_answer(error.status_code, "RequestError", message, error.headers)


async def on_disk_error(request: Request, error: Exception) -> JSONResponse:
    """The answer when the server's own disk refuses, whose paths are none of the client's."""
    _LOG.error("%s %s: %s", request.method, request.url.path, error)
    return error_answer(507, "OutputError", "the server cannot store this; its disk may be full")


async def on_fault(request: Request, error: Exception) -> JSONResponse:
    """The answer where the server itself is wrong. The traceback goes to its log."""
    return error_answer(500, "ServerError", "the server failed; its log has the details")


HANDLERS: dict[Any, Any] = {
    RequestError: on_request_error,
    HTTPException: on_http_error,
    OSError: on_disk_error,
    FrameliftError: on_disk_error,
    Exception: on_fault,
}
