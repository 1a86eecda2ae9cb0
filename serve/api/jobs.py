"""Jobs over HTTP: made, watched, cancelled, and their files."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from ..jobs.errors import RequestError, not_found
from ..jobs.job import Job, State
from ..jobs.names import known_suffix, media_type
from ..jobs.options import plan
from ..jobs.service import Service
from ..jobs.settings import Settings
from .body import receive_form, receive_json

_PING_SECONDS = 15


def new_job(
    name: str, suffix: str, size: int, options: Mapping[str, object], settings: Settings
) -> Job:
    """The job for a file that is there. Raises RequestError for options that make no sense."""
    planned = plan(options, suffix, settings)
    if size == 0:
        raise RequestError(422, f"{name}: the file is empty", "InputError")
    return Job(
        name=name,
        suffix=suffix,
        result_suffix=planned.result_suffix,
        command=planned.command,
        options=planned.options,
        arguments=planned.arguments,
        input_bytes=size,
    )


async def create(request: Request) -> Response:
    """POST /v1/jobs: a form with a file, or JSON that names an upload."""
    service: Service = request.app.state.service
    service.queue.require_room()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        job = await _from_form(request, service)
    elif kind == "application/json":
        job = await _from_upload(request, service)
    else:
        raise RequestError(
            415, "send a form (multipart/form-data) with the file, or JSON that names an upload"
        )
    headers = {"Location": f"/v1/jobs/{job.id}"}
    return JSONResponse(service.queue.document(job), 201, headers)


async def _from_form(request: Request, service: Service) -> Job:
    path = await service.uploads.temporary(request.headers.get("content-length"))
    try:
        got = await receive_form(request, path, service.uploads, service.metrics)
        job = new_job(got.name, known_suffix(got.name), got.size, got.fields, service.settings)
        await service.queue.add(path, job)
    finally:
        await service.uploads.discard(path)
    return job


async def _from_upload(request: Request, service: Service) -> Job:
    document = await receive_json(request)
    if set(document) - {"upload", "options"} or not isinstance(document.get("upload"), str):
        raise RequestError(400, 'the JSON must be {"upload": ID, "options": {…}}')
    options = document.get("options") or {}
    if not isinstance(options, dict):
        raise RequestError(400, "`options` must be a JSON object")
    upload = service.uploads.get(document["upload"])
    service.uploads.claim(upload)
    try:
        if upload.offset < upload.length:
            raise RequestError(
                409, f"{upload.offset} of {upload.length} bytes are there: finish the upload first"
            )
        name = upload.name
        job = new_job(name, known_suffix(name), upload.length, options, service.settings)
        await service.queue.add(upload.path, job)
    finally:
        service.uploads.release(upload)
    await service.uploads.remove(upload)
    return job


async def index(request: Request) -> Response:
    """GET /v1/jobs: all jobs, newest first."""
    queue = request.app.state.service.queue
    return JSONResponse({"jobs": [queue.document(job) for job in queue.jobs()]})


async def show(request: Request) -> Response:
    """GET /v1/jobs/{id}."""
    queue = request.app.state.service.queue
    return JSONResponse(queue.document(queue.get(request.path_params["id"])))


async def delete(request: Request) -> Response:
    """DELETE /v1/jobs/{id}: cancel it, and remove all that there is of it."""
    queue = request.app.state.service.queue
    await queue.remove(queue.get(request.path_params["id"]))
    return Response(status_code=204)


async def events(request: Request) -> Response:
    """GET /v1/jobs/{id}/events: the job now and after every change, to its end."""
    service: Service = request.app.state.service
    job_id = request.path_params["id"]
    service.queue.get(job_id)  # 404 before anything is sent
    return EventSourceResponse(_events(service, job_id), ping=_PING_SECONDS)


async def _events(service: Service, job_id: str) -> AsyncIterator[ServerSentEvent]:
    async for document in service.queue.watch(job_id):
        if document is None:
            yield ServerSentEvent(json.dumps({"id": job_id}), event="deleted")
            return
        name = "end" if State(document["state"]).is_final else "progress"
        yield ServerSentEvent(json.dumps(document, ensure_ascii=False), event=name)


async def source(request: Request) -> Response:
    """GET /v1/jobs/{id}/input: the uploaded file."""
    queue = request.app.state.service.queue
    job = queue.get(request.path_params["id"])
    return FileResponse(
        queue.folder(job) / job.input_file,
        media_type=media_type(job.suffix),
        filename=job.name,
        content_disposition_type="inline",
    )


async def result(request: Request) -> Response:
    """GET /v1/jobs/{id}/result: what was made. With ?download, browsers save it."""
    queue = request.app.state.service.queue
    job = queue.get(request.path_params["id"])
    if job.state is State.FAILED and job.error is not None:
        raise RequestError(409, job.error["message"], job.error["kind"])
    if job.state is not State.DONE:
        raise RequestError(409, f"the job is {job.state}: there is no result yet")
    path = queue.folder(job) / job.result_file
    if not path.is_file():
        raise not_found("result")
    return FileResponse(
        path,
        media_type=media_type(job.result_suffix),
        filename=job.result_name,
        content_disposition_type="attachment" if "download" in request.query_params else "inline",
    )
