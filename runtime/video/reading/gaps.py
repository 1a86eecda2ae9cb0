"""Gaps between frames that come evenly otherwise, as where some are lost."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

UNPROTECTED = frozenset({"asf", "mpeg", "mpegts"})
"""Formats that have neither a list of their frames nor a checksum, by FFmpeg's names."""
_MOST_STEPS = 64
_FEWEST = 20
_ROUNDING_SECONDS = Fraction(11, 10000)
_RARE = 10


class Gaps:
    """Takes the steps from frame to frame."""

    def __init__(self, time_base: Fraction) -> None:
        self._time_base = time_base
        self._steps: Counter[int] = Counter()
        self._first: dict[int, int] = {}

    def add(self, before: int, time: int) -> None:
        """Take the times of two frames that follow each other, in units of the time base."""
        step = time - before
        if step in self._steps or len(self._steps) < _MOST_STEPS:
            self._steps[step] += 1
            self._first.setdefault(step, before)

    def note(self) -> str:
        """A clause if there are few gaps and all else is even; else ""."""
        total = self._steps.total()
        if total < _FEWEST or len(self._steps) == _MOST_STEPS:
            return ""
        ((usual, _),) = self._steps.most_common(1)
        rounding = max(Fraction(1), _ROUNDING_SECONDS / self._time_base)
        gaps = {step: count for step, count in self._steps.items() if abs(step - usual) > rounding}
        number = sum(gaps.values())
        are_whole = all(
            step > usual and abs(step - usual * round(step / usual)) <= 2 * rounding
            for step in gaps
        )
        if not gaps or not are_whole or number * _RARE > total:
            return ""
        missing = sum((round(step / usual) - 1) * count for step, count in gaps.items())
        first = float(min(self._first[step] for step in gaps) * self._time_base)
        gap = "a gap" if number == 1 else f"{number} gaps"
        frames = "1 frame seems" if missing == 1 else f"{missing} frames seem"
        begins = "it begins" if number == 1 else "the first begins"
        return f"has {gap}, in which {frames} to be lost; {begins} at {first:.2f} s"
