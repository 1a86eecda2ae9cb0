"""Frames as GIF holds them: palettes, opaque or not, times in hundredths of a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...common.images import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

FASTEST_MS = 20
"""Browsers show a frame of less for longer."""
_UNIT_MS = 10
_LONGEST_MS = 655_350  # 16 bits of hundredths
_COLOURS = 255  # and one that is transparent
_OPAQUE = 128
_STAYS, _IS_TAKEN_AWAY = 1, 2


@dataclass
class GifFrames:
    """Frames in palettes, with the time and disposal of each."""

    images: list[Image]
    milliseconds: list[int]
    disposals: list[int]
    """What becomes of each before the next one is drawn."""


def arranged(frames: list[Image], milliseconds: list[int]) -> GifFrames:
    """Frames of `in_palette`, none like the one before it, and none longer than GIF counts.

    One that is shown for longer stays while frames follow it in which nothing is seen.
    """
    made = GifFrames([], [], [])
    for frame, time in zip(frames, milliseconds, strict=True):
        if made.images and _is_same(made.images[-1], frame):
            made.milliseconds[-1] += time
        else:
            made.images.append(frame)
            made.milliseconds.append(time)
    split = GifFrames([], [], [])
    for frame, time in zip(made.images, made.milliseconds, strict=True):
        image = frame
        while time > _LONGEST_MS:
            split.images.append(image)
            split.milliseconds.append(_LONGEST_MS)
            split.disposals.append(_STAYS)
            time -= _LONGEST_MS
            image = _nothing(frame.size, len(split.images) % 2)
        split.images.append(image)
        split.milliseconds.append(time)
        split.disposals.append(_IS_TAKEN_AWAY)
    return split


def in_hundredths(times: list[int]) -> tuple[list[int], list[int]]:
    """Which frames are kept, and their milliseconds rounded to what GIF counts, without adding up
    what is lost.

    Those that round to no time are left out, for browsers show them for 100 ms; not those that had
    none before, and not all.
    """
    rounded = np.round(np.cumsum(times, dtype=np.int64) / _UNIT_MS).astype(np.int64) * _UNIT_MS
    made = [int(time) for time in np.diff(rounded, prepend=0)]
    kept = [number for number, time in enumerate(made) if time or not times[number]]
    if not kept:
        return [0], [_UNIT_MS]
    return kept, [made[number] for number in kept]


def soft_edges_lost(target: Path) -> str:
    """The line for the user if `is_soft` is true of a frame."""
    return f"{target.name}: .gif has no half transparent pixels; they become one or the other"


def is_soft(frame: Image) -> bool:
    """Whether some pixels of a frame are neither opaque nor invisible."""
    if frame.mode != "RGBA":
        return False
    alpha: Pixels = np.asarray(frame)[..., 3]
    return bool(((alpha > 0) & (alpha < 255)).any())


def in_palette(frame: Image) -> Image:
    """An RGB or RGBA frame in colours of its own, one of which is transparent."""
    from PIL import Image as PilImage

    flat = frame.convert("RGB").quantize(_COLOURS, dither=PilImage.Dither.FLOYDSTEINBERG)
    if frame.mode != "RGBA":
        return flat
    index = np.array(flat)
    index[np.asarray(frame)[..., 3] < _OPAQUE] = _COLOURS
    made = PilImage.fromarray(index)
    palette = list(flat.getpalette() or [])
    made.putpalette(palette + [0] * (768 - len(palette)))
    made.info["transparency"] = _COLOURS
    return made


def _nothing(size: tuple[int, int], colour: int) -> Image:
    """A frame of nothing but a transparent colour, of two so that Pillow takes none out."""
    from PIL import Image as PilImage

    image = PilImage.new("P", size, 0)
    image.putpalette([colour * 255] * 6)
    image.info["transparency"] = 0
    return image


def _is_same(one: Image, other: Image) -> bool:
    return (
        one.info.get("transparency") == other.info.get("transparency")
        and one.getpalette() == other.getpalette()
        and one.tobytes() == other.tobytes()
    )
