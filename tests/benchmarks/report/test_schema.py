"""Reports of every kind are what the published schema says."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from framelift.benchmarks.report.compare import compare, figures
from framelift.benchmarks.report.documents import SCHEMA_VERSION, AnyDocument, Collection
from framelift.benchmarks.report.model import combine, decode, parts, read_document
from framelift.benchmarks.report.page import to_html
from framelift.benchmarks.report.schema import PATH, published_schema
from framelift.benchmarks.report.tables import to_markdown, to_text
from framelift.common.errors import InputError
from tests.support.reports import Json, as_json

jsonschema = pytest.importorskip("jsonschema")

KINDS = (
    "latency",
    "overhead",
    "quality",
    "video",
    "flicker",
    "footage",
    "reuse",
    "stream",
    "train",
    "pictures",
    "espcn",
    "realtime",
)
TYPES = {kind.__struct_config__.tag: kind for kind in get_args(AnyDocument)}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def everything(reports: dict[str, Json], training_report: Json) -> dict[str, Json]:
    """A report of every kind."""
    together = combine([decode(report) for report in reports.values()])
    return {**reports, "train": training_report, "report": as_json(together)}


def faults(schema: dict[str, Any], document: Json) -> Iterator[str]:
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        yield f"{'/'.join(map(str, error.path))}: {error.message[:200]}"


def of_kind(schema: dict[str, Any], kind: str) -> dict[str, Any]:
    """Only one kind, so that a fault is named and not just "matches none"."""
    return {"$ref": f"#/$defs/{TYPES[kind].__name__}", "$defs": schema["$defs"]}


def first_fault(document: Json) -> str | None:
    """Why a report is not decoded, or None."""
    try:
        decode(document)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:framelift:benchmark:{SCHEMA_VERSION}"
    for kind in (*KINDS, "report"):
        version = schema["$defs"][TYPES[kind].__name__]["properties"]["schema_version"]
        assert version == {"enum": [SCHEMA_VERSION]}
    single = schema["$defs"][Collection.__name__]["properties"]["documents"]["items"]
    known = {item["$ref"] for item in single["anyOf"]}
    assert known == {f"#/$defs/{TYPES[kind].__name__}" for kind in KINDS}
    assert set(schema["discriminator"]["mapping"]) == {*KINDS, "report"}


def test_the_published_schema_is_that_of_the_types() -> None:
    """After a change: python -m framelift.benchmarks.report.schema."""
    assert PATH.read_text(encoding="utf-8") == published_schema()


@pytest.mark.parametrize("kind", KINDS)
def test_reports_follow_the_schema(
    schema: dict[str, Any], everything: dict[str, Json], kind: str
) -> None:
    assert list(faults(of_kind(schema, kind), everything[kind])) == []
    assert list(faults(schema, everything[kind])) == []
    assert first_fault(everything[kind]) is None


def test_several_reports_together_follow_the_schema(
    schema: dict[str, Any], reports: dict[str, Json]
) -> None:
    latency, video = (decode(reports[kind]) for kind in ("latency", "video"))
    together = combine([combine([latency]), video])
    assert [part.kind for part in parts(together)] == ["latency", "video"]
    assert list(faults(schema, as_json(together))) == []


def test_the_schema_is_strict(schema: dict[str, Any], reports: dict[str, Json]) -> None:
    changed = copy.deepcopy(reports["latency"])
    changed["results"]["cases"][0]["latency"]["p50_ms"] = "fast"
    assert list(faults(schema, changed))
    changed = copy.deepcopy(reports["latency"])
    changed["results"]["surprise"] = 1
    assert list(faults(schema, changed))


def test_reports_are_read_back(tmp_path: Path, reports: dict[str, Json]) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(reports["stream"]), encoding="utf-8")
    assert as_json(read_document(path)) == reports["stream"]


def damages(document: Json, most: int) -> Iterator[Json]:
    """The document with some of its parts removed or put in place of another type, spread over all
    of it; of a list the first item only.
    """

    def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401
        inner: Any = value.items() if isinstance(value, dict) else ()
        if isinstance(value, list) and value:
            inner = [(0, value[0])]
        for key, item in inner:
            yield (*path, key)
            yield from places(item, (*path, key))

    every = list(places(document))
    for index, path in enumerate(every[:: max(1, len(every) // most)]):
        changed = copy.deepcopy(document)
        parent: Any = changed
        for key in path[:-1]:
            parent = parent[key]
        if index % 2:
            del parent[path[-1]]
        else:
            parent[path[-1]] = [["damage"]]
        yield changed


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_reports_are_refused_or_harmless(
    schema: dict[str, Any], everything: dict[str, Json], kind: str
) -> None:
    """Our check finds what a validator finds, and what passes it breaks no table and no page."""
    found = 0
    for damaged in damages(copy.deepcopy(everything[kind]), most=40):
        expected = next(faults(of_kind(schema, kind), damaged), None)
        assert (first_fault(damaged) is None) == (expected is None), expected
        if expected is None:
            harmless = decode(damaged)
            to_text(harmless)
            to_html(harmless)
            list(figures(harmless))
        else:
            found += 1
    assert found > 15


def numbers(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401
    """Where numbers are; of a list in its first item only."""
    inner: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list) and value:
        inner = [(0, value[0])]
    for key, item in inner:
        if isinstance(item, int | float) and not isinstance(item, bool):
            yield (*path, key)
        yield from numbers(item, (*path, key))


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_that_were_never_measured_are_refused_or_harmless(
    everything: dict[str, Json], kind: str
) -> None:
    whole = copy.deepcopy(everything[kind])
    odd = [0, -1, 1e308, 1e18, 1e-18, 5e-324, 10**400]
    places = list(numbers(whole))
    refused = 0
    for index, path in enumerate(places):
        number = odd[index % len(odd)]
        changed = copy.deepcopy(whole)
        parent: Any = changed
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = number
        if first_fault(changed) is not None:
            refused += 1
            continue
        assert number not in (1e308, 5e-324, 10**400)
        harmless = decode(changed)
        to_text(harmless)
        to_markdown(harmless)
        to_html(harmless)
        with contextlib.suppress(InputError):  # a setting that figures are named by
            compare(decode(whole), harmless)
    assert refused


def test_reports_of_the_version_before_are_read(
    tmp_path: Path, everything: dict[str, Json]
) -> None:
    old = copy.deepcopy(everything["report"])
    old["documents"].append(copy.deepcopy(everything["train"]))
    for part in (old, *old["documents"]):
        part["schema_version"] = 3
    for part in old["documents"]:
        del part["machine"]["instructions"]
        if part["kind"] in ("overhead", "train"):
            del part["results"]["conditions"]
        elif "conditions" in part["results"]:
            del part["results"]["conditions"]["load_share"]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    read = read_document(path)
    assert read.schema_version == SCHEMA_VERSION
    assert to_text(read)
    comparison = compare(read, combine([decode(everything["report"]), decode(everything["train"])]))
    assert comparison.missing == ()
    assert comparison.worse_than(0) == []


def test_a_fault_is_named_with_its_place(tmp_path: Path, reports: dict[str, Json]) -> None:
    changed = copy.deepcopy(reports["latency"])
    changed["results"]["cases"][1]["latency"]["p50_ms"] = "fast"
    path = tmp_path / "report.json"
    together = as_json(combine([decode(reports["video"])]))
    together["documents"].append(changed)
    path.write_text(json.dumps(together), encoding="utf-8")
    place = r"document 2: results\.cases\[1\]\.latency\.p50_ms: expected `float`, got `str`"
    with pytest.raises(InputError, match=place):
        read_document(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no JSON", "is not JSON, or is damaged"),
        ("[1]", "is not a report of `framelift bench`"),
        ("[" * 100_000, "is not JSON, or is damaged"),
        ('{"schema": NaN}', "is not JSON, or is damaged"),
        ('{"schema": "framelift.benchmark", "schema_version": 1}', "version 1.*: measure again"),
        ('{"schema": "framelift.benchmark", "schema_version": 99}', "99.*: update framelift"),
        ('{"schema": "framelift.benchmark", "schema_version": "x"}', "version x, this"),
        (
            '{"schema": "framelift.benchmark", "schema_version": 3}',
            "damaged report .*missing required field `kind`",
        ),
        (
            '{"schema": "framelift.benchmark", "schema_version": 4, "kind": []}',
            "kind: expected `str`, got `list`",
        ),
        (
            '{"schema": "framelift.benchmark", "schema_version": 4, "kind": "report"}',
            "missing required field `created`",
        ),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_document(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_document(tmp_path / "none.json")
