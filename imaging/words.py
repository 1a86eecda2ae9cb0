"""Words for what was probably meant."""

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
