"""The second upscaler of a model that is given frames of another depth."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from ..common.errors import ConfigError, FrameError
from ..common.notes import Say, say_on_stderr
from .models.contract import DEEP_BITS
from .models.depth import at_bits, depth_problem
from .models.file import ModelSpec
from .session.frames import bits_of
from .session.protocol import Frames


class Closable(Protocol):
    """What a sibling closes."""

    def close(self) -> None:
        """Free what it holds."""
        ...


U = TypeVar("U", bound=Closable)


class Sibling(Generic[U]):
    """The upscaler for frames of 16 bits that belongs to one for 8 bits, or the other way round;
    loaded when it is needed.
    """

    def __init__(
        self,
        spec: ModelSpec,
        source: Callable[[], ModelSpec] | None = None,
        load: Callable[[ModelSpec], U] | None = None,
        say: Say = say_on_stderr,
    ) -> None:
        """Of the model `spec`. `source` reads what to give the other depth, `load` opens that."""
        self._spec = spec
        self._read = source
        self._load = load
        self._say = say
        self._bits = 8 if spec.depth == DEEP_BITS else DEEP_BITS
        self._lock = threading.Lock()
        self._upscaler: U | None = None

    @cached_property
    def problem(self) -> str | None:
        """Why there is none, or None."""
        if self._load is None:
            return (
                f"{self._spec.name} was loaded for {self._spec.depth} bits only: use Upscaler.load"
            )
        return depth_problem(self._source, self._bits)

    @property
    def _source(self) -> ModelSpec:
        return self._spec if self._read is None else self._read()

    def for_frame(self, frame: Frames, proceed: Callable[[], None]) -> U | None:
        """What takes a frame or batch of the other depth; None for one that it need not take.

        `proceed` is as of `get`. Raises FrameError: it is uint16, and the model takes uint8 only.
        """
        if bits_of(frame) != self._bits:
            return None
        if self.problem is None:
            return self.get(proceed)
        if self._bits == DEEP_BITS:
            raise FrameError(f"the frame is uint16: {self.problem}, or pass uint8 frames")
        return None  # the check of what this depth takes says what to do with uint8

    def get(self, proceed: Callable[[], None]) -> U:
        """Load it if it is not. `proceed` is called before; what it raises ends the work.

        Raises ConfigError: the model has one depth only.
        """
        with self._lock:
            proceed()
            if self._upscaler is None:
                if self.problem is not None or self._load is None:
                    raise ConfigError(str(self.problem))
                self._upscaler = self._load(at_bits(self._source, self._bits))
                if self._source is not self._spec:
                    self._say(
                        f"{self._spec.name} is int8, which has 8 bits: frames of more are upscaled "
                        f"with {self._source.name} ({self._source.precision})"
                    )
            return self._upscaler

    def close(self) -> None:
        """Close it, if it was loaded."""
        if self._upscaler is not None:
            self._upscaler.close()
