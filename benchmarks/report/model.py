"""Benchmark reports: one JSON document each, from which every table and page is rendered.

`documents.py` has their types, schema.json describes them. Version 2 has cases in a latency report,
where version 1 had one, and the kinds video, stream, train, pictures and report (several documents
together). Version 3 adds the build of engines to a start, and the kinds espcn and realtime. Version
4 adds the processor's instructions, its load, conditions of overhead and train, and the kind
flicker; reports of version 3 are still read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ...common.errors import InputError
from ...common.files import atomic_output
from ...runtime import ModelSpec, Upscaler
from ..machine.facts import Machine
from ..rivals.contender import Contender
from .documents import (
    SCHEMA,
    SCHEMA_VERSION,
    AnyDocument,
    AnySingle,
    Collection,
    Document,
    Single,
)
from .results import Model
from .settings import Runtime

D = TypeVar("D", bound=Single)

_UPGRADED_VERSION = 3
_MOST = 10**18


def new_document(
    kind: type[D],
    machine: Machine,
    settings: object,
    results: msgspec.Struct,
    warnings: list[str],
    upscaler: Upscaler | None = None,
) -> D:
    """The report of one benchmark, as JSON can show it; `settings` is a dataclass or a mapping, and
    `upscaler` the one model that was measured.
    """
    document = {
        "kind": kind.__struct_config__.tag,
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "created": _now(),
        "machine": machine,
        "settings": settings,
        "results": results,
        "warnings": warnings,
    }
    if upscaler is not None:
        document["model"] = describe_model(upscaler.spec)
        document["runtime"] = describe_runtime(upscaler)
    return msgspec.convert(_clean(msgspec.to_builtins(document)), kind)


def combine(documents: Sequence[AnyDocument]) -> Collection:
    """One document that holds several, in order."""
    return Collection(
        schema=SCHEMA,
        schema_version=SCHEMA_VERSION,
        created=_now(),
        documents=[part for document in documents for part in parts(document)],
    )


def parts(document: AnyDocument) -> list[AnySingle]:
    """The single reports in a document."""
    return list(document.documents) if isinstance(document, Collection) else [document]


def read_document(path: Path) -> AnyDocument:
    """Read a report that was written as JSON, by this version or the one before.

    Raises InputError when it is missing, damaged, no report, or of another schema version.
    """
    try:
        document = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON, or is damaged") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{path}: is not a report of `framelift bench`")
    found = document.get("schema_version")
    if found == _UPGRADED_VERSION:
        _upgrade(document)
    elif found != SCHEMA_VERSION:
        newer = isinstance(found, int) and found > SCHEMA_VERSION
        raise InputError(
            f"{path}: has schema version {found}, this framelift reads {_UPGRADED_VERSION} and "
            f"{SCHEMA_VERSION}: " + ("update framelift" if newer else "measure again")
        )
    try:
        return decode(document)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: is a damaged report ({_fault(error)})") from error


def decode(document: object) -> AnyDocument:
    """The report that a JSON value is. Raises msgspec.ValidationError."""
    if (place := next(_absurd(document), None)) is not None:
        raise msgspec.ValidationError(f"A number that cannot be measured - at `$.{place}`")
    decoded: AnyDocument = msgspec.convert(document, AnyDocument)
    return decoded


def _fault(error: msgspec.ValidationError) -> str:
    """What is wrong, after where it is."""
    what, _, place = str(error).partition(" - at `$")
    where = place.rstrip("`").lstrip(".")
    inner = re.match(r"documents\[(\d+)\]\.?", where)
    if inner:
        where = f"document {int(inner[1]) + 1}: {where[inner.end() :]}".rstrip(": ")
    what = what[0].lower() + what[1:]
    return f"{where}: {what}".lstrip(": ")


def _absurd(value: object, where: str = "") -> Iterator[str]:
    """Places of numbers that no table or chart could show: too large, or too near to 0."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _absurd(item, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _absurd(item, f"{where}[{index}]")
    elif isinstance(value, int | float) and value and not 1 / _MOST <= abs(value) <= _MOST:
        yield where


def _upgrade(document: dict[str, Any]) -> None:
    """Make version 4 of version 3, in place, as far as the document is one."""
    for part in (document, *_listed(document.get("documents"))):
        part["schema_version"] = SCHEMA_VERSION
        results = part.get("results")
        if isinstance(results, dict) and part.get("kind") in ("overhead", "train"):
            results.setdefault("conditions", None)
        conditions = results.get("conditions") if isinstance(results, dict) else None
        if isinstance(conditions, dict):
            conditions.setdefault("load_share", None)


def _listed(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def describe_model(spec: ModelSpec) -> Model:
    """What a report says about a model."""
    return Model(
        name=spec.name,
        file=spec.path.name,
        sha256=spec.sha256,
        scale=spec.scale,
        precision=spec.precision,
        parameters=spec.parameters,
        network=spec.network,
    )


def describe_runtime(contender: Contender) -> Runtime:
    """What a report says about what runs a model."""
    selection = contender.selection if isinstance(contender, Upscaler) else ""
    return {**contender.describe(), "selection": selection}


def to_json(document: Document) -> str:
    """The document as text that any JSON reader takes."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def write_text(text: str, target: Path) -> None:
    """Write a report beside the target and rename it when complete; an older one is replaced.

    Raises OutputError.
    """
    with atomic_output(target, overwrite=True) as partial:
        partial.write_text(text, encoding="utf-8")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _clean(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Round times to a nanosecond and turn non-finite numbers into null."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
