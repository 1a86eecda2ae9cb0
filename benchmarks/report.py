"""Benchmark reports: one JSON document each, from which every table is rendered.

Document, schema version 1: `schema`, `schema_version`, `kind` (latency, overhead or quality),
`created` (UTC, ISO 8601), `machine` (see `Machine`), `model` (name, file, sha256, scale, ...),
`runtime` (`Upscaler.describe()` and the line of `auto`), `settings`, `results` (by kind) and
`warnings` (why the figures should not be quoted, if so). Times are in milliseconds, sizes in bytes;
a value that is unknown or not finite is null.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..runtime import Upscaler
from ..runtime.atomic import atomic_output
from .machine import Machine

SCHEMA = "framelift.benchmark"
SCHEMA_VERSION = 1

Document = dict[str, Any]


def build(
    kind: str,
    machine: Machine,
    upscaler: Upscaler,
    settings: dict[str, Any],
    results: dict[str, Any],
    warnings: list[str],
) -> Document:
    """The report of one benchmark, ready for `json.dumps`."""
    spec = upscaler.spec
    model = {
        "name": spec.name,
        "file": spec.path.name,
        "sha256": spec.sha256,
        "scale": spec.scale,
        "precision": spec.precision,
        "parameters": spec.parameters,
        "network": spec.network,
    }
    document = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": asdict(machine),
        "model": model,
        "runtime": {**upscaler.describe(), "selection": upscaler.selection},
        "settings": settings,
        "results": results,
        "warnings": warnings,
    }
    cleaned: Document = _clean(document)
    return cleaned


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
