"""A scatter plot whose labels do not cover each other, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .charts import COLOURS, RIGHT, WIDTH, LogAxis, log_grid, svg, ticks, words

_LEFT, _TOP, _BOTTOM = 90, 24, 360
_LETTER, _LINE = 6.7, 15
_RADIUS = 6
# Where a label may go, from its mark, best first; further away, a line leads to it.
_PLACES = [
    (dx, dy, anchor)
    for away in (0, 16, 32, 48)
    for dx, dy, anchor in (
        (11, 4 - away, "start"),
        (-11, 4 - away, "end"),
        (11, 4 + away, "start"),
        (-11, 4 + away, "end"),
        (0, -11 - away, "middle"),
        (0, 20 + away, "middle"),
    )
]


@dataclass(frozen=True)
class Point:
    """A mark; hollow ones are of another kind than filled ones."""

    name: str
    x: float
    y: float
    hollow: bool = False


@dataclass(frozen=True)
class Baseline:
    """A horizontal line with a name."""

    name: str
    y: float


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def scatter(
    points: Sequence[Point], x_label: str, y_label: str, baseline: Baseline | None = None
) -> str:
    """Marks with their names; x is logarithmic."""
    axis = LogAxis(min(p.x for p in points) / 1.6, max(p.x for p in points) * 1.6, left=_LEFT)
    values = [p.y for p in points] + ([baseline.y] if baseline else [])
    low, high = min(values), max(values)
    margin = 0.12 * (high - low) or max(abs(high), 1.0) * 0.02
    low, high = low - margin, high + margin

    def height_of(value: float) -> float:
        return _BOTTOM - (value - low) / (high - low) * (_BOTTOM - _TOP)

    parts = [log_grid(axis, _TOP, _BOTTOM, "")]
    for value in ticks(low, high):
        y = height_of(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(words(_LEFT - 8, y + 4, f"{value:g}", "soft", "end"))
    taken = []
    if baseline is not None:
        y = height_of(baseline.y)
        parts.append(f'<path class="limit" d="M{_LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(words(WIDTH - RIGHT - 6, y - 6, baseline.name, "soft", "end"))
        taken.append(_Box(_LEFT, y - 2, WIDTH - RIGHT, y + 2))
        right = WIDTH - RIGHT
        taken.append(_Box(right - 6 - _LETTER * len(baseline.name), y - 18, right, y))
    marks = [(axis.at(point.x), height_of(point.y)) for point in points]
    taken += [_Box(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in marks]
    for index, (point, (x, y)) in enumerate(zip(points, marks, strict=True)):
        parts.append(_mark(point, x, y, index))
        parts.append(_name(point.name, x, y, taken))
    parts.append(words((WIDTH + _LEFT) / 2, _BOTTOM + 36, x_label, "soft", "middle"))
    parts.append(words(12, 14, y_label, "soft"))
    return svg(_BOTTOM + 48, "".join(parts), f"{y_label} against {x_label}")


def _mark(point: Point, x: float, y: float, index: int) -> str:
    kind = "s" if point.hollow else "c"
    return f'<circle class="{kind}{index % COLOURS}" cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}"/>'


def _name(name: str, x: float, y: float, taken: list[_Box]) -> str:
    """The label at the first free place, which it then takes."""
    width = _LETTER * len(name)
    for dx, dy, anchor in _PLACES:
        left = x + dx - {"start": 0.0, "end": width, "middle": width / 2}[anchor]
        box = _Box(left, y + dy - _LINE + 4, left + width, y + dy + 4)
        inside = box.left > _LEFT and box.right < WIDTH and box.top > _TOP and box.bottom < _BOTTOM
        if inside and not any(box.meets(other) for other in taken):
            break
    else:
        dx, dy, anchor = _PLACES[0]
        box = _Box(x + dx, y + dy - _LINE, x + dx + width, y + dy)
    taken.append(box)
    lead = ""
    if abs(dy) > _LINE + _RADIUS:
        lead = f'<path class="grid" d="M{x:.1f} {y:.1f}L{x + dx:.1f} {y + dy - 4:.1f}"/>'
    return lead + words(x + dx, y + dy, name, "", anchor)
