"""What the structure of a file shows about its video."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Structure:
    """What the structure of a file shows, as far as its format has it."""

    fault: str = ""
    """What is wrong, or ""."""
    may_hide: bool = True
    """Frames may be left out on purpose, such as by a list of edits."""
    frames: int | None = None
    """How many frames the video has."""
    is_whole: bool = False
    """The file is as long as it states, to the byte."""
    lacks_bytes: bool = False
    """It states that it is longer than it is."""
    dolby_vision: int | None = None
    """The profile of Dolby Vision that is stated."""
