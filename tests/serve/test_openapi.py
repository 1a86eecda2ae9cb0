"""The published description is valid, complete, and what the answers are like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import jsonschema
from openapi_spec_validator import validate
from starlette.routing import Route

from framelift.serve.app import create_app

from .conftest import Served


def document(server: Served) -> dict[str, Any]:
    answer = server.client.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_it_is_valid(server: Served) -> None:
    validate(document(server))


def test_it_has_every_route_and_no_other(server: Served) -> None:
    routes = {
        (route.path.replace(":id}", "}"), method.lower())
        for route in create_app(server.service).routes
        if isinstance(route, Route) and route.path not in ("/{address:path}", "/openapi.json")
        for method in route.methods or ()
    }
    described = {
        (path, method)
        for path, item in document(server)["paths"].items()
        for method in item
        if method != "parameters"
    }
    # Starlette answers HEAD wherever it answers GET.
    assert {entry for entry in routes if entry[1] != "head" or entry in described} == described


def require(description: dict[str, Any], name: str, answer: httpx.Response) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": description["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer.json())


def test_answers_are_as_described(server: Served, photo: Path, clip: Path) -> None:
    description, client = document(server), server.client
    for address, name in (("models", "ModelList"), ("limits", "Limits"), ("jobs", "JobList")):
        require(description, name, client.get(f"/v1/{address}"))
    for path in (photo, clip):
        made = client.post(
            "/v1/jobs", files={"file": (path.name, path.read_bytes())}, data={"model": "tiny"}
        )
        require(description, "Job", made)
        where = made.headers["location"]
        server.finished(made.json()["id"])
        require(description, "Job", client.get(where))
        client.delete(where)
    broken = client.post("/v1/jobs", files={"file": ("a.mp4", b"x")}, data={"model": "tiny"})
    server.finished(broken.json()["id"])
    require(description, "Job", client.get(broken.headers["location"]))
    require(description, "Error", client.get(f"{broken.headers['location']}/result"))
    require(description, "Error", client.get("/v1/jobs/nothing"))
    require(description, "Error", client.put("/v1/jobs"))
    require(description, "Error", client.post("/v1/jobs", content=b"x"))
    client.delete(broken.headers["location"])
