"""Python's search for cycles of garbage, which costs a twentieth of a short command."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_search_for_garbage() -> Iterator[None]:
    """Inside, Python does not search; what is there at the end is never looked at again.

    For code that imports modules and builds what stays.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
