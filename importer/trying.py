"""Finds out by trying how a file wants its pixels: what comes out must look like what went in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ..export.photo import moving_photo, photo
from ..imaging.errors import ModelError
from ..imaging.metrics import psnr
from ..imaging.resize import imresize
from .convention import ORDERS, RANGES, Convention, Frames, Range, levels
from .foreign import Foreign
from .session import FileSession, RunError
from .sizes import Taken

# PSNR in dB against a bicubic enlargement. The shipped networks, read as they were trained, were 27
# to 30 from it and by the wrong ranges 14 to 26, in each case at least 1.5 less; a grey plane is
# at 12. Styles are at 13, where nothing can be told.
_LIKE_THE_FRAME_DB = 18.0
_CLEAR_DB = 0.5
_CLEAR_ORDER_DB = 1.0
_SIDE = 64


@dataclass(frozen=True)
class Found:
    """A convention, and what is worth knowing about how it was found.

    `order_assumed` says that either order of the channels gives much the same picture.
    """

    convention: Convention
    psnr_db: float
    order_assumed: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Try:
    """One way to read a file, and its picture without the borders, where paddings differ."""

    convention: Convention
    psnr_db: float
    picture: Frames


def find_convention(
    foreign: Foreign,
    session: FileSession,
    taken: Taken,
    *,
    span: Range | None = None,
    order: str | None = None,
) -> Found:
    """Run a photograph through the file in every way that `span` and `order` leave open.

    Raises ModelError if the range is open and no way gives a picture like the bicubic one, or
    two give pictures alike near to it.
    """
    tries = _tries(foreign, session, taken, span, order)
    best = max(tries, key=lambda item: item.psnr_db)
    if span is None:
        _require_clear(foreign, best, tries)
    alike = [item for item in tries if _same(item.picture, best.picture)]
    chosen = alike[0]  # the usual ways come first
    notes = []
    if span is None and any(_spans(item) != _spans(chosen) for item in alike):
        notes.append("other ranges of its pixels give the same picture")
    note = ""
    if order is None and foreign.channels > 1:
        chosen, note = _settle_order(chosen, tries)
    if note:
        notes.append(note)
    return Found(chosen.convention, chosen.psnr_db, bool(note), tuple(notes))


def find_aligned_frame(
    session: FileSession, taken: Taken, convention: Convention
) -> tuple[int, tuple[str, ...]]:
    """Which frame of the window the picture is of, by a photograph that moves.

    Where that cannot be told it is the middle one, and a note says so.
    """
    count, middle = session.window, session.window // 2
    if taken.pictures > 1:
        return middle, ()
    frames = moving_photo(count, *_size(taken))
    output = session.run(convention.give(frames))
    scores = [
        _likeness(levels(convention.take(output, frames[k : k + 1]))[0], frames[k], taken.scale)
        for k in range(count)
    ]
    best = int(np.argmax(scores))
    if scores[best] - sorted(scores)[-2] >= _CLEAR_DB:
        return best, ()
    note = f"which of its {count} frames the picture is of cannot be told by trying: the middle one"
    return middle, (note,)


def _size(taken: Taken) -> tuple[int, int]:
    """A size that it takes, large enough to tell."""
    free = -(-max(_SIDE, taken.minimum) // taken.multiple) * taken.multiple
    return taken.height or free, taken.width or free


def _tries(
    foreign: Foreign,
    session: FileSession,
    taken: Taken,
    span: Range | None,
    order: str | None,
) -> list[_Try]:
    frame = photo(*_size(taken), shrink=min(max(2, taken.scale), 4))
    frames = np.repeat(frame[None], session.window, 0)
    picture = session.window // 2 if taken.pictures > 1 else 0
    orders = [order or "rgb"] if order or foreign.channels == 1 else list(ORDERS)
    spans = [span] if span else list(RANGES.values())
    # What is alike at both ends comes first.
    pairs = sorted(product(spans, spans), key=lambda pair: pair[0] != pair[1])
    outputs = {}
    tries = []
    for (given, out), named in product(pairs, orders):
        convention = Convention(foreign.channels, named, given, out)
        if (given, named) not in outputs:
            try:
                outputs[given, named] = session.run(convention.give(frames))
            except RunError as error:
                height, width = frame.shape[:2]
                raise ModelError(
                    f"{foreign.path}: fails on a photograph of {width}×{height}: {error}"
                ) from error
        output = outputs[given, named][picture : picture + 1]
        if not np.isfinite(output).all():
            continue
        got = levels(convention.take(output, frames[:1]))[0]
        inside = _inside(got, frame, taken.scale)
        tries.append(_Try(convention, _likeness(got, frame, taken.scale), inside))
    if not tries:
        raise ModelError(f"{foreign.path}: gives NaN or infinity for a photograph")
    return tries


def _likeness(picture: Frames, frame: Frames, scale: int) -> float:
    """PSNR in dB against the frame enlarged bicubically, without the borders."""
    wanted = imresize(frame, scale) if scale > 1 else frame
    return min(psnr(_inside(picture, frame, scale), _inside(wanted, frame, scale)), 99.0)


def _inside(picture: Frames, frame: Frames, scale: int) -> Frames:
    border = min(8, frame.shape[0] // 4, frame.shape[1] // 4) * scale
    inner = slice(border, -border or None)
    return picture[inner, inner]


def _require_clear(foreign: Foreign, best: _Try, tries: list[_Try]) -> None:
    others = [
        item.psnr_db
        for item in tries
        if _spans(item) != _spans(best) and not _same(item.picture, best.picture)
    ]
    what = ""
    if best.psnr_db < _LIKE_THE_FRAME_DB:
        what = f"its picture is {best.psnr_db:.1f} dB from a bicubic one at best"
    elif others and best.psnr_db - max(others) < _CLEAR_DB:
        what = f"two ranges give pictures {best.psnr_db - max(others):.1f} dB apart"
    if what:
        order = ", and with --channels rgb or bgr" if foreign.channels > 1 else ""
        raise ModelError(
            f"{foreign.path}: the range of its pixels cannot be told by trying ({what}): use "
            f"`framelift import {foreign.path} -o MODEL.onnx` with --range {' or '.join(RANGES)}"
            f"{order}"
        )


def _settle_order(chosen: _Try, tries: list[_Try]) -> tuple[_Try, str]:
    """The better order if one clearly is, else RGB and a note."""
    same_range = [item for item in tries if _spans(item) == _spans(chosen)]
    rgb, bgr = (
        next(item for item in same_range if item.convention.order == order) for order in ORDERS
    )
    apart = rgb.psnr_db - bgr.psnr_db
    if abs(apart) >= _CLEAR_ORDER_DB:
        return (rgb if apart > 0 else bgr), ""
    return rgb, (
        f"the order of its channels cannot be told by trying ({abs(apart):.1f} dB apart): RGB, as "
        "is usual; --channels bgr for the other"
    )


def _spans(item: _Try) -> tuple[Range, Range]:
    return item.convention.given, item.convention.taken


def _same(a: Frames, b: Frames) -> bool:
    """Within a code value."""
    return bool((np.abs(a.astype(np.int16) - b) <= 1).all())
