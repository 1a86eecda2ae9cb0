"""Frames turned as they are to be shown, for targets that cannot state that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...common.libraries.opencv import load_cv2
from ...common.notes import Say
from .clip.frame import ClipFacts, Frame, Image
from .clip.pool import FramePool


@dataclass(frozen=True)
class Turn:
    """A turn by right angles or a mirroring: rows and columns change places, then two flips."""

    transposes: bool
    flips_across: bool
    flips_down: bool

    def __call__(self, image: Image, out: Image) -> Image:
        """Fill and return `out`, uint8 H×W×3, or W×H×3 if the turn transposes."""
        cv2 = load_cv2()
        codes = {(True, True): -1, (True, False): 1, (False, True): 0}
        code = codes.get((self.flips_across, self.flips_down))
        if code is not None:
            cv2.flip(cv2.transpose(image) if self.transposes else image, code, out)
        elif self.transposes:
            cv2.transpose(image, out)
        else:
            np.copyto(out, image)
        return out

    def facts(self, facts: ClipFacts) -> ClipFacts:
        """Of the turned frames of a clip, which are upright."""
        facts = replace(facts, display_matrix=None)
        if not self.transposes:
            return facts
        return replace(
            facts,
            width_px=facts.height_px,
            height_px=facts.width_px,
            sample_aspect_ratio=1 / facts.sample_aspect_ratio,
        )


def is_upright(matrix: tuple[int, ...]) -> bool:
    """Whether a display matrix leaves the picture as it is stored, wherever it puts it."""
    return _linear(matrix) == (1, 0, 0, 1)


def turn_of(matrix: tuple[int, ...]) -> Turn | None:
    """The turn of a display matrix, None for one of another angle.

    A pixel at (x, y) is shown at (a·x + c·y, b·x + d·y), with the matrix a, b, u, c, d, v, ...
    (ISO/IEC 14496-12, 6.2.2).
    """
    a, b, c, d = _linear(matrix)
    if a and d and not b and not c:
        return Turn(False, a < 0, d < 0)
    if b and c and not a and not d:
        return Turn(True, c < 0, b < 0)
    return None


def _linear(matrix: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The signs of a, b, c and d, where what is 1 % of the largest or less is rounding."""
    values = matrix[0], matrix[1], matrix[3], matrix[4]
    largest = max(map(abs, values))
    a, b, c, d = ((v > 0) - (v < 0) if abs(v) > largest / 100 else 0 for v in values)
    return a, b, c, d


class Turned:
    """Turns each frame. The buffers it gets go back to `pool`, those it returns are of `own`.

    `is_deep`: they have 16 bits per channel.
    """

    def __init__(
        self, frames: Iterable[Frame], turn: Turn, pool: FramePool, *, is_deep: bool
    ) -> None:
        self._frames = frames
        self._turn = turn
        self._pool = pool
        self.own = FramePool(_deep_array) if is_deep else FramePool()

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            height, width, channels = frame.bgr.shape
            shape = (width, height) if self._turn.transposes else (height, width)
            out = self._turn(frame.bgr, self.own.take((*shape, channels)))
            self._pool.give_back(frame.bgr)
            yield replace(frame, bgr=out)


def upright(
    frames: Iterable[Frame],
    facts: ClipFacts,
    pool: FramePool,
    *,
    is_deep: bool,
    name: str,
    target: str,
    say: Say,
) -> tuple[Iterable[Frame], ClipFacts, FramePool]:
    """The frames turned as they are to be shown, with their facts and the pool that they are of.

    `say` gets a line when the clip `name` is turned by another angle than `target` can have.
    """
    matrix = facts.display_matrix
    if matrix is None or is_upright(matrix):
        return frames, facts, pool
    turn = turn_of(matrix)
    if turn is None:
        say(
            f"{name}: its rotation is not a multiple of 90°, which {target} cannot store; the "
            "output is not rotated"
        )
        return frames, facts, pool
    turned = Turned(frames, turn, pool, is_deep=is_deep)
    return turned, turn.facts(facts), turned.own


def _deep_array(shape: tuple[int, ...]) -> Image:
    return np.empty(shape, np.uint16)
