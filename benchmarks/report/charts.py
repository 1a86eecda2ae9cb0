"""Charts as inline SVG; colours and fonts come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH = 960
_LEFT, RIGHT = 330, 30
COLOURS = 6
_FEW = 4


@dataclass(frozen=True)
class Distribution:
    """Samples of one case, in ms."""

    name: str
    samples: Sequence[float]


@dataclass(frozen=True)
class Stack:
    """A bar of stages, in ms or shares; `limit` is marked on it."""

    name: str
    parts: dict[str, float]
    limit: float | None = None


def distributions(cases: Sequence[Distribution]) -> str:
    """A histogram for each case above a common logarithmic axis, with p50, p95 and p99."""
    low = min(min(case.samples) for case in cases) * 0.95
    high = max(max(case.samples) for case in cases) * 1.05
    axis = LogAxis(low, max(high, low * 1.5))
    row, top = 46, 10
    height = top + row * len(cases) + 34
    parts = [log_grid(axis, top, top + row * len(cases), "ms")]
    for index, case in enumerate(cases):
        base = top + row * (index + 1) - 8
        p50, p95, p99 = (float(p) for p in np.percentile(case.samples, (50, 95, 99)))
        parts.append(_label(case.name, base - 13))
        text = f"p50 {short(p50)} · p99 {short(p99)} ms"
        parts.append(words(_LEFT - 12, base + 2, text, "soft", "end"))
        parts.append(_histogram(case.samples, axis, base, row - 16, index))
        for x in map(axis.at, (p50, p95, p99)):
            parts.append(f'<path class="tick" d="M{x:.1f} {base + 1}v5"/>')
    note = "ticks below each: p50, p95, p99"
    parts.append(words(_LEFT, height - 4, note, "soft"))
    return svg(height, "".join(parts), "distributions of latency")


def stacks(bars: Sequence[Stack], unit: str = "ms", limit: str = "limit of this machine") -> str:
    """Horizontal bars; `limit` is what the marks on them mean."""
    names = list(dict.fromkeys(name for bar in bars for name in bar.parts))
    longest = max(max(sum(bar.parts.values()), bar.limit or 0) for bar in bars)
    axis = _Axis(0, longest * 1.12 if longest > 0 else 1.0)
    row, top = 34, 34
    height = top + row * len(bars) + 30
    parts = [_legend(names, limit if any(bar.limit for bar in bars) else "")]
    parts.append(_linear_grid(axis, top, top + row * len(bars), unit))
    for index, bar in enumerate(bars):
        y, start = top + row * index + 6, 0.0
        parts.append(_label(bar.name, y + 15))
        for name, value in bar.parts.items():
            x, width = axis.at(start), axis.at(start + value) - axis.at(start)
            title = f"<title>{escape(name)}: {value:.3g} {unit}</title>"
            parts.append(
                f'<rect class="c{names.index(name) % COLOURS}" x="{x:.1f}" y="{y}" '
                f'width="{max(width, 0):.1f}" height="22">{title}</rect>'
            )
            start += value
        parts.append(words(axis.at(start) + 6, y + 15, short(start), "soft"))
        if bar.limit is not None:
            parts.append(f'<path class="limit" d="M{axis.at(bar.limit):.1f} {y - 3}v28"/>')
    return svg(height, "".join(parts), "time by stage")


def bars(rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    """Groups of bars from 0 to 100 %: one group for each name, one bar for each entry."""
    axis = _Axis(0, 100)
    names = list(dict.fromkeys(name for _, values in rows for name in values))
    row, top = 14, 34
    parts, y = [_legend(names, "")], top
    for group, values in rows:
        parts.append(_label(group, y + row * len(values) / 2 + 4))
        for name, share in values.items():
            parts.append(
                f'<rect class="c{names.index(name) % COLOURS}" x="{axis.at(0):.1f}" y="{y}" '
                f'width="{axis.at(100 * share) - axis.at(0):.1f}" height="{row - 3}"/>'
            )
            y += row
        y += 12
    grid = _linear_grid(axis, top - 6, y - 6, "%")
    return svg(y + 24, grid + "".join(parts), "share of the time that each stage works")


class _Axis:
    """Maps values to horizontal positions."""

    def __init__(self, low: float, high: float, left: float = _LEFT) -> None:
        self.low, self.high, self.left = low, high, left

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.left + min(1.0, max(0.0, share)) * (WIDTH - RIGHT - self.left)


class LogAxis(_Axis):
    def at(self, value: float) -> float:
        low, high = math.log(self.low), math.log(self.high)
        share = (math.log(value) - low) / (high - low)
        return self.left + min(1.0, max(0.0, share)) * (WIDTH - RIGHT - self.left)


def _histogram(
    samples: Sequence[float], axis: LogAxis, base: float, height: float, index: int
) -> str:
    edges = np.geomspace(axis.low, axis.high, 90)
    counts, _ = np.histogram(samples, edges)
    steps = []
    for count, start, stop in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            x, width = axis.at(float(start)), axis.at(float(stop)) - axis.at(float(start))
            tall = height * count / counts.max()
            steps.append(f"M{x:.1f} {base}v{-tall:.1f}h{width:.1f}v{tall:.1f}z")
    return f'<path class="c{index % COLOURS} pale" d="{"".join(steps)}"/>'


def log_grid(axis: LogAxis, top: float, bottom: float, unit: str) -> str:
    if axis.high < _FEW * axis.low:  # hardly any round number lies between
        return _linear_grid(axis, top, bottom, unit)
    values = [
        step * 10**power
        for power in range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
        for step in (1, 1.5, 2, 3, 5, 7)
        if axis.low <= step * 10**power <= axis.high
    ]
    return _grid([(axis.at(value), f"{value:g}") for value in values], top, bottom, unit)


def _linear_grid(axis: _Axis, top: float, bottom: float, unit: str) -> str:
    values = ticks(axis.low, axis.high)
    return _grid([(axis.at(value), f"{value:g}") for value in values], top, bottom, unit)


def _grid(marks: Sequence[tuple[float, str]], top: float, bottom: float, unit: str) -> str:
    parts = []
    for index, (x, label) in enumerate(marks):
        text = f"{label} {unit}" if index == len(marks) - 1 else label
        parts.append(f'<path class="grid" d="M{x:.1f} {top}V{bottom}"/>')
        parts.append(words(x, bottom + 15, text.strip(), "soft", "middle"))
    return "".join(parts)


def ticks(low: float, high: float) -> list[float]:
    """About six round values between the two."""
    step = 10 ** math.floor(math.log10((high - low) / 5))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 7)
    first = math.ceil(low / step)
    return [round(n * step, 10) for n in range(first, math.floor(high / step) + 1)]


def _legend(names: Sequence[str], limit: str) -> str:
    parts, x = [], float(_LEFT)
    for index, name in enumerate(names):
        parts.append(
            f'<rect class="c{index % COLOURS}" x="{x:.0f}" y="10" width="12" height="12"/>'
        )
        parts.append(words(x + 17, 20, name))
        x += 17 + 7.5 * len(name) + 18
    if limit:
        parts.append(f'<path class="limit" d="M{x + 6:.0f} 8v16"/>')
        parts.append(words(x + 17, 20, limit))
    return "".join(parts)


def short(value: float) -> str:
    """Three digits, no more than a reader takes in."""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def _label(name: str, y: float) -> str:
    shown = name if len(name) <= 50 else name[:49] + "…"
    return words(_LEFT - 12, y, shown, "", "end")


def words(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def svg(height: float, body: str, title: str) -> str:
    return (
        f'<div class="chart"><svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}">{body}</svg></div>'
    )
