"""Frames to calibrate on, and what a network's values are on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from ...common.errors import InputError
from ...common.images import IMAGE_SUFFIXES, NO_PHOTOGRAPH_SUFFIXES, read_image
from ...common.notes import Say, say_on_stderr
from ..parity.session import open_session, run_session

Frames = NDArray[np.uint8]

MAX_FRAMES = 48
SIDE_PX = 160


def read_frames(source: Path, least_px: int, say: Say = say_on_stderr) -> list[Frames]:
    """Up to 48 frames, uint8 H×W×3 BGR, spread over a folder of images or a video.

    `say` gets a line about images of a folder that are left out: too many, too small, transparent
    ones, and those that cannot be read. Raises InputError if there are fewer than two of at least
    `least_px` squared pixels.
    """
    frames = _from_folder(source, say) if source.is_dir() else _from_video(source)
    usable = [frame for frame in frames if min(frame.shape[:2]) >= least_px]
    if len(usable) < 2:
        raise InputError(
            f"{source}: at least 2 images or frames of {least_px}×{least_px} pixels or more are "
            f"needed, found {len(usable)}"
        )
    if source.is_dir() and len(usable) < len(frames):
        small = len(frames) - len(usable)
        say(f"{source}: {small} of {len(frames)} images are left out, smaller than {least_px} px")
    return usable


def crop(frame: Frames, multiple: int = 1) -> Frames:
    """The middle of a frame, at most 160 pixels a side, cut to the size multiple: 1×h×w×3."""
    return crop_to(frame, SIDE_PX, multiple)[None]


def crop_to(frame: Frames, side_px: int | None, multiple: int) -> Frames:
    """The middle of a frame: sides of at most `side_px`, cut to a multiple."""
    spans = []
    for side in frame.shape[:2]:
        kept = min(side, side_px or side) // multiple * multiple
        spans.append(slice((side - kept) // 2, (side + kept) // 2))
    return np.ascontiguousarray(frame[spans[0], spans[1]])


def record(
    model: onnx.ModelProto, names: Sequence[str], frames: Sequence[Frames]
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """For each batch of frames, the named values of a contract-2 model (N×C×H×W)."""
    session = open_session(model, outputs=names)
    for batch in frames:
        values = run_session(session, batch)
        yield dict(zip(names, values, strict=True))


def _from_folder(folder: Path, say: Say) -> list[Frames]:
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    for path in found:
        if path.suffix.lower() in NO_PHOTOGRAPH_SUFFIXES:
            say(f"{path}: is left out, {path.suffix} images cannot be read; convert it to PNG")
    paths = [path for path in found if path.suffix.lower() in IMAGE_SUFFIXES]
    if not paths:
        raise InputError(f"{folder}: contains no images ({', '.join(IMAGE_SUFFIXES)})")
    if len(paths) > MAX_FRAMES:
        say(f"{folder}: {MAX_FRAMES} of its {len(paths)} images are used, spread evenly")
        paths = [paths[index * len(paths) // MAX_FRAMES] for index in range(MAX_FRAMES)]
    frames = []
    for path in paths:
        try:
            picture = read_image(path, say=_ignore)
        except InputError as error:
            say(f"{error}; it is left out")
            continue
        if picture.alpha is None:
            frames.append(picture.bgr)
        else:
            say(f"{path}: is left out, it has transparent pixels with hidden colours")
    return frames


def _from_video(path: Path) -> list[Frames]:
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    from ...runtime.video.reading.file_source import FileSource

    kept: list[Frames] = []
    step = 1
    with FileSource(path, say=_ignore) as source:
        for index, frame in enumerate(source):
            if index % step == 0:
                kept.append(frame.bgr)
            if len(kept) > MAX_FRAMES:  # the length of a video is known at its end only
                kept, step = kept[::2], 2 * step
    return kept


def _ignore(message: str) -> None:
    del message
