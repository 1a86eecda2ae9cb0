"""POST /v1/upscale: one image in, the larger image out, in one request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from ...common.text import one_line
from ..jobs.errors import RequestError
from ..jobs.job import Job, State
from ..jobs.names import MEDIA_TYPES, is_picture, known_suffix, media_type
from ..jobs.service import Service
from .answers import status_of
from .body import Received, receive_bytes, receive_form
from .jobs import new_job

_SUFFIXES = {
    kind: suffix for suffix, kind in reversed(MEDIA_TYPES.items()) if kind.startswith("image/")
}


async def upscale(request: Request) -> Response:
    """The image is the body itself or the file of a form; options are in the query or the form."""
    service: Service = request.app.state.service
    service.queue.require_room()
    path = await service.uploads.temporary(request.headers.get("content-length"))
    try:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            received = await receive_form(request, path, service.uploads, service.metrics)
            suffix = known_suffix(received.name)
        elif kind in _SUFFIXES:
            received = await receive_bytes(request, path, service.uploads, service.metrics)
            suffix = _SUFFIXES[kind]
            received.name = f"image{suffix}"
        else:
            kinds = ", ".join(sorted(_SUFFIXES))
            raise RequestError(
                415, f"send an image with its Content-Type ({kinds}), or a form with a file"
            )
        job = _job(received, suffix, dict(request.query_params), service)
        await service.queue.add(path, job, lasting=False)
    finally:
        await service.uploads.discard(path)
    try:
        await _finish(request, job, service)
    except BaseException:
        await service.queue.remove(job)
        raise
    return _Once(service, job)


def _job(received: Received, suffix: str, query: Mapping[str, str], service: Service) -> Job:
    if not is_picture(suffix):
        raise RequestError(
            415, f"{received.name}: is not named like an image; send videos to POST /v1/jobs"
        )
    options = {**query, **received.fields}
    return new_job(received.name, suffix, received.size, options, service.settings)


async def _finish(request: Request, job: Job, service: Service) -> None:
    """Wait for the job. Raises RequestError with its error, or if nobody waits for it any more."""
    finished = asyncio.create_task(service.queue.wait(job))
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait([finished, gone], return_when=asyncio.FIRST_COMPLETED)
        if not finished.done():
            raise RequestError(499, "the connection was closed before the end")
    finally:
        for task in (finished, gone):
            task.cancel()
        await asyncio.wait([finished, gone])
    if job.state is not State.DONE:
        error = job.error or {"kind": "BusyError", "message": "the server was stopped"}
        raise RequestError(status_of(error["kind"]), error["message"], error["kind"])


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class _Once(FileResponse):
    """A file that is gone when it has been sent."""

    def __init__(self, service: Service, job: Job) -> None:
        super().__init__(
            service.queue.folder(job) / job.result_file,
            media_type=media_type(job.result_suffix),
            filename=job.result_name,
            content_disposition_type="inline",
        )
        self._service, self._job = service, job
        for note in job.notes:
            line = one_line(note)
            self.headers.append("X-Framelift-Note", line.encode("ascii", "replace").decode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._service.queue.remove(self._job)
