"""Videos among the training files, as sources of real motion."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from ....common.errors import InputError
from ....common.libraries.pyav import open_to_read

Frames = NDArray[np.uint8]

SUFFIXES = frozenset({".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".ts"})
SHRUNK = 2
"""Clips are reduced by this factor first, which hides what their own encoder lost."""


@dataclass(frozen=True)
class Clip:
    """A readable video: its size as coded and how many frames it has."""

    path: Path
    width: int
    height: int
    frames: int
    sha256: str


def find_clips(folders: Sequence[Path]) -> tuple[Clip, ...]:
    """All videos in the folders, searched recursively, in the order of their paths; each once.

    Raises InputError for a video that cannot be decoded.
    """
    clips, met = [], set()
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
            if (file := os.path.realpath(path)) not in met:
                met.add(file)
                clips.append(_inspect(path))
    return tuple(clips)


def read_clip(clip: Clip, first: int, count: int) -> Frames:
    """`count` frames from number `first` on, reduced by `SHRUNK`: uint8 T×H×W×3 RGB.

    The last frame repeats where the clip ends earlier. Raises InputError if the clip changed.
    """
    taken: list[NDArray[np.uint8]] = []
    size = (clip.width // SHRUNK, clip.height // SHRUNK)
    try:
        with open_to_read(f"file:{clip.path}") as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number >= first:
                    rgb = frame.to_ndarray(format="rgb24")
                    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
                    taken.append(small.astype(np.uint8, copy=False))
                if len(taken) == count:
                    break
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"training clip {clip.path}: {error}") from error
    if not taken:
        raise InputError(f"training clip {clip.path}: changed or removed during training")
    taken += [taken[-1]] * (count - len(taken))
    return np.stack(taken)


def clip_window(rng: np.random.Generator, clip: Clip, size: tuple[int, int], count: int) -> Frames:
    """A random window of `size` = (width, height) and `count` frames: uint8 T×H×W×3 RGB.

    A clip that is smaller than the window is continued by reflection. Every second window runs
    backwards, every second one mirrored.
    """
    frames = read_clip(clip, int(rng.integers(max(1, clip.frames - count + 1))), count)
    if rng.random() < 0.5:
        frames = frames[::-1]
    if rng.random() < 0.5:
        frames = frames[:, :, ::-1]
    cut = []
    for axis, side in ((1, size[1]), (2, size[0])):
        has = frames.shape[axis]
        place = np.arange(side) + int(rng.integers(max(1, has - side + 1)))
        period = 2 * (has - 1)
        place = place % period
        cut.append(np.where(place >= has, period - place, place))
    return np.ascontiguousarray(frames[:, cut[0]][:, :, cut[1]])


def _inspect(path: Path) -> Clip:
    try:
        with open_to_read(f"file:{path}") as container:
            if not container.streams.video:
                raise InputError(f"training clip {path}: contains no video; remove it")
            context = container.streams.video[0].codec_context
            frames = sum(1 for _ in container.decode(video=0))
            width, height = context.width, context.height
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"training clip {path}: cannot be decoded ({error})") from error
    if not frames or min(width, height) < 2 * SHRUNK:
        raise InputError(f"training clip {path}: contains no frames; remove it")
    return Clip(path, width, height, frames, digest)
