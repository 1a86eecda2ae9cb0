"""Charts as inline SVG; colours and fonts come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

_WIDTH = 960
_LEFT, _RIGHT = 330, 30
_COLOURS = 6
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


@dataclass(frozen=True)
class Point:
    """A mark in a scatter plot."""

    name: str
    x: float
    y: float


def distributions(cases: Sequence[Distribution], unit: str = "ms") -> str:
    """A histogram for each case above a common logarithmic axis, with p50, p95 and p99."""
    low = min(min(case.samples) for case in cases) * 0.95
    high = max(max(case.samples) for case in cases) * 1.05
    axis = _LogAxis(low, max(high, low * 1.5))
    row, top = 46, 10
    height = top + row * len(cases) + 34
    parts = [_log_grid(axis, top, top + row * len(cases), unit)]
    for index, case in enumerate(cases):
        base = top + row * (index + 1) - 8
        parts.append(_label(case.name, base - 10))
        parts.append(_histogram(case.samples, axis, base, row - 16, index))
        for percent in (50, 95, 99):
            x = axis.at(float(np.percentile(case.samples, percent)))
            parts.append(f'<path class="tick" d="M{x:.1f} {base + 1}v5"/>')
    note = "ticks below each: p50, p95, p99"
    parts.append(_text(_LEFT, height - 4, note, "soft"))
    return _svg(height, "".join(parts), "distributions of latency")


def stacks(bars: Sequence[Stack], unit: str = "ms", full: float | None = None) -> str:
    """Horizontal bars; `full` is the end of the axis, else the longest bar."""
    names = list(dict.fromkeys(name for bar in bars for name in bar.parts))
    longest = max(max(sum(bar.parts.values()), bar.limit or 0) for bar in bars)
    axis = _Axis(0, full or longest * 1.05)
    row, top = 34, 34
    height = top + row * len(bars) + 30
    parts = [_legend(names, any(bar.limit for bar in bars))]
    parts.append(_linear_grid(axis, top, top + row * len(bars), unit))
    for index, bar in enumerate(bars):
        y, start = top + row * index + 6, 0.0
        parts.append(_label(bar.name, y + 15))
        for name, value in bar.parts.items():
            x, width = axis.at(start), axis.at(start + value) - axis.at(start)
            title = f"<title>{escape(name)}: {value:.3g} {unit}</title>"
            parts.append(
                f'<rect class="c{names.index(name) % _COLOURS}" x="{x:.1f}" y="{y}" '
                f'width="{max(width, 0):.1f}" height="22">{title}</rect>'
            )
            start += value
        if bar.limit is not None:
            parts.append(f'<path class="limit" d="M{axis.at(bar.limit):.1f} {y - 3}v28"/>')
    return _svg(height, "".join(parts), "time by stage")


def bars(rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    """Groups of bars from 0 to 100 %: one group for each name, one bar for each entry."""
    axis = _Axis(0, 100)
    names = list(dict.fromkeys(name for _, values in rows for name in values))
    row, top = 14, 34
    parts, y = [_legend(names, False)], top
    for group, values in rows:
        parts.append(_label(group, y + row * len(values) / 2 + 4))
        for name, share in values.items():
            parts.append(
                f'<rect class="c{names.index(name) % _COLOURS}" x="{axis.at(0):.1f}" y="{y}" '
                f'width="{axis.at(100 * share) - axis.at(0):.1f}" height="{row - 3}"/>'
            )
            y += row
        y += 12
    grid = _linear_grid(axis, top - 6, y - 6, "%")
    return _svg(y + 24, grid + "".join(parts), "share of the time that each stage works")


def scatter(points: Sequence[Point], x_label: str, y_label: str) -> str:
    """Marks with their names; x is logarithmic."""
    axis = _LogAxis(min(p.x for p in points) / 1.6, max(p.x for p in points) * 1.6, left=90)
    low, high = min(p.y for p in points), max(p.y for p in points)
    margin = max(0.25, 0.2 * (high - low))
    top, bottom = 20, 300
    scale = (bottom - top) / (high - low + 2 * margin)
    parts = [_log_grid(axis, top, bottom, "")]
    for value in _ticks(low - margin, high + margin):
        y = bottom - (value - low + margin) * scale
        parts.append(f'<path class="grid" d="M90 {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(_text(82, y + 4, f"{value:g}", "soft", "end"))
    for index, point in enumerate(points):
        x, y = axis.at(point.x), bottom - (point.y - low + margin) * scale
        parts.append(f'<circle class="c{index % _COLOURS}" cx="{x:.1f}" cy="{y:.1f}" r="6"/>')
        side, anchor = (-10, "end") if x > _WIDTH / 2 else (10, "start")
        parts.append(_text(x + side, y - 8, point.name, "", anchor))
    parts.append(_text((_WIDTH + 90) / 2, bottom + 36, x_label, "soft", "middle"))
    parts.append(_text(12, 14, y_label, "soft"))
    return _svg(bottom + 48, "".join(parts), f"{y_label} against {x_label}")


class _Axis:
    """Maps values to horizontal positions."""

    def __init__(self, low: float, high: float, left: float = _LEFT) -> None:
        self.low, self.high, self.left = low, high, left

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.left + min(1.0, max(0.0, share)) * (_WIDTH - _RIGHT - self.left)


class _LogAxis(_Axis):
    def at(self, value: float) -> float:
        low, high = math.log(self.low), math.log(self.high)
        share = (math.log(value) - low) / (high - low)
        return self.left + min(1.0, max(0.0, share)) * (_WIDTH - _RIGHT - self.left)


def _histogram(
    samples: Sequence[float], axis: _LogAxis, base: float, height: float, index: int
) -> str:
    edges = np.geomspace(axis.low, axis.high, 90)
    counts, _ = np.histogram(samples, edges)
    steps = []
    for count, start, stop in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            x, width = axis.at(float(start)), axis.at(float(stop)) - axis.at(float(start))
            tall = height * count / counts.max()
            steps.append(f"M{x:.1f} {base}v{-tall:.1f}h{width:.1f}v{tall:.1f}z")
    return f'<path class="c{index % _COLOURS} pale" d="{"".join(steps)}"/>'


def _log_grid(axis: _LogAxis, top: float, bottom: float, unit: str) -> str:
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
    values = _ticks(axis.low, axis.high)
    return _grid([(axis.at(value), f"{value:g}") for value in values], top, bottom, unit)


def _grid(marks: Sequence[tuple[float, str]], top: float, bottom: float, unit: str) -> str:
    parts = []
    for index, (x, label) in enumerate(marks):
        text = f"{label} {unit}" if index == len(marks) - 1 else label
        parts.append(f'<path class="grid" d="M{x:.1f} {top}V{bottom}"/>')
        parts.append(_text(x, bottom + 15, text.strip(), "soft", "middle"))
    return "".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """About six round values between the two."""
    step = 10 ** math.floor(math.log10((high - low) / 5))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 7)
    first = math.ceil(low / step)
    return [round(n * step, 10) for n in range(first, math.floor(high / step) + 1)]


def _legend(names: Sequence[str], limit: bool) -> str:
    parts, x = [], float(_LEFT)
    for index, name in enumerate(names):
        parts.append(
            f'<rect class="c{index % _COLOURS}" x="{x:.0f}" y="10" width="12" height="12"/>'
        )
        parts.append(_text(x + 17, 20, name))
        x += 17 + 7.5 * len(name) + 18
    if limit:
        parts.append(f'<path class="limit" d="M{x + 6:.0f} 8v16"/>')
        parts.append(_text(x + 17, 20, "limit of this machine"))
    return "".join(parts)


def _label(name: str, y: float) -> str:
    shown = name if len(name) <= 50 else name[:49] + "…"
    return _text(_LEFT - 12, y, shown, "", "end")


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _svg(height: float, body: str, title: str) -> str:
    return (
        f'<div class="chart"><svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}">{body}</svg></div>'
    )
