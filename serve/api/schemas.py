"""What the answers of the API look like, as JSON schemas."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def all_schemas() -> Schema:
    """Schema by name."""
    time = {"type": ["string", "null"], "format": "date-time"}
    count = {"type": ["integer", "null"], "minimum": 0}
    number = {"type": ["number", "null"], "minimum": 0}
    text = {"type": "string"}
    error = _object({"kind": text, "message": text})
    file = {"url": text, "media_type": text, "bytes": {"type": "integer", "minimum": 0}}
    progress = {
        "frames": {"type": "integer", "minimum": 0},
        "total": count,
        "fps": {"type": "number", "minimum": 0},
        "fraction": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "eta_seconds": number,
    }
    result = {**file, "name": text, "width": count, "height": count, "frames": count}
    model = {"name": text, "command": {"enum": ["upscale", "stylize"]}}
    return {
        "Id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "Error": _object({"schema": {"const": 1}, "error": error}),
        "Job": _object(
            {
                "id": {"$ref": reference("Id")},
                "state": {"enum": ["queued", "running", "done", "failed"]},
                "name": text,
                "kind": {"enum": ["image", "video"]},
                "options": {"type": "object", "additionalProperties": text},
                "created": {**time, "type": "string"},
                "started": time,
                "finished": time,
                "expires": {**time, "description": "When the job and its files are removed."},
                "position": {**count, "description": "Jobs that come before it, while queued."},
                "progress": {"anyOf": [_object(progress), {"type": "null"}]},
                "input": _object(file),
                "result": {"anyOf": [_object(result), {"type": "null"}]},
                "notes": {"type": "array", "items": text},
                "error": {"anyOf": [error, {"type": "null"}]},
            }
        ),
        "JobList": _list("jobs", {"$ref": reference("Job")}),
        "ModelList": _list(
            "models", {"type": "object", "required": ["name", "command"], "properties": model}
        ),
        "Limits": _object(
            {
                name: {"type": "number"}
                for name in (
                    "bytes",
                    "pixels",
                    "frames",
                    "seconds",
                    "job_seconds",
                    "keep_seconds",
                )
            }
        ),
    }


def reference(name: str) -> str:
    """Where the schema of that name is in the document."""
    return f"#/components/schemas/{name}"


def _object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _list(name: str, items: Schema) -> Schema:
    return _object({name: {"type": "array", "items": items}})
