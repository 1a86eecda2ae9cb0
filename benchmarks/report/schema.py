"""The published schema of reports, made from their types.

`python -m framelift.benchmarks.report.schema` writes it again after a change.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from .documents import SCHEMA_VERSION, AnyDocument

PATH = Path(__file__).with_name("schema.json")


def published_schema() -> str:
    """JSON Schema 2020-12 of every report, as text."""
    (top,), parts = msgspec.json.schema_components((AnyDocument,), ref_template="#/$defs/{name}")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:framelift:benchmark:{SCHEMA_VERSION}",
        "title": "Framelift benchmark report",
        "description": "What `framelift bench ... --json` writes. Times are in milliseconds and "
        "sizes in bytes unless the name says otherwise; null is unknown or not finite.",
        **top,
        "$defs": parts,
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(published_schema(), encoding="utf-8")
