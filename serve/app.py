"""The ASGI application: routes, errors and access around a `Service`."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.routing import Route

from .api import about, jobs, uploads, upscale
from .api.access import Access
from .api.answers import HANDLERS
from .api.site import Page
from .jobs.service import Service

_LOG = logging.getLogger("framelift.serve")


class _Id(Convertor[str]):
    """32 hexadecimal digits; nothing else becomes part of a path."""

    regex = "[0-9a-f]{32}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("id", _Id())


def create_app(service: Service) -> Starlette:
    """The application; it starts and ends the work of `service`."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with service.running():
            yield

    job, upload = "/v1/jobs/{id:id}", "/v1/uploads/{id:id}"
    routes = [
        Route("/openapi.json", about.openapi, methods=["GET"]),
        Route("/metrics", about.metrics, methods=["GET"]),
        Route("/v1/models", about.models, methods=["GET"]),
        Route("/v1/limits", about.limits, methods=["GET"]),
        Route("/v1/session", about.open_session, methods=["POST"]),
        Route("/v1/session", about.close_session, methods=["DELETE"]),
        Route("/v1/upscale", upscale.upscale, methods=["POST"]),
        Route("/v1/uploads", uploads.describe, methods=["OPTIONS"]),
        Route("/v1/uploads", uploads.create, methods=["POST"]),
        Route(upload, uploads.state, methods=["HEAD"]),
        Route(upload, uploads.append, methods=["PATCH"]),
        Route(upload, uploads.delete, methods=["DELETE"]),
        Route("/v1/jobs", jobs.create, methods=["POST"]),
        Route("/v1/jobs", jobs.index, methods=["GET"]),
        Route(job, jobs.show, methods=["GET"]),
        Route(job, jobs.delete, methods=["DELETE"]),
        Route(f"{job}/events", jobs.events, methods=["GET"]),
        Route(f"{job}/input", jobs.source, methods=["GET"]),
        Route(f"{job}/result", jobs.result, methods=["GET"]),
    ]
    access = Middleware(
        Access,
        settings=service.settings,
        metrics=service.metrics,
        paths={route.path.replace("{id:id}", "{id}") for route in routes},
    )
    page = Page(service.settings.page_models, _LOG.warning)
    routes.append(Route("/{address:path}", page.answer, methods=["GET"]))  # what no other takes
    app = Starlette(
        routes=routes, middleware=[access], exception_handlers=HANDLERS, lifespan=lifespan
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return app
