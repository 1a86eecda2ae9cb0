"""The description of the API, OpenAPI 3.1. Tests compare it with the routes and with answers."""

from __future__ import annotations

from ..jobs.options import FOR_ALL, FOR_IMAGES, FOR_VIDEOS, IMAGE_FORMATS
from ..jobs.settings import Settings
from .option_schemas import OPTION_SCHEMAS
from .schemas import Schema, all_schemas, reference

_FILE: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}


def describe(settings: Settings) -> Schema:
    """The OpenAPI document of a server with these settings."""
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "Framelift",
            "version": "1",
            "summary": "Upscales images and videos.",
            "description": "Errors are one line, in the form that `framelift --json` prints. "
            f"Limits of this server: {_limits(settings)}.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": _paths(),
        "components": {
            "schemas": all_schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "framelift"},
            },
        },
    }
    if settings.token is not None:
        document["security"] = [{"token": []}, {"session": []}]
    return document


def _limits(settings: Settings) -> str:
    limits = settings.limits
    return (
        f"{limits.bytes} bytes, {limits.pixels} pixels a picture or frame, {limits.frames} frames, "
        f"{limits.seconds:g} s of video, {limits.job_seconds:g} s of work"
    )


def _paths() -> Schema:
    job = {"name": "id", "in": "path", "required": True, "schema": {"$ref": reference("Id")}}
    return {
        "/v1/upscale": {"post": _upscale()},
        "/v1/jobs": {
            "get": _operation("List all jobs, newest first", {"200": _json("JobList")}),
            "post": _create_job(),
        },
        "/v1/jobs/{id}": {
            "parameters": [job],
            "get": _operation("Show a job", {"200": _json("Job"), "404": _error()}),
            "delete": _operation(
                "Cancel a job and remove its files",
                {"204": _empty("Removed"), "404": _error()},
            ),
        },
        "/v1/jobs/{id}/events": {
            "parameters": [job],
            "get": _operation(
                "Server-sent events: `progress` with the job after every change, at last `end` "
                "with the job, or `deleted`",
                {"200": _content("text/event-stream", {"type": "string"}), "404": _error()},
            ),
        },
        "/v1/jobs/{id}/input": {
            "parameters": [job],
            "get": _operation("Download the uploaded file", {"200": _file(), "404": _error()}),
        },
        "/v1/jobs/{id}/result": {
            "parameters": [job],
            "get": _operation(
                "Download the result; range requests work",
                {
                    "200": _file(),
                    "404": _error(),
                    "409": _error("The job is not done, or it failed"),
                },
                [_query("download", {"type": "string"}, "Make browsers save the file.")],
            ),
        },
        "/v1/uploads": _uploads(),
        "/v1/uploads/{id}": _upload(job),
        "/v1/models": {"get": _operation("List the models", {"200": _json("ModelList")})},
        "/v1/limits": {
            "get": _operation("Show the limits for one upload", {"200": _json("Limits")})
        },
        "/v1/session": {
            "post": _operation(
                "Get a cookie for the token, for players and links in a browser",
                {"204": _empty("The cookie is set"), "401": _error()},
            ),
            "delete": _operation("Remove the cookie", {"204": _empty("The cookie is removed")}),
        },
        "/metrics": {
            "get": _operation(
                "Show metrics for Prometheus", {"200": _content("text/plain", {"type": "string"})}
            )
        },
    }


def _upscale() -> Schema:
    picture_options = {name: OPTION_SCHEMAS[name] for name in (*FOR_ALL, *FOR_IMAGES)}
    picture_options["format"] = {"enum": [*IMAGE_FORMATS], "description": "Default: png."}
    return {
        **_operation(
            "Upscale one image and get the larger one",
            {
                "200": {
                    **_content("image/*", _FILE),
                    "headers": {
                        "X-Framelift-Note": {
                            "description": "What the command noted, such as a reduced depth.",
                            "schema": {"type": "string"},
                        }
                    },
                },
                "400": _error("A wrong option, or a damaged request"),
                "413": _error("The file is over a limit"),
                "415": _error("The file is not an image"),
                "422": _error("The file cannot be read"),
                "503": _error("The queue is full"),
            },
            [_query(name, schema, "") for name, schema in picture_options.items()],
        ),
        "requestBody": {
            "required": True,
            "content": {
                "image/*": {"schema": _FILE},
                "multipart/form-data": {"schema": _form(picture_options)},
            },
        },
    }


def _create_job() -> Schema:
    options = {name: OPTION_SCHEMAS[name] for name in (*FOR_ALL, *FOR_VIDEOS, *FOR_IMAGES)}
    return {
        **_operation(
            "Queue a video or an image",
            {
                "201": {
                    **_json("Job"),
                    "headers": {"Location": {"schema": {"type": "string"}}},
                },
                "400": _error("A wrong option, or a damaged request"),
                "404": _error("There is no such upload"),
                "409": _error("The upload is not finished"),
                "413": _error("The file is over a limit"),
                "503": _error("The queue is full"),
            },
        ),
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": _form(options)},
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["upload"],
                        "additionalProperties": False,
                        "properties": {
                            "upload": {"$ref": reference("Id")},
                            "options": {
                                "type": "object",
                                "additionalProperties": False,
                                "properties": options,
                            },
                        },
                    }
                },
            },
        },
    }


def _form(options: Schema) -> Schema:
    return {"type": "object", "required": ["file"], "properties": {"file": _FILE, **options}}


def _uploads() -> Schema:
    return {
        "options": _operation(
            "Show which parts of the tus protocol the server supports",
            {"204": _empty("Tus-* headers")},
        ),
        "post": _operation(
            "Start an upload (tus 1.0.0, creation)",
            {
                "201": {
                    "description": "Created; its address is in Location",
                    "headers": {"Location": {"schema": {"type": "string"}}},
                },
                "413": _error("The file is over the limit"),
                "503": _error("Too many unfinished uploads"),
            },
            [
                _header("Upload-Length", {"type": "integer", "minimum": 1}, True),
                _header("Upload-Metadata", {"type": "string"}, False),
            ],
        ),
    }


def _upload(job: Schema) -> Schema:
    return {
        "parameters": [job],
        "head": _operation(
            "Show how many bytes the server has received",
            {
                "200": {
                    "description": "The number of bytes is in Upload-Offset",
                    "headers": {"Upload-Offset": {"schema": {"type": "integer"}}},
                },
                "404": {"description": "No such upload"},
            },
        ),
        "patch": {
            **_operation(
                "Add bytes",
                {
                    "204": _empty("Added; Upload-Offset has the number of bytes received"),
                    "404": _error(),
                    "409": _error("Upload-Offset is not the number of bytes received"),
                },
                [_header("Upload-Offset", {"type": "integer", "minimum": 0}, True)],
            ),
            "requestBody": {
                "required": True,
                "content": {"application/offset+octet-stream": {"schema": _FILE}},
            },
        },
        "delete": _operation("Cancel the upload", {"204": _empty("Removed"), "404": _error()}),
    }


def _operation(summary: str, responses: Schema, parameters: list[Schema] | None = None) -> Schema:
    found: Schema = {"summary": summary, "responses": responses}
    if parameters:
        found["parameters"] = parameters
    return found


def _content(kind: str, schema: Schema) -> Schema:
    return {"description": "Success", "content": {kind: {"schema": schema}}}


def _json(name: str) -> Schema:
    return _content("application/json", {"$ref": reference(name)})


def _file() -> Schema:
    return _content("*/*", _FILE)


def _empty(text: str) -> Schema:
    return {"description": text}


def _error(text: str = "It does not exist, or has expired") -> Schema:
    return {**_json("Error"), "description": text}


def _query(name: str, schema: Schema, text: str) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": text}


def _header(name: str, schema: Schema, required: bool) -> Schema:
    return {"name": name, "in": "header", "required": required, "schema": schema}
