"""What happens to the pixels of a frame between the source and the sink."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Protocol, runtime_checkable

import numpy as np

from ...common.libraries.opencv import load_cv2
from ..reuse import ReusingSequence
from ..reuse.sequence import ReusingFrame
from ..session.frames import dtype_of
from ..session.pending import Pending
from ..temporal import PendingFrame, Sequence
from .clip.fit import Scaling, factor_of
from .clip.frame import Image
from .clip.pool import FramePool
from .sanity import has_structure, refuse_nonsense


class FrameUpscaler(Protocol):
    """What the pipeline needs of an `Upscaler`."""

    @property
    def scale(self) -> int:
        """How many times wider and higher the result is."""

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        """Upscale uint8 H×W×3 BGR into `out`, uint8 sH×sW×3, and return it."""


@runtime_checkable
class PipelinedUpscaler(FrameUpscaler, Protocol):
    """An `Upscaler`, which can return before a frame is finished."""

    def submit(self, frame: Image, out: Image) -> Pending:
        """See `Upscaler.submit`."""

    def empty(self, shape: tuple[int, ...]) -> Image:
        """See `Upscaler.empty`."""


def pool_for(upscaler: FrameUpscaler) -> FramePool:
    """A pool of arrays that the upscaler reads and writes without a copy."""
    if isinstance(upscaler, PipelinedUpscaler):
        return FramePool(upscaler.empty)
    dtype = dtype_of(getattr(upscaler, "depth", 8))
    return FramePool(lambda shape: np.empty(shape, dtype))


@runtime_checkable
class SequenceUpscaler(FrameUpscaler, Protocol):
    """An `Upscaler`, which may look at several frames of a clip."""

    @property
    def window(self) -> int:
        """How many frames it takes for each that it returns."""

    def sequence(self) -> Sequence | ReusingSequence:
        """See `Upscaler.sequence`."""


class FrameStep:
    """The upscaler, then if asked for a resize to another size, then the input beside it.

    The frames are those of one clip, in their order.

    Args:
        upscaler: what makes the frame larger.
        factor: output size over input size, or what the output fits into, when it is not the
            upscaler's own: the result is resized, with area averages when it shrinks and Lanczos
            when it grows.
        compare: put the input, enlarged bicubically, to the left of the result.
        reuse: do not compute again what did not change since the last frame.
    """

    def __init__(
        self,
        upscaler: FrameUpscaler,
        *,
        factor: Scaling | None = None,
        compare: bool = False,
        reuse: bool = True,
    ) -> None:
        self._upscaler = upscaler
        self._sequence: Sequence | ReusingSequence | None = None
        if isinstance(upscaler, SequenceUpscaler) and (upscaler.window > 1 or reuse):
            self._sequence = upscaler.sequence()
        self._factor: Scaling = factor or Fraction(upscaler.scale)
        self._size_px: tuple[int, int] | None = None
        self._is_checked = False
        self._compare = compare
        nothing: Image = np.empty((0, 0, 3), np.uint8)
        self._small = self._before = nothing  # kept from frame to frame
        self._big = pool_for(upscaler)

    def pool(self) -> FramePool:
        """A pool of arrays for frames that are given to it or come from it."""
        return pool_for(self._upscaler)

    def keep_size(self, size_px: tuple[int, int]) -> None:
        """Make every result that wide and high, whatever the frame's size: for a sink that cannot
        change its size.
        """
        self._size_px = size_px

    @property
    def lookahead(self) -> int:
        """How many further frames must be submitted before one is done."""
        return self._sequence.lookahead if self._sequence else 0

    @property
    def history(self) -> int:
        """How many frames before the first one are to be shown to `prime`, if there are any."""
        return self._sequence.history if self._sequence else 0

    @property
    def reused_share(self) -> float:
        """Share of the pixels so far that were not computed again, from 0 to 1."""
        sequence = self._sequence
        return sequence.reused_share if isinstance(sequence, ReusingSequence) else 0.0

    def prime(self, image: Image) -> None:
        """Look at a frame from before the first one."""
        if self._sequence:
            self._sequence.prime(image)

    def output_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Width and height of what becomes of a frame of that size."""
        if self._size_px is not None:
            return self._size_px
        factor = factor_of(self._factor, width_px, height_px)
        width, height = (max(1, round(side * factor)) for side in (width_px, height_px))
        return width * 2 if self._compare else width, height

    def enlarged_alpha(self, alpha: Image) -> Image:
        """The transparency of a frame, H×W, as large as what becomes of the frame."""
        size = self.output_size(alpha.shape[1], alpha.shape[0])
        big: Image = load_cv2().resize(alpha, size, interpolation=load_cv2().INTER_CUBIC)
        return big

    def output_shape(self, image: Image) -> tuple[int, int, int]:
        """The shape of what becomes of `image`, uint8 H×W×3."""
        width, height = self.output_size(image.shape[1], image.shape[0])
        return height, width, 3

    def __call__(self, image: Image, out: Image) -> Image:
        """Fill and return `out`, of the shape that `output_shape` says."""
        return self.submit(image, out).result()

    def submit(
        self,
        image: Image,
        out: Image,
        pool: FramePool | None = None,
        *,
        source: FramePool | None = None,
    ) -> PendingStep:
        """Start on `image`, which may be changed on return; see `Upscaler.submit`.

        With the `pool` that `out` is of, the result may be another array of it, which is not to be
        written to; `out` has then been given back. With the pool that `image` is of, `source`, it
        may be kept there, and is not to be changed.
        """
        check = self._check(image)
        after = out
        if self._compare:
            half = out.shape[1] // 2
            cv2 = load_cv2()
            self._before = _fitting(self._before, (out.shape[0], half, 3), out)
            size = half, out.shape[0]
            cv2.resize(image, size, dst=self._before, interpolation=cv2.INTER_CUBIC)
            np.copyto(out[:, :half], self._before)
            after = out[:, half:]
        scale = self._upscaler.scale
        shape = (image.shape[0] * scale, image.shape[1] * scale, 3)
        if after.shape == shape and after.flags.c_contiguous:
            started = self._start(image, after, pool if after is out else None, source)
            return PendingStep(started, check=check)
        big = self._big.take(shape)

        def fit(big: Image) -> Image:
            self._fit(big, after)
            return out

        return PendingStep(self._start(image, big, self._big, source), fit, check)

    def _check(self, image: Image) -> Callable[[Image], None] | None:
        """What to do with the output of the first frame that shows something, or `None`."""
        if self._is_checked or not has_structure(image):
            return None
        self._is_checked = True
        before = image.copy()
        spec = getattr(self._upscaler, "spec", None)
        name = getattr(spec, "name", "the model")
        return lambda output: refuse_nonsense(before, output, name)

    def once(self, image: Image) -> Image:
        """What becomes of `image`, in a new array."""
        return self(image, np.empty(self.output_shape(image), image.dtype))

    def _start(
        self, image: Image, big: Image, pool: FramePool | None, source: FramePool | None
    ) -> Pending | PendingFrame | ReusingFrame:
        if isinstance(self._sequence, ReusingSequence):
            return self._sequence.submit(image, big, pool, source=source)
        if self._sequence:
            return self._sequence.submit(image, big)
        upscaler = self._upscaler
        if isinstance(upscaler, PipelinedUpscaler):
            return upscaler.submit(image, big)
        return Pending(upscaler(image, big))

    def _fit(self, big: Image, after: Image) -> None:
        """Bring the upscaled frame to the size of the output, and give its array back."""
        if after.shape == big.shape:
            np.copyto(after, big)
        else:
            cv2 = load_cv2()
            shrinks = after.shape[0] < big.shape[0]
            method = cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4
            size = after.shape[1], after.shape[0]
            if after.flags.c_contiguous:
                cv2.resize(big, size, dst=after, interpolation=method)
            else:
                self._small = _fitting(self._small, after.shape, after)
                cv2.resize(big, size, dst=self._small, interpolation=method)
                np.copyto(after, self._small)
        self._big.give_back(big)


class PendingStep:
    """A frame under way: `result` waits for it and does what is left to do."""

    def __init__(
        self,
        pending: Pending | PendingFrame | ReusingFrame,
        finish: Callable[[Image], Image] | None = None,
        check: Callable[[Image], None] | None = None,
    ) -> None:
        """`finish` makes the frame of what the upscaler gave, after `check` looked at it."""
        self._pending = pending
        self._finish = finish
        self._check = check

    @property
    def done(self) -> bool:
        """Whether nothing has to be waited for."""
        return self._pending.done

    @property
    def starved(self) -> bool:
        """Whether it looks ahead to frames that were not submitted yet."""
        return isinstance(self._pending, PendingFrame) and self._pending.starved

    def result(self) -> Image:
        """The frame. To be called once; a starved one is then the last of its clip.

        Raises BackendError.
        """
        big = self._pending.result()
        if self._check is not None:
            self._check(big)
        return big if self._finish is None else self._finish(big)


def _fitting(kept: Image, shape: tuple[int, ...], like: Image) -> Image:
    """`kept` if it has that shape and the type of `like`, else a new array."""
    fits = kept.shape == shape and kept.dtype == like.dtype
    return kept if fits else np.empty(shape, like.dtype)
