"""Checks documents against schema.json, which describes every report that is written.

Only the keywords that our schema uses are known; an unknown one is an error of ours, not of the
document's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("schema.json")

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}
_MOST = 10**18
# What they say is no condition, or is read by the keyword beside it.
_SILENT = frozenset({"description", "title", "format", "$schema", "$id", "$defs"})


@cache
def schema() -> dict[str, Any]:
    """The published schema, JSON Schema 2020-12."""
    loaded: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return loaded


def first_fault(document: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """What is wrong with a report and where, or None. Reports are checked by their kind, so that
    the fault is named and not just "matches none".
    """
    kind = document.get("kind") if isinstance(document, dict) else None
    kinds = _kinds()
    if (place := next(_absurd(document), None)) is not None:
        return f"{place} is no number that could be measured"
    if kind == "report":
        documents = document.get("documents")
        for index, part in enumerate(documents if isinstance(documents, list) else ()):
            if (fault := first_fault(part)) is not None:
                return f"document {index + 1}: {fault}"
        return next(_faults(document, schema()["$defs"]["report"], ""), None)
    if kind not in kinds:
        return f"kind {kind!r} is none of {', '.join(kinds)}"
    return next(_faults(document, schema()["$defs"][kind], ""), None)


def _absurd(value: Any, where: str = "") -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Places of numbers that no table or chart could show: too large, or too near to 0."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _absurd(item, _join(where, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _absurd(item, f"{where}[{index}]")
    elif isinstance(value, int | float) and value and not 1 / _MOST <= abs(value) <= _MOST:
        yield where


@cache
def _kinds() -> tuple[str, ...]:
    single = schema()["$defs"]["single"]["oneOf"]
    return (*(item["$ref"].rpartition("/")[2] for item in single), "report")


def _faults(value: Any, rules: dict[str, Any], where: str) -> Iterator[str]:  # noqa: ANN401
    for keyword, rule in rules.items():
        if keyword not in _SILENT:
            yield from _CHECKS[keyword](value, rule, where, rules)


_Check = Callable[[Any, Any, str, dict[str, Any]], Iterator[str]]


def _type(value: Any, rule: Any, where: str, rules: dict[str, Any]) -> Iterator[str]:  # noqa: ANN401
    names = [rule] if isinstance(rule, str) else rule
    known = tuple(kind for name in names for kind in _TYPES[name])
    if not isinstance(value, known) or (isinstance(value, bool) and "boolean" not in names):
        yield f"{where or 'it'} is no {' or '.join(names)}"


def _limit(wrong: Callable[[Any, Any], bool], words: str, kind: Any) -> _Check:  # noqa: ANN401
    """A check of values of one kind; those of another are the `type` keyword's."""

    def check(value: Any, rule: Any, where: str, rules: dict[str, Any]) -> Iterator[str]:  # noqa: ANN401
        if isinstance(value, kind) and not isinstance(value, bool) and wrong(value, rule):
            yield f"{where} {words} {rule}"

    return check


def _constant(value: Any, rule: Any, where: str, rules: dict[str, Any]) -> Iterator[str]:  # noqa: ANN401
    if value != rule:
        yield f"{where} is not {rule!r}"


def _one_of(value: Any, rule: Any, where: str, rules: dict[str, Any]) -> Iterator[str]:  # noqa: ANN401
    faults = [next(_faults(value, choice, where), None) for choice in rule]
    if None not in faults:
        yield str(faults[0])


def _reference(value: Any, rule: Any, where: str, rules: dict[str, Any]) -> Iterator[str]:  # noqa: ANN401
    yield from _faults(value, schema()["$defs"][rule.rpartition("/")[2]], where)


def _required(value: Any, rule: Any, where: str, rules: dict[str, Any]) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, dict):
        yield from (f"{_join(where, name)} is missing" for name in rule if name not in value)


def _properties(value: Any, rule: Any, where: str, rules: dict[str, Any]) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, dict):
        for name, inner in rule.items():
            if name in value:
                yield from _faults(value[name], inner, _join(where, name))


def _more_properties(value: Any, rule: Any, where: str, rules: dict[str, Any]) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, dict):
        for name in value.keys() - rules.get("properties", {}).keys():
            if rule is False:
                yield f"{_join(where, name)} is unknown"
            else:
                yield from _faults(value[name], rule, _join(where, name))


def _items(value: Any, rule: Any, where: str, rules: dict[str, Any]) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults(item, rule, f"{where}[{index}]")


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


_NUMBERS = (int, float)
_CHECKS: dict[str, _Check] = {
    "$ref": _reference,
    "additionalProperties": _more_properties,
    "const": _constant,
    "enum": _limit(lambda value, rule: value not in rule, "is none of", object),
    "exclusiveMinimum": _limit(lambda value, rule: value <= rule, "is not above", _NUMBERS),
    "items": _items,
    "maxItems": _limit(lambda value, rule: len(value) > rule, "has a length above", list),
    "minItems": _limit(lambda value, rule: len(value) < rule, "has a length below", list),
    "minProperties": _limit(lambda value, rule: len(value) < rule, "has a length below", dict),
    "minimum": _limit(lambda value, rule: value < rule, "is below", _NUMBERS),
    "oneOf": _one_of,
    "pattern": _limit(lambda value, rule: not re.search(rule, value), "does not match", str),
    "properties": _properties,
    "required": _required,
    "type": _type,
}
