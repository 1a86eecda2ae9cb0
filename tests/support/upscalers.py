"""Callables like an `Upscaler` that take 16 bits, or fail."""

from __future__ import annotations

import time
from collections.abc import Callable

from framelift.common.errors import InputError
from framelift.runtime.video.clip.frame import Image

from .clips import Nearest


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

    def __init__(self, after: int, settle: Callable[[], object] = lambda: time.sleep(0.5)) -> None:
        """`settle` waits until they are."""
        super().__init__(2)
        self.after = after
        self._settle = settle

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        if self.calls == self.after:
            self._settle()
            raise InputError("interrupted")
        return super().__call__(frame, out)
