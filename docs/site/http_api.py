"""The reference of the HTTP API as Markdown, made from its OpenAPI document."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from typing import Any

Schema = dict[str, Any]

# In a process of its own: mkdocstrings does not find packages that are imported here.
_CODE = """
import json
from pathlib import Path
from framelift.serve.api.openapi import describe
from framelift.serve.jobs.settings import Settings
print(json.dumps(describe(Settings(Path(), (), lambda command, arguments: None, {}))))
"""


@cache
def openapi_document() -> Schema:
    """What `GET /openapi.json` of a server with the default limits answers."""
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)
    document: Schema = json.loads(done.stdout)
    return document


def http_reference() -> str:
    """One section for each request, then the schemas."""
    document = openapi_document()
    lines: list[str] = []
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method, operation in item.items():
            if method != "parameters":
                lines += _operation(method, path, operation, shared)
    for name, schema in document["components"]["schemas"].items():
        lines += _schema(name, schema)
    return "\n".join(lines)


def _operation(method: str, path: str, operation: Schema, shared: list[Schema]) -> Iterator[str]:
    yield f"## {method.upper()} {path}\n"
    yield f"{operation['summary']}.\n"
    given = [
        (entry["in"], entry["name"], entry["schema"], entry.get("description", ""))
        for entry in [*shared, *operation.get("parameters", [])]
    ]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        properties = content["schema"].get("properties", {})
        options = properties.get("options", {}).get("properties", {})
        given += [
            (kind, name, schema, "") for name, schema in properties.items() if name != "options"
        ]
        given += [(kind, f"options.{name}", schema, "") for name, schema in options.items()]
        if not properties:
            given.append((kind, "the body", content["schema"], ""))
    if given:
        yield "| where | name | type | what it is |\n|---|---|---|---|"
        rows: dict[str, list[str]] = {}
        for where, name, schema, text in given:
            about = text or schema.get("description", "")
            rows.setdefault(f"| `{name}` | {_type(schema)} | {about} |", []).append(where)
        yield from (f"| {', '.join(places)} {row}" for row, places in rows.items())
        yield ""
    yield "| status | answer | when |\n|---|---|---|"
    for status, answer in operation["responses"].items():
        content = next(iter(answer.get("content", {}).items()), None)
        what = "–" if content is None else f"{content[0]} {_type(content[1]['schema'])}"
        yield f"| {status} {HTTPStatus(int(status)).phrase} | {what} | {answer['description']} |"
    yield ""


def _schema(name: str, schema: Schema) -> Iterator[str]:
    yield f"## {name} {{ #{name.lower()} }}\n"
    if "properties" not in schema:
        yield f"{_type(schema)}\n"
        return
    yield "| field | type | what it is |\n|---|---|---|"
    for field, inner in schema["properties"].items():
        yield f"| `{field}` | {_type(inner)} | {inner.get('description', '')} |"
    yield ""


def _type(schema: Schema) -> str:
    """A type in words; those with a name of their own are links."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "contentMediaType" in schema:
        return "a file"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if schema.get("type") == "object" and "properties" in schema:
        inner = ", ".join(f"`{name}` {_type(kind)}" for name, kind in schema["properties"].items())
        return f"object of {inner}"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    kinds = schema.get("type", "anything")
    text = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    return f"{text} like `{schema['pattern']}`" if "pattern" in schema else text
