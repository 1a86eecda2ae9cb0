"""Reports of every kind are what the published schema says."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from framelift.benchmarks.report import (
    SCHEMA_VERSION,
    Document,
    combine,
    parts,
    read_document,
    to_json,
)
from framelift.imaging.errors import InputError

jsonschema = pytest.importorskip("jsonschema")

SCHEMA = Path(__file__).parents[2] / "docs" / "benchmark-schema.json"
KINDS = ("latency", "overhead", "quality", "video", "flicker", "stream", "pictures", "espcn",
         "realtime")  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return loaded


def faults(schema: dict[str, Any], document: Document) -> Iterator[str]:
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        yield f"{'/'.join(map(str, error.path))}: {error.message[:200]}"


def of_kind(schema: dict[str, Any], kind: str) -> dict[str, Any]:
    """Only one kind, so that a fault is named and not just "matches none"."""
    return {"$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]}


def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$defs"]["latency"]["properties"]["schema_version"] == {"const": SCHEMA_VERSION}


@pytest.mark.parametrize("kind", KINDS)
def test_reports_follow_the_schema(
    schema: dict[str, Any], reports: dict[str, Document], kind: str
) -> None:
    assert list(faults(of_kind(schema, kind), reports[kind])) == []
    assert list(faults(schema, reports[kind])) == []


def test_several_reports_together_follow_the_schema(
    schema: dict[str, Any], reports: dict[str, Document]
) -> None:
    together = combine([combine([reports["latency"]]), reports["video"]])
    assert [part["kind"] for part in parts(together)] == ["latency", "video"]
    assert list(faults(schema, together)) == []


def test_the_schema_is_strict(schema: dict[str, Any], reports: dict[str, Document]) -> None:
    changed = copy.deepcopy(reports["latency"])
    changed["results"]["cases"][0]["latency"]["p50_ms"] = "fast"
    assert list(faults(schema, changed))
    changed = copy.deepcopy(reports["latency"])
    changed["results"]["surprise"] = 1
    assert list(faults(schema, changed))


def test_reports_are_read_back(tmp_path: Path, reports: dict[str, Document]) -> None:
    path = tmp_path / "report.json"
    path.write_text(to_json(reports["stream"]), encoding="utf-8")
    assert read_document(path) == reports["stream"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no JSON", "is not JSON, or is damaged"),
        ("[1]", "is no report of `framelift bench`"),
        ('{"schema": "framelift.benchmark", "schema_version": 1}', "has schema version 1"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_document(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_document(tmp_path / "none.json")
