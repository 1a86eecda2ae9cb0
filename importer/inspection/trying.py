"""Finds out by trying how a file wants its pixels: a photograph made small must come out again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ...common.errors import ModelError
from ...export.parity.photo import moving_photo, photo
from ...imaging.metrics import psnr
from ...imaging.resize import imresize
from .convention import ORDERS, RANGES, Convention, Frames, Range, levels
from .foreign import Foreign
from .session import FileSession, RunError
from .sizes import Taken

# PSNR in dB against a bicubic enlargement. Trained networks are 23 to 32 from it, a grey plane is
# at 12. Styles are at 13, where nothing can be found out.
_LIKE_THE_FRAME_DB = 18.0
_CLEAR_DB = 0.5
_CLEAR_ORDER_DB = 1.0
# A network that adds to what it enlarges gives pictures by wrong ranges, too, which may be nearer
# to the bicubic one than its own. Of 13 shipped networks by three ranges each, none was more than
# 0.1 dB nearer to the photograph itself by a wrong range; where that was close, its picture, made
# small again, was farther from the frame by 0.9 dB or more.
_ALIKE_DB = 0.2
_WORTH_A_NOTE_DB = 1.0
_SIDE = 64
_PHOTO = (192, 256)
"""Height and width of the photograph."""


@dataclass(frozen=True)
class Found:
    """A convention, and what is worth knowing about how it was found.

    `psnr_db` is against a bicubic enlargement.

    `order_assumed` says that either order of the channels gives much the same picture.
    """

    convention: Convention
    psnr_db: float
    order_assumed: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Try:
    """One way to read a file, and its picture without the borders, where paddings differ.

    In PSNR, `psnr_db` is against a bicubic enlargement, `original_db` against the photograph before
    it was made small, and `back_db` of the picture made small again against the frame.
    """

    convention: Convention
    psnr_db: float
    original_db: float
    back_db: float
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

    Raises ModelError if the range is open and no way gives a picture like the bicubic one.
    """
    tries = _tries(foreign, session, taken, span, order)
    best = _best(tries)
    if span is None:
        _require_likeness(foreign, tries)
    alike = [item for item in tries if _same(item.picture, best.picture)]
    chosen = alike[0]  # the usual ways come first
    notes = []
    if span is None and any(_spans(item) != _spans(chosen) for item in alike):
        notes.append("other ranges of its pixels give the same picture")
    elif span is None and (rival := _rival(best, tries)) is not None:
        notes.append(rival)
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

    Where that is unclear it is the middle one, and a note says so.
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
    note = (
        f"which of its {count} frames the picture is of cannot be found by trying: the middle one"
    )
    return middle, (note,)


def _size(taken: Taken) -> tuple[int, int]:
    """A size that it takes, large enough to find out."""
    free = -(-max(_SIDE, taken.minimum) // taken.multiple) * taken.multiple
    return taken.height or free, taken.width or free


def _tries(
    foreign: Foreign,
    session: FileSession,
    taken: Taken,
    span: Range | None,
    order: str | None,
) -> list[_Try]:
    frame, original = _pair(*_size(taken), max(2, taken.scale))
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
        tries.append(_tried(convention, got, frame, original, taken.scale))
    if not tries:
        raise ModelError(f"{foreign.path}: returns NaN or infinity for a photograph")
    return tries


def _pair(height: int, width: int, shrink: int) -> tuple[Frames, Frames]:
    """A frame, and the photograph that shrinks to its upper left part.

    Made smaller by the network's scale it has the detail that the network is trained on.
    """
    whole = photo(*_PHOTO)
    high, wide = (min(side, of // shrink) for side, of in zip((height, width), _PHOTO, strict=True))
    original = whole[: high * shrink, : wide * shrink]
    part = imresize(original, 1 / shrink)
    rows, columns = np.arange(height) % high, np.arange(width) % wide
    return np.ascontiguousarray(part[rows][:, columns]), original


def _tried(
    convention: Convention, got: Frames, frame: Frames, original: Frames, scale: int
) -> _Try:
    likeness = _likeness(got, frame, scale)
    original_db = back_db = likeness
    if scale > 1:
        high, wide = (side // scale for side in original.shape[:2])
        part, small = got[: high * scale, : wide * scale], frame[:high, :wide]
        original_db = psnr(_inside(part, small, scale), _inside(original, small, scale))
        back_db = psnr(_inside(imresize(part, 1 / scale), small, 1), _inside(small, small, 1))
    return _Try(
        convention,
        likeness,
        min(original_db, 99.0),
        min(back_db, 99.0),
        _inside(got, frame, scale),
    )


def _likeness(picture: Frames, frame: Frames, scale: int) -> float:
    """PSNR in dB against the frame enlarged bicubically, without the borders."""
    wanted = imresize(frame, scale) if scale > 1 else frame
    return min(psnr(_inside(picture, frame, scale), _inside(wanted, frame, scale)), 99.0)


def _inside(picture: Frames, frame: Frames, scale: int) -> Frames:
    border = min(8, frame.shape[0] // 4, frame.shape[1] // 4) * scale
    inner = slice(border, -border or None)
    return picture[inner, inner]


def _best(tries: list[_Try]) -> _Try:
    """The nearest to the photograph; of those that are as near, what shrinks to the frame."""
    highest = max(item.original_db for item in tries)
    near = [item for item in tries if item.original_db >= highest - _ALIKE_DB]
    return max(near, key=lambda item: item.back_db)


def _require_likeness(foreign: Foreign, tries: list[_Try]) -> None:
    likeness = max(item.psnr_db for item in tries)
    if likeness < _LIKE_THE_FRAME_DB:
        order = ", and with --channels rgb or bgr" if foreign.channels > 1 else ""
        raise ModelError(
            f"{foreign.path}: the range of its pixels cannot be found by trying (its picture is "
            f"{likeness:.1f} dB from a bicubic one at best): use "
            f"`framelift import {foreign.path} -o MODEL.onnx` with --range {' or '.join(RANGES)}"
            f"{order}"
        )


def _rival(best: _Try, tries: list[_Try]) -> str | None:
    """A line on another range that gives nearly as good a picture."""
    order = best.convention.order
    others = [
        item
        for item in tries
        if _spans(item) != _spans(best)
        and item.convention.order == order
        and not _same(item.picture, best.picture)
    ]
    if not others:
        return None
    rival = max(others, key=lambda item: item.original_db)
    if best.original_db - rival.original_db >= _WORTH_A_NOTE_DB:
        return None
    given, taken = _spans(rival)
    if given != taken:
        return None
    return (
        f"read as {given.name} it gives nearly as good a picture; if it was trained that "
        "way, import it "
        f"with --range {given.name}"
    )


def _settle_order(chosen: _Try, tries: list[_Try]) -> tuple[_Try, str]:
    """The better order if one clearly is, else RGB and a note."""
    same_range = [item for item in tries if _spans(item) == _spans(chosen)]
    rgb, bgr = (
        next(item for item in same_range if item.convention.order == order) for order in ORDERS
    )
    apart = rgb.original_db - bgr.original_db
    if abs(apart) >= _CLEAR_ORDER_DB:
        return (rgb if apart > 0 else bgr), ""
    return rgb, (
        f"the order of its channels cannot be found by trying ({abs(apart):.1f} dB apart): RGB, as "
        "is usual; --channels bgr for the other"
    )


def _spans(item: _Try) -> tuple[Range, Range]:
    return item.convention.given, item.convention.taken


def _same(a: Frames, b: Frames) -> bool:
    """Within a code value."""
    return bool((np.abs(a.astype(np.int16) - b) <= 1).all())
