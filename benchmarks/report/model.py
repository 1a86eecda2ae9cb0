"""Benchmark reports: one JSON document each, from which every table and page is rendered.

schema.json describes it. Times are in milliseconds, sizes in bytes; a value that is unknown or not
finite is null. Version 2 has cases in a latency report, where version 1 had one, and the kinds
video, stream, train, pictures and report (several documents together). Version 3 adds the build of
engines to a start, and the kinds espcn and realtime. Version 4 adds the processor's instructions,
its load, conditions of overhead and train, and the kind flicker; reports of version 3 are still
read.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...common.errors import InputError
from ...common.files import atomic_output
from ...runtime import ModelSpec, Upscaler
from ..machine.facts import Machine
from .schema import first_fault

SCHEMA = "framelift.benchmark"
SCHEMA_VERSION = 4
_UPGRADED_VERSION = 3

Document = dict[str, Any]


def new_document(
    kind: str,
    machine: Machine,
    settings: dict[str, Any],
    results: dict[str, Any],
    warnings: list[str],
    **more: object,
) -> Document:
    """The report of one benchmark, ready for `json.dumps`; `more` are further entries."""
    document = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": asdict(machine),
        **more,
        "settings": settings,
        "results": results,
        "warnings": warnings,
    }
    cleaned: Document = _clean(document)
    return cleaned


def build(
    kind: str,
    machine: Machine,
    upscaler: Upscaler,
    settings: dict[str, Any],
    results: dict[str, Any],
    warnings: list[str],
) -> Document:
    """The report of a benchmark of one model."""
    return new_document(
        kind,
        machine,
        settings,
        results,
        warnings,
        model=describe_model(upscaler.spec),
        runtime={**upscaler.describe(), "selection": upscaler.selection},
    )


def combine(documents: list[Document]) -> Document:
    """One document that holds several, in order."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "kind": "report",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "documents": [part for document in documents for part in parts(document)],
    }


def parts(document: Document) -> list[Document]:
    """The single reports in a document."""
    return list(document["documents"]) if document["kind"] == "report" else [document]


def read_document(path: Path) -> Document:
    """Read a report that was written as JSON, by this version or the one before.

    Raises InputError when it is missing, damaged, no report, or of another schema version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON, or is damaged") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{path}: is no report of `framelift bench`")
    found = document.get("schema_version")
    if found == _UPGRADED_VERSION:
        _upgrade(document)
    elif found != SCHEMA_VERSION:
        newer = isinstance(found, int) and found > SCHEMA_VERSION
        raise InputError(
            f"{path}: has schema version {found}, this framelift reads {_UPGRADED_VERSION} and "
            f"{SCHEMA_VERSION}: " + ("update framelift" if newer else "measure again")
        )
    if (fault := first_fault(document)) is not None:
        raise InputError(f"{path}: is a damaged report ({fault})")
    return document


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _upgrade(document: Document) -> None:
    """Make version 4 of version 3, in place, as far as the document is one."""
    for part in (document, *_listed(document.get("documents"))):
        part["schema_version"] = SCHEMA_VERSION
        machine, results = part.get("machine"), part.get("results")
        if isinstance(machine, dict):
            machine.setdefault("instructions", [])
        if isinstance(results, dict) and part.get("kind") in ("overhead", "train"):
            results.setdefault("conditions", None)
        conditions = results.get("conditions") if isinstance(results, dict) else None
        if isinstance(conditions, dict):
            conditions.setdefault("load_share", None)


def _listed(value: Any) -> list[Document]:  # noqa: ANN401 - any JSON value
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def describe_model(spec: ModelSpec) -> dict[str, Any]:
    """What a report says about a model."""
    return {
        "name": spec.name,
        "file": spec.path.name,
        "sha256": spec.sha256,
        "scale": spec.scale,
        "precision": spec.precision,
        "parameters": spec.parameters,
        "network": spec.network,
    }


def to_json(document: Document) -> str:
    """The document as text that any JSON reader takes."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_text(text: str, target: Path) -> None:
    """Write a report beside the target and rename it when complete; an older one is replaced.

    Raises OutputError.
    """
    with atomic_output(target, overwrite=True) as partial:
        partial.write_text(text, encoding="utf-8")


def _clean(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Round times to a nanosecond, turn non-finite numbers into null and tuples into lists."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
