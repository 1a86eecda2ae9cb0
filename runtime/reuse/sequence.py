"""The frames of a clip through a model of one frame, computing only what changed.

The result is bit for bit that of computing everything. A frame that equals the one before it gets
the result of that one, on any backend. Parts of frames are reused where the session promises that
the results of a part do not depend on its size and place (`exact_regions`); now and then that is
checked against what is known, and no part is reused any more should it not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...common.errors import BackendError
from ...common.libraries.memory import is_out_of_memory
from ...common.notes import Say
from ..session.frames import as_batch, bits_of, check_out, require_single
from ..session.pending import Pending
from ..session.protocol import Frames
from .changed import same_bytes
from .kept import Holder, Kept
from .parts import WORTHWHILE, LayerParts, Parts, Past, RegionParts, WholeUpscaler, Work
from .timing import clock
from .watch import Watch


class ReusingFrame:
    """A frame that was submitted to a sequence; see `Pending`."""

    starved = False
    """It waits for no further frames; see `PendingFrame.starved`."""

    def __init__(
        self,
        pending: Pending,
        before: ReusingFrame | None = None,
        finish: Callable[[Frames], Frames] | None = None,
    ) -> None:
        """`finish` is called once with the result, after that of the frame before."""
        self._pending = pending
        self._before = before
        self._finish = finish
        self._result: Frames | None = None

    @property
    def done(self) -> bool:
        """Whether `result` returns at once."""
        frame: ReusingFrame | None = self
        while frame is not None and frame._pending.done:
            frame = frame._before
        return frame is None

    def result(self) -> Frames:
        """Wait for the frame.

        Raises BackendError: the engine failed, or the upscaler was closed meanwhile.
        """
        left: list[ReusingFrame] = []
        frame: ReusingFrame | None = self
        while frame is not None:  # a loop, since thousands of frames may be waiting
            left.append(frame)
            frame = frame._before
        for frame in reversed(left):
            result = frame._own_result()
        return result

    def _own_result(self) -> Frames:
        """The result, after that of the frame before."""
        if self._result is None:
            out = self._pending.result()
            self._result = out if self._finish is None else self._finish(out)
            self._before = self._finish = None
        return self._result


@dataclass(frozen=True)
class _Given:
    """What was submitted."""

    frame: Frames
    out: Frames
    source: Holder | None
    pool: Holder | None


class ReusingSequence:
    """Frames that follow each other in time; used from one thread."""

    lookahead = 0
    history = 0

    def __init__(self, upscaler: WholeUpscaler, say: Say) -> None:
        self._upscaler = upscaler
        self._say = say
        self._partly = upscaler.exact_regions
        self._watch = Watch(parts=self._partly)
        self._before, self._kept = Kept(), Kept()  # the last frame and its result
        self._was_grey = False
        self._last: ReusingFrame | None = None  # whose result is kept, or will be
        self._parts: Parts | None = None
        self._parts_size = (0, 0)
        self._layers_fit = True  # into memory
        self._whole_seconds = 0.0
        self._works_run, self._next_check = 0, 1
        self._frames = 0
        self._reused = 0.0

    @property
    def reused_share(self) -> float:
        """Share of all pixels so far that were not computed again, from 0 to 1."""
        return self._reused / self._frames if self._frames else 0.0

    def prime(self, frame: Frames) -> None:
        """Nothing is done with frames from before the first."""

    def end(self) -> None:
        """Compare the next frame with none."""
        self._last = None

    def submit(
        self,
        frame: Frames,
        out: Frames,
        pool: Holder | None = None,
        *,
        source: Holder | None = None,
    ) -> ReusingFrame:
        """Take the next frame, H×W×3, which may be changed on return.

        With the pool that it is of, `source`, it is kept there instead of being copied: it may be
        given back on return, and is not to be changed before it is taken again.

        `out` is sH×sW×3, to be left alone until the frame's `result` returns it. With the `pool`
        that it is of, `result` may return another array of that pool instead, which is not to be
        written to; `out` has then been given back.

        Raises:
            FrameError: `frame` or `out` is not such an array.
            BackendError: the engine failed.
        """
        upscaler = self._upscaler
        if bits_of(frame) not in (None, upscaler.depth):  # which another network computes
            self.end()
            return ReusingFrame(upscaler.submit(frame, out))
        batch, s = as_batch(frame, upscaler.depth), upscaler.spec.scale
        require_single(frame)
        if not frame.flags.c_contiguous:
            frame, source = batch[0], None
        check_out(out, (s * frame.shape[0], s * frame.shape[1], 3), upscaler.depth)
        self._frames += 1
        if not self._watch.close:
            self._watch.glance(frame)
            if not self._watch.close:
                self._last = None
                return ReusingFrame(self._upscaler.submit(frame, out))
        given, last = _Given(frame, out, source, pool), self._last
        try:
            return self._compared(given)
        except (BackendError, MemoryError) as error:
            if not isinstance(self._parts, LayerParts) or not is_out_of_memory(error):
                raise
            self._leave_layers()
            self._last = last
            return self._whole(given)

    def _compared(self, given: _Given) -> ReusingFrame:
        """Compute of a frame what its comparison with the last one leaves."""
        frame, before = given.frame, self._before.array
        if self._last is None or frame.shape != before.shape or frame.dtype != before.dtype:
            return self._whole(given)
        if same_bytes(before, frame):
            return self._same(given)
        parts = self._parts_for(frame)
        work = self._work(parts, given) if parts else None
        if work is not None and work.cost <= WORTHWHILE:
            return self._part(given, work)
        self._watch.missed(hopeless=parts is not None and work is None)
        return self._whole(given)

    def _parts_for(self, frame: Frames) -> Parts | None:
        """What computes parts of frames of that size, if anything does."""
        height, width, _ = frame.shape
        if not self._partly:
            self._parts = None
        elif self._parts is None or self._parts_size != (height, width):
            self._parts, self._parts_size = None, (height, width)  # freed before there is another
            layers = self._upscaler.keep_layers(height, width) if self._layers_fit else None
            self._parts = (
                RegionParts(self._upscaler, height, width)
                if layers is None
                else LayerParts(self._upscaler, layers)
            )
        return self._parts

    def _leave_layers(self) -> None:
        """Free what layers are kept in, and compute regions from now on."""
        self._layers_fit = False
        self._parts = RegionParts(self._upscaler, *self._parts_size)
        self._say(
            f"{self._upscaler.spec.name}: out of memory; what changes is computed in regions of a "
            "frame from here on, which takes longer"
        )

    def _same(self, given: _Given) -> ReusingFrame:
        """The result of the frame before."""
        self._watch.saved()
        self._reused += 1
        self._last = ReusingFrame(
            Pending(given.out), self._last, lambda out: self._kept.instead_of(out, given.pool)
        )
        return self._last

    def _whole(self, given: _Given) -> ReusingFrame:
        """Compute all of it, and keep it."""
        frame = given.frame
        before, self._last = self._last, None  # in case this fails
        parts = self._parts_for(frame)
        started = clock()
        submit = self._upscaler.submit if parts is None else parts.whole
        pending = submit(frame, given.out)
        if pending.done:
            seconds = clock() - started
            fastest = self._whole_seconds if frame.shape == self._before.array.shape else 0.0
            self._whole_seconds = min(seconds, fastest or seconds)
        self._before.take(frame, given.source)
        self._was_grey = self._upscaler.stays_grey(frame)
        self._last = ReusingFrame(pending, before, lambda out: self._kept.take(out, given.pool))
        return self._last

    def _work(self, parts: Parts, given: _Given) -> Work | None:
        """The parts to compute; None if nearly all of the frame is to be."""
        if self._last is None or self._upscaler.stays_grey(given.frame) != self._was_grey:
            return None
        self._last.result()  # which puts it into `_kept`
        past = Past(self._before.array, self._kept.array, self._was_grey)
        return parts.plan(past, given.frame, given.out, self._whole_seconds)

    def _part(self, given: _Given, work: Work) -> ReusingFrame:
        """Compute some parts, and take the rest of the frame before."""
        frame, out = given.frame, given.out
        self._last = None  # in case this fails
        if not self._holds(work):
            self._partly = False
            self._watch = Watch(parts=False)
            name = self._upscaler.spec.name
            self._say(
                f"{name}: parts of a frame come out slightly different on this machine: only whole "
                "frames that stay the same are reused from here on"
            )
            return self._whole(given)
        computed = work.run()
        self._before.take(frame, given.source)
        self._watch.saved()
        self._reused += max(0.0, 1 - computed)
        self._kept.take(out, given.pool)
        self._last = ReusingFrame(Pending(out))
        return self._last

    def _holds(self, work: Work) -> bool:
        """Whether the same parts of the last frame come out again as in its result.

        That is checked at the first frame of which parts are computed, at the eighth, the 64th,
        and so on: it takes time.
        """
        self._works_run += 1
        if self._works_run != self._next_check:
            return True
        self._next_check *= 8
        return work.holds()
