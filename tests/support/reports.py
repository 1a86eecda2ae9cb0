"""Reports as the JSON that is published, in which tests change and compare them."""

from __future__ import annotations

import json
from typing import Any

from framelift.benchmarks.report.documents import AnySingle, Document
from framelift.benchmarks.report.model import decode, parts, to_json

Json = dict[str, Any]


def as_json(document: Document) -> Json:
    """What is written with --json."""
    loaded: Json = json.loads(to_json(document))
    return loaded


def single(report: Json) -> AnySingle:
    """The report of one benchmark."""
    (one,) = parts(decode(report))
    return one
