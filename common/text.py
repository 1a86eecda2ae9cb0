"""Words for what was probably meant, errors on one line, text as a terminal can show it, how deep
JSON is nested."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""What Persian and Hindi words and some emoji are written with."""


def suggestion(word: str, known: Iterable[str], most: int = 3) -> str:
    """The known words nearest to `word`, best first: " (did you mean a, b or c?)", or nothing."""
    near = difflib.get_close_matches(word.lower(), list(known), most)
    if not near:
        return ""
    *others, last = near
    return (
        f" (did you mean {', '.join(others)} or {last}?)" if others else f" (did you mean {last}?)"
    )


def one_line(what: object, most: int | None = None) -> str:
    """The text, or an error's, on one line of at most `most` characters; the name of the error's
    type where it has no text.
    """
    lines = (line.replace("\t", " ").strip() for line in str(what).splitlines())
    return " ".join(filter(None, lines))[:most] or _type_name(what)


def first_line(error: BaseException, most: int | None = None) -> str:
    """The first line of an error's text, of at most `most` characters, or the name of its type."""
    return str(error).strip().partition("\n")[0].rstrip()[:most] or _type_name(error)


def _type_name(what: object) -> str:
    return type(what).__name__ if isinstance(what, BaseException) else ""


def printable(text: str) -> str:
    """Text on one line, without what moves a terminal's cursor."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in _JOINERS else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def nesting(value: object, limit: int) -> int:
    """How deep lists and objects are nested; more than `limit` is not looked into."""
    if limit < 0 or not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max((nesting(item, limit - 1) for item in inner), default=0)


def counted(count: int | str, noun: str) -> str:
    """A number with its noun in the right form."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
