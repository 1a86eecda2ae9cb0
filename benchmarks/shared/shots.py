"""Footage in which much stays as it is: a static shot, a screen recording, an animation on twos.

Each is drawn, coded by x264 and decoded again, since coding decides which pixels stay the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from ...common.libraries.opencv import load_cv2
from ...imaging.coding import Coding, encode_and_decode

Frames = NDArray[np.uint8]

STATIC_CRF = (18, 23, 30)
_CRF = 23
_NOISE_LEVELS = 2.0
_ROUND_TRIP_FRAMES = 60
_LINE_PX, _INDENT_PX = 14, 8
_TEXT = "the quick brown fox jumps over the lazy dog while packets of twelve liquor jugs"
_WORDS = _TEXT.split()


def static_shot(photo: Frames, size: tuple[int, int], frames: int, crf: int) -> Frames:
    """A camera on a tripod: the photograph (uint8 H×W×3 BGR) with the noise of a sensor.

    `size` is width and height. Returns uint8 N×H×W×3 BGR.
    """
    cv2 = load_cv2()
    still = cv2.resize(photo, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    rng = np.random.default_rng(0)

    def noisy() -> Iterator[Frames]:
        while True:
            levels = still + rng.normal(0, _NOISE_LEVELS, still.shape)
            yield np.clip(np.rint(levels), 0, 255).astype(np.uint8)

    return _coded(noisy(), frames, crf)


def screen_recording(size: tuple[int, int], frames: int) -> Frames:
    """Text that scrolls line by line in a part of a window, and a pointer that moves.

    `size` is width and height. Returns uint8 N×H×W×3 BGR.
    """
    width, height = size
    desktop = _desktop(width, height)

    def recorded() -> Iterator[Frames]:
        for number in count():
            screen = desktop.copy()
            page = screen[height // 4 : height * 3 // 4, width // 3 : width * 5 // 6]
            _write_lines(page, first=number // 6)
            _point(screen, number)
            yield screen

    return _coded(recorded(), frames, _CRF)


def animation_on_twos(size: tuple[int, int], frames: int) -> Frames:
    """A drawn figure that moves at every second frame before a painted background.

    `size` is width and height. Returns uint8 N×H×W×3 BGR.
    """
    cv2 = load_cv2()
    width, height = size
    rng = np.random.default_rng(1)
    coarse = rng.integers(60, 200, (6, 10, 3)).astype(np.uint8)
    painted = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)

    def drawn() -> Iterator[Frames]:
        for number in count():
            cel = painted.copy()
            phase = (number // 2) / 6
            x = int(width * (0.3 + 0.2 * np.sin(phase)))
            y = int(height * (0.55 + 0.05 * np.sin(3 * phase)))
            unit = height // 10
            arm = int(unit * np.sin(2 * phase))
            cv2.ellipse(cel, (x, y), (unit, 2 * unit), 0, 0, 360, (40, 40, 180), -1, cv2.LINE_AA)
            cv2.circle(cel, (x, y - 2 * unit), unit, (150, 190, 240), -1, cv2.LINE_AA)
            cv2.circle(cel, (x, y - 2 * unit), unit, (20, 20, 20), 2, cv2.LINE_AA)
            cv2.line(cel, (x, y), (x + 2 * unit, y + arm), (20, 20, 20), 3, cv2.LINE_AA)
            yield np.asarray(cel, np.uint8)

    return _coded(drawn(), frames, _CRF, {"tune": "animation"})


def _desktop(width: int, height: int) -> Frames:
    """Windows with a title, a list on the left and text."""
    cv2 = load_cv2()
    screen = np.full((height, width, 3), (96, 64, 40), np.uint8)
    cv2.rectangle(
        screen,
        (width // 16, height // 12),
        (width * 15 // 16, height * 11 // 12),
        (245, 245, 245),
        -1,
    )
    cv2.rectangle(
        screen, (width // 16, height // 12), (width * 15 // 16, height // 6), (200, 160, 120), -1
    )
    _write_lines(screen[height // 5 : height * 7 // 8, width // 14 : width // 3], first=40)
    return screen


def _write_lines(page: Frames, first: int) -> None:
    """Fill a part of the screen with lines of text, from that line on, in place."""
    cv2 = load_cv2()
    page[...] = 252
    for row in range(len(page) // _LINE_PX):
        line = first + row
        words = [_WORDS[(line * 7 + place * 3) % len(_WORDS)] for place in range(8)]
        origin = (_INDENT_PX, (row + 1) * _LINE_PX - 3)
        text = " ".join(words)
        cv2.putText(
            page, text, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.35, (30, 30, 30), 1, cv2.LINE_AA
        )


def _point(screen: Frames, number: int) -> None:
    """Draw the pointer, which rests half of the time."""
    cv2 = load_cv2()
    height, width, _ = screen.shape
    moved = min(number % _ROUND_TRIP_FRAMES, _ROUND_TRIP_FRAMES // 2)
    x = int(width * (0.2 + 0.5 * moved / (_ROUND_TRIP_FRAMES // 2)))
    y = int(height * (0.8 - 0.5 * moved / (_ROUND_TRIP_FRAMES // 2)))
    corners = np.array([[x, y], [x, y + 12], [x + 8, y + 9]], np.int32)
    cv2.fillPoly(screen, [corners], (0, 0, 0), cv2.LINE_AA)


def _coded(
    pictures: Iterator[Frames], frames: int, crf: int, options: dict[str, str] | None = None
) -> Frames:
    originals = np.stack([next(pictures)[..., ::-1] for _ in range(frames)])
    decoded, _ = encode_and_decode(originals, Coding("x264", crf, options or {}))
    return np.ascontiguousarray(decoded[..., ::-1])
