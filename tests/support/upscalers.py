"""Callables like an `Upscaler` that take 16 bits, or fail."""

from __future__ import annotations

from collections.abc import Sequence

from framelift.common.errors import InputError
from framelift.runtime.video.clip.frame import Image

from .clips import Nearest
from .waiting import wait_until


class DeepNearest(Nearest):
    """One that takes 16 bits, too."""

    depth = 8
    deep_problem = None

    def at_depth(self, depth: int) -> DeepNearest:
        made = DeepNearest(self.scale)
        made.depth = depth
        return made


class Interrupting(Nearest):
    """Fails at its n-th frame, as Ctrl-C might, when those before are written."""

    def __init__(self, after: int, written: Sequence[int]) -> None:
        """`written` are those that were, the fixture of this name."""
        super().__init__(2)
        self.after = after
        self._written, self._goal = written, len(written) + after

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        if self.calls == self.after:
            wait_until(lambda: len(self._written) >= self._goal, f"{self.after} frames written")
            raise InputError("interrupted")
        return super().__call__(frame, out)
