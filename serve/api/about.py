"""What programs ask of the server itself: models, metrics, its description, a session."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..jobs.metrics import MEDIA_TYPE
from ..jobs.service import Service
from .access import COOKIE, is_right, session_of
from .answers import error_answer
from .openapi import describe


async def models(request: Request) -> Response:
    """GET /v1/models: what `model` can be."""
    service: Service = request.app.state.service
    listed = [
        {"name": model.name, "command": model.command, **model.facts}
        for model in service.settings.models.values()
    ]
    return JSONResponse({"models": listed})


async def metrics(request: Request) -> Response:
    """GET /metrics, for Prometheus."""
    service: Service = request.app.state.service
    return Response(service.metrics.text(), media_type=MEDIA_TYPE)


async def openapi(request: Request) -> Response:
    """GET /openapi.json."""
    service: Service = request.app.state.service
    return JSONResponse(describe(service.settings))


async def limits(request: Request) -> Response:
    """GET /v1/limits: what one upload may have, for pages and programs to say before."""
    settings = request.app.state.service.settings
    limits = settings.limits
    return JSONResponse(
        {
            "bytes": limits.bytes,
            "pixels": limits.pixels,
            "frames": limits.frames,
            "seconds": limits.seconds,
            "job_seconds": limits.job_seconds,
            "keep_seconds": settings.keep_seconds,
        }
    )


async def open_session(request: Request) -> Response:
    """POST /v1/session: a browser shows the token once and gets a cookie, for players and links.

    The cookie is of no use to scripts, to other sites and in place of the token elsewhere.
    """
    service: Service = request.app.state.service
    token = service.settings.token
    response = Response(status_code=204)
    if token is None:
        return response
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not is_right(given.strip(), token):
        return error_answer(
            401, "AccessError", "this is not the server's token", {"WWW-Authenticate": "Bearer"}
        )
    response.set_cookie(
        COOKIE,
        session_of(token),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


async def close_session(request: Request) -> Response:
    """DELETE /v1/session: forget the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
