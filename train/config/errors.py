"""What is wrong with a training config, in words that name the right key or value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from msgspec import inspect

from .schema import TrainConfig

Keys = dict[str, list[str]]


def explain(message: str, document: object) -> str:
    """msgspec's message about `document`, with the nearest key or value where one is unknown."""
    place = re.search(r"at `\$\.?(.*?)`", message)
    path = re.findall(r"[^.\[\]]+", place[1]) if place else []
    where = ".".join(path)
    if unknown := re.search(r"unknown field `(.+?)`", message):
        return _unknown_key(unknown[1], path, document)
    wrong = re.match(r"Invalid (?:enum )?value '(.*?)'", message)
    if wrong and (known := _choices_at(path, document)):
        return (
            f"`{where}` must be one of {', '.join(known)}, not {wrong[1]!r}{near(wrong[1], known)}"
        )
    if where == "loss" and message.startswith("Expected `array`"):
        return "`loss` must be a list of tables: write [[loss]] above each term"
    if missing := re.search(r"missing required field `(.+?)`", message):
        return f"`{where}.{missing[1]}` is missing".replace("`.", "`")
    return message.replace("`$.", "`").rstrip(".")


def near(word: str, known: Sequence[str]) -> str:
    """ ", did you mean …?" if a known word is like this one."""
    found = difflib.get_close_matches(word, known, 1)
    return f", did you mean '{found[0]}'?" if found else ""


def _unknown_key(key: str, path: Sequence[str], document: object) -> str:
    kinds = _structures_at(path, document)
    chosen = kinds[0]
    own = _keys_of(chosen)
    inside = f" in `{'.'.join(path)}`" if path else ""
    if chosen.tag_field is not None and (others := [s for s in kinds[1:] if key in _keys_of(s)]):
        theirs = " or ".join(f'"{other.tag}"' for other in others)
        return (
            f"unknown key `{key}`{inside}: it is for {chosen.tag_field} = {theirs}; "
            f'"{chosen.tag}" has {", ".join(own)}'
        )
    if found := difflib.get_close_matches(key, own, 1):
        return f"unknown key `{key}`{inside}, did you mean `{found[0]}`?"
    places = {key: place for place, held in vocabulary()[0].items() for key in held}
    if found := difflib.get_close_matches(key, sorted(places), 1):
        elsewhere = f"{places[found[0]]}.{found[0]}".lstrip(".")
        return f"unknown key `{key}`{inside}, did you mean `{elsewhere}`?"
    return f"unknown key `{key}`{inside}; it has {', '.join(own)}"


def _keys_of(structure: inspect.StructType) -> list[str]:
    return [field.encode_name for field in structure.fields]


def _choices_at(path: Sequence[str], document: object) -> list[str]:
    """The words allowed at a place."""
    kinds = _structures_at(path[:-1], document)
    if path[-1:] == [kinds[0].tag_field]:
        return [str(kind.tag) for kind in kinds]
    found = next((f.type for f in kinds[0].fields if f.encode_name == path[-1]), None)
    return [str(v) for v in found.values] if isinstance(found, inspect.LiteralType) else []


def _structures_at(path: Sequence[str], document: object) -> list[inspect.StructType]:
    """What a place of the document can be: first what it says that it is."""
    kinds = _structures(inspect.type_info(TrainConfig))
    for step in path:
        field = next((f.type for f in kinds[0].fields if f.encode_name == step), None)
        if field is not None:
            kinds = _structures(field) or kinds
        document = _inside(document, step)
        tag_field = kinds[0].tag_field
        if tag_field is not None and isinstance(document, dict):
            tag = document.get(tag_field)
            kinds = sorted(kinds, key=lambda kind: kind.tag != tag)
    return kinds


def _structures(kind: inspect.Type) -> list[inspect.StructType]:
    match kind:
        case inspect.StructType():
            return [kind]
        case inspect.UnionType():
            return [member for inner in kind.types for member in _structures(inner)]
        case inspect.VarTupleType():
            return _structures(kind.item_type)
    return []


def _inside(document: object, step: str) -> object:
    if isinstance(document, dict):
        return document.get(step)
    if isinstance(document, list) and step.isdecimal() and int(step) < len(document):
        return document[int(step)]
    return None


def vocabulary() -> tuple[Keys, Keys]:
    """The keys of the section at each dotted place, and the words allowed at each place, of all
    kinds together."""
    keys: Keys = {}
    choices: Keys = {}

    def visit(kind: inspect.Type, place: str) -> None:
        match kind:
            case inspect.StructType():
                dot = "." if place else ""
                if kind.tag_field is not None:
                    choices.setdefault(place + dot + kind.tag_field, []).append(str(kind.tag))
                for field in kind.fields:
                    held = keys.setdefault(place, [])
                    if field.encode_name not in held:
                        held.append(field.encode_name)
                    visit(field.type, place + dot + field.encode_name)
            case inspect.UnionType():
                for member in kind.types:
                    visit(member, place)
            case inspect.VarTupleType():
                visit(kind.item_type, place)
            case inspect.LiteralType():
                choices.setdefault(place, []).extend(str(value) for value in kind.values)

    visit(inspect.type_info(TrainConfig), "")
    return keys, choices
