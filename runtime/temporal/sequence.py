"""A sequence of frames through a model that takes several at once and returns one.

The window of a frame holds those before it and, `lookahead` of them, behind it; so the frame is
computed when those have come. At the ends of the sequence and of each scene the last frame is
repeated: nothing of one scene is seen in another.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from ..session.frames import as_batch, check_out, require_single
from ..session.pending import Pending
from ..session.protocol import Frames
from .cuts import Glance, glance, is_cut
from .ring import FrameRing


class WindowUpscaler(Protocol):
    """What is needed of an `Upscaler`."""

    @property
    def scale(self) -> int:
        """How many times larger the result is."""

    @property
    def depth(self) -> int:
        """Bits per channel of frames: 8 or 16."""

    @property
    def window(self) -> int:
        """How many frames are taken for each that is given."""

    @property
    def lookahead(self) -> int:
        """How many of them lie behind that one."""

    def submit_window(self, frames: Frames, out: Frames) -> Pending:
        """Start on `frames`, uint8 window×H×W×3, which may be changed on return; `out` is
        sH×sW×3.
        """


class PendingFrame:
    """A frame that was submitted to a sequence; see `Pending`."""

    def __init__(self, sequence: Sequence, number: int, out: Frames) -> None:
        self.number = number
        self.out = out
        self.running: Pending | None = None
        self._sequence = sequence

    @property
    def starved(self) -> bool:
        """Whether frames that it looks ahead to have not come."""
        return self.running is None

    @property
    def done(self) -> bool:
        """Whether `result` returns at once."""
        return self.running is not None and self.running.done

    def result(self) -> Frames:
        """Wait for the frame. If it is starved, the sequence ends with what was submitted.

        Raises BackendError: the engine failed, or the upscaler was closed meanwhile.
        """
        if self.running is None:
            self._sequence.end()
        assert self.running is not None
        return self.running.result()


class Sequence:
    """Frames that follow each other in time; used from one thread."""

    def __init__(self, upscaler: WindowUpscaler) -> None:
        self.scale = upscaler.scale
        self._depth = upscaler.depth
        self.lookahead = upscaler.lookahead
        self.history = upscaler.window - 1 - upscaler.lookahead
        """How many frames before a frame its window holds."""
        self._upscaler = upscaler
        self._ring = FrameRing(upscaler.window)
        self._waiting: deque[PendingFrame] = deque()
        self._shape: tuple[int, ...] = ()
        self._last: Glance | None = None

    def submit(self, frame: Frames, out: Frames) -> PendingFrame:
        """Take the next frame, H×W×3 of the upscaler's depth, which may be changed on return.

        `out` is such an array, sH×sW×3, to be left alone until the frame's `result` returns it.

        Raises FrameError: `frame` or `out` is not such an array. BackendError: the engine failed on
        this frame or on one before.
        """
        as_batch(frame, self._depth)
        require_single(frame)
        height, width, _ = frame.shape
        check_out(out, (height * self.scale, width * self.scale, 3), self._depth)
        self.prime(frame)
        self._waiting.append(PendingFrame(self, self._ring.end - 1, out))
        submitted = self._waiting[-1]
        while self._waiting and self._waiting[0].number + self.lookahead < self._ring.end:
            self._start_oldest()
        return submitted

    def prime(self, frame: Frames) -> None:
        """Take a frame from before the first of the output: the model sees it, without a result."""
        seen = glance(frame)
        same_scene = self._last is not None and frame.shape == self._shape
        if self._last is None or not same_scene or is_cut(self._last, seen):
            self.end()
            self._ring.start(frame)
            self._shape = frame.shape
        self._last = seen
        self._ring.append(frame)

    def end(self) -> None:
        """Compute what waits for more frames; the next frame begins a new sequence."""
        while self._waiting:
            self._start_oldest()
        self._last = None

    def _start_oldest(self) -> None:
        oldest = self._waiting[0]
        frames = self._ring.windowed(oldest.number - self.history)
        oldest.running = self._upscaler.submit_window(frames, oldest.out)
        self._waiting.popleft()


def run_sequence(upscaler: WindowUpscaler, frames: Frames, out: Frames) -> None:
    """Upscale N×H×W×3 that follow each other in time into `out`, N×sH×sW×3.

    Raises BackendError: the engine failed.
    """
    sequence = Sequence(upscaler)
    under_way = [sequence.submit(frame, big) for frame, big in zip(frames, out, strict=True)]
    for pending in under_way:
        pending.result()
