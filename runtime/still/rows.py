"""Rows of a picture for work in strips: in memory, or of a file that is read part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from ...common.images import Picture, Pixels
from ...common.images.content.alpha import bleed
from ...common.images.parts import ImageParts
from ..session.grey import is_grey

_CUBIC_REACH = 4  # pixels around a strip that a cubic resize of it may look at

Part = tuple[Pixels, Pixels | None]
PartDone = Callable[[int, int], None]


class Rows(Protocol):
    """A picture whose rows are asked for from top to bottom."""

    width: int
    height: int
    head: Picture
    """What is known of the whole; some of its rows."""

    def is_grey(self) -> bool:
        """Whether the picture has no colour anywhere."""

    def colours(self, start: int, stop: int) -> Pixels:
        """Those rows, fewer at the end, n×W×3 BGR. A later call asks for no earlier start."""

    def alpha(self, start: int, stop: int) -> tuple[Pixels, int] | None:
        """Their transparency, m×W, with some rows around them, and how many are above them."""


class HeldRows:
    """A picture in memory as a whole."""

    def __init__(self, picture: Picture) -> None:
        self.head = picture
        self.height, self.width = picture.bgr.shape[:2]
        alpha = picture.alpha
        self._bgr = picture.bgr if alpha is None else bleed(picture.bgr, alpha)

    def is_grey(self) -> bool:
        """See `Rows`."""
        return is_grey(self._bgr)

    def colours(self, start: int, stop: int) -> Pixels:
        """See `Rows`."""
        return self._bgr[start:stop]

    def alpha(self, start: int, stop: int) -> tuple[Pixels, int] | None:
        """See `Rows`."""
        if self.head.alpha is None:
            return None
        top = max(0, start - _CUBIC_REACH)
        return self.head.alpha[top : stop + _CUBIC_REACH], start - top


class FileRows:
    """A file that is read from top to bottom: once to learn what holds for all of it, then again.

    `reach` is how many pixels around a visible one the network looks at: so far the colours of
    visible pixels are put under invisible ones.

    Raises InputError, at once: the file is damaged anywhere.
    """

    def __init__(
        self, parts: ImageParts, reach: int, progress: PartDone = lambda done, total: None
    ) -> None:
        """`progress` takes the rows that were looked at, at first 0, and all."""
        self.width, self.height = parts.width, parts.height
        self._margin = reach + _CUBIC_REACH
        self._is_grey, self._has_alpha = True, False
        done = 0
        progress(done, self.height)
        head: Picture | None = None
        for part in parts:
            if head is None:
                head = replace(part, bgr=part.bgr[:1].copy(), alpha=_rows(part.alpha, 0, 1))
            self._learn(part)
            done += len(part.bgr)
            progress(done, self.height)
        assert head is not None  # or the file were damaged
        self.head = head if self._has_alpha else replace(head, alpha=None)
        self._parts: Iterator[Picture] = iter(parts)
        self._start = 0
        self._held: Part | None = None

    def is_grey(self) -> bool:
        """See `Rows`."""
        return self._is_grey

    def colours(self, start: int, stop: int) -> Pixels:
        """See `Rows`."""
        if not self._has_alpha:
            return self._fetched(start, stop)[0]
        top = max(0, start - self._margin)
        bgr, alpha = self._fetched(top, min(self.height, stop + self._margin))
        assert alpha is not None
        return bleed(bgr, alpha)[start - top : stop - top]

    def alpha(self, start: int, stop: int) -> tuple[Pixels, int] | None:
        """See `Rows`; of rows whose colours were asked for last."""
        if self._held is None or not self._has_alpha:
            return None
        top = max(0, start - _CUBIC_REACH)
        held = self._held[1]
        assert held is not None
        return held[top - self._start : stop + _CUBIC_REACH - self._start], start - top

    def _learn(self, part: Picture) -> None:
        bgr = part.bgr
        if part.alpha is not None and part.alpha.min() < np.iinfo(part.alpha.dtype).max:
            self._has_alpha = True
        if self._is_grey and part.alpha is not None:
            bgr = np.where((part.alpha == 0)[..., None], 0, bgr)  # hidden colours do not count
        self._is_grey = self._is_grey and is_grey(bgr)

    def _fetched(self, start: int, stop: int) -> Part:
        """Those rows, which stay until later ones are asked for."""
        stop = min(stop, self.height)
        pieces: list[Part] = []
        if self._held is not None:
            drop = start - self._start
            pieces.append((self._held[0][drop:], _rows(self._held[1], drop, None)))
        count = sum(len(colours) for colours, _ in pieces)
        while start + count < stop:
            part = next(self._parts)
            pieces.append((part.bgr, part.alpha))
            count += len(part.bgr)
        self._held, self._start = _joined(pieces), start
        bgr, alpha = self._held
        return bgr[: stop - start], _rows(alpha, 0, stop - start)


def _rows(alpha: Pixels | None, start: int, stop: int | None) -> Pixels | None:
    return None if alpha is None else alpha[start:stop]


def _joined(pieces: list[Part]) -> Part:
    if len(pieces) == 1:
        return pieces[0]
    alphas = [alpha for _, alpha in pieces if alpha is not None]
    return (
        np.concatenate([bgr for bgr, _ in pieces]),
        np.concatenate(alphas) if alphas else None,
    )
