"""Words for what was probably meant, text as a terminal can show it, JSON as it can be
told."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(word: str, known: Iterable[str], most: int = 3) -> str:
    """The known words nearest to `word`, best first: " (did you mean a, b or c?)", or nothing."""
    near = difflib.get_close_matches(word.lower(), list(known), most)
    if not near:
        return ""
    *others, last = near
    return (
        f" (did you mean {', '.join(others)} or {last}?)" if others else f" (did you mean {last}?)"
    )


def printable(text: str) -> str:
    """Text on one line, without what moves a terminal's cursor."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def nesting(value: object, limit: int) -> int:
    """How deep lists and objects are nested; more than `limit` is not looked into."""
    if limit < 0 or not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max((nesting(item, limit - 1) for item in inner), default=0)
