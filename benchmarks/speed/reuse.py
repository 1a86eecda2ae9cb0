"""What exact reuse is worth: the frames of shots with it and without it, in turn.

Inference alone, as the pipeline calls it, results in pools of arrays. In each round each frame is
upscaled with and without reuse, in an order that changes from frame to frame; a frame's time is the
median over the rounds. The first frame of a shot, which has none before it, is not counted. The
results are compared bit by bit. Two more shots are made: one of frames that are all the same, and
one of noise, of which nothing can be reused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ...common.errors import ConfigError
from ...common.images import read_image
from ...common.notes import Say, silent
from ...imaging.coding import Coding, encode_and_decode
from ...runtime import Upscaler
from ...runtime.reuse import ReusingSequence
from ...runtime.video.clip.pool import FramePool
from ...runtime.video.reading.file_source import FileSource
from ...runtime.video.step import pool_for
from ..machine.facts import describe_machine
from ..machine.monitor import Monitor
from ..report.checks import machine_warnings
from ..report.documents import Reuse
from ..report.model import new_document
from ..report.results import ReuseResults, ReuseShot
from ..shared.settings import Placement, require_frames, require_least
from ..shared.shots import STATIC_CRF, animation_on_twos, screen_recording, static_shot
from ..shared.timing import time_ms

Frames = NDArray[np.uint8]

_LEAST_FRAMES = 8


@dataclass(frozen=True)
class ReuseSettings(Placement):
    """`size` is width and height of the shots that are made. `codings`: clips are measured coded
    with each as well as they are. Raises ConfigError for values that make no sense.
    """

    size: tuple[int, int] = (480, 270)
    frames: int = 72
    rounds: int = 3
    photo: Path | None = None
    codings: tuple[Coding, ...] = ()

    def __post_init__(self) -> None:
        require_least("frames", self.frames, _LEAST_FRAMES)
        require_least("rounds", self.rounds, 1)
        if any(side % 2 for side in self.size):
            raise ConfigError("both sides of the size must be even, as encoders require")


def measure_reuse(
    model: str | Path, clips: tuple[Path, ...], settings: ReuseSettings, progress: Say
) -> Reuse:
    """Measure a model of one frame on shots that are made, and on clips.

    Raises ConfigError, InputError, ModelError, BackendError.
    """
    machine = describe_machine()
    monitor = Monitor(gpu=bool(machine.gpus))
    with settings.load(model) as upscaler:
        if upscaler.window > 1:
            raise ConfigError(f"{upscaler.spec.name} takes several frames: nothing is reused")
        photo = read_image(settings.photo, say=progress).bgr if settings.photo else None
        for clip in clips:
            _read(clip, _LEAST_FRAMES)  # a wrong one ends the command now, not after minutes
        shots = []
        for name, frames in _shots(clips, settings, photo):
            progress(f"{name}: {len(frames)} frames")
            shots.append(_measured(upscaler, name, frames, settings.rounds))
            monitor.sample()
        conditions = monitor.report()
        warnings = machine_warnings(machine, conditions)
        warnings += [
            f"{shot.name}: {shot.different_frames} frames came out different with reuse"
            for shot in shots
            if shot.different_frames
        ]
        used: dict[str, object] = {
            "frames": settings.frames,
            "rounds": settings.rounds,
            "backend": settings.backend,
            "photo": settings.photo.name if settings.photo else None,
            "clips": [clip.name for clip in clips],
        }
        results = ReuseResults(shots=shots, conditions=conditions)
        return new_document(Reuse, machine, used, results, warnings, upscaler)


def _shots(
    clips: tuple[Path, ...], settings: ReuseSettings, photo: Frames | None
) -> Iterator[tuple[str, Frames]]:
    size, count = settings.size, settings.frames
    noise = np.random.default_rng(0).integers(0, 256, (4, size[1], size[0], 3), np.uint8)
    yield "the same frame", np.stack([noise[0]] * count)
    yield "noise", np.stack(list(islice(cycle(noise), count)))
    yield "screen recording", screen_recording(size, count)
    yield "animation on twos", animation_on_twos(size, count)
    if photo is not None:
        for crf in STATIC_CRF:
            yield f"static photograph, CRF {crf}", static_shot(photo, size, count, crf)
    for clip in clips:
        frames = _read(clip, count)
        yield clip.name, frames
        for coding in settings.codings:
            even = frames[:, : len(frames[0]) // 2 * 2, : frames.shape[2] // 2 * 2, ::-1]
            coded, _ = encode_and_decode(np.ascontiguousarray(even), coding)
            name = f"{clip.name}, {coding.encoder}:{coding.quality:g}"
            yield name, np.ascontiguousarray(coded[..., ::-1])


def _read(clip: Path, count: int) -> Frames:
    with FileSource(clip, say=silent) as source:
        frames = [frame.bgr.copy() for frame in islice(source, count)]
    require_frames(clip, len(frames), _LEAST_FRAMES)
    return np.stack(frames)


@dataclass
class _Side:
    """The calls with or without reuse."""

    pool: FramePool
    times_ms: list[list[float]] = field(default_factory=list)
    """By frame, then by round."""


def _measured(upscaler: Upscaler, name: str, frames: Frames, rounds: int) -> ReuseShot:
    sides = _Side(pool_for(upscaler)), _Side(pool_for(upscaler))
    for side in sides:
        side.times_ms = [[] for _ in frames]
    different: set[int] = set()
    upscaler(frames[0])
    share = 0.0
    for round_ in range(rounds):
        sequence = upscaler.sequence()
        assert isinstance(sequence, ReusingSequence)
        for number, frame in enumerate(frames):
            order = (0, 1) if (number + round_) % 2 else (1, 0)
            results = [_timed(upscaler, sequence, sides, which, number, frame) for which in order]
            if not np.array_equal(results[0], results[1]):
                different.add(number)
            for which, result in zip(order, results, strict=True):
                sides[which].pool.give_back(result)
        share = sequence.reused_share
    plain, reused = ([median(times) for times in side.times_ms[1:]] for side in sides)
    return ReuseShot(
        name=name,
        width=frames.shape[2],
        height=frames.shape[1],
        frames=len(frames),
        reused_share=share,
        speed_up=sum(plain) / sum(reused),
        frame_ms=sum(plain) / len(plain),
        reusing_frame_ms=sum(reused) / len(reused),
        different_frames=len(different),
    )


def _timed(
    upscaler: Upscaler,
    sequence: ReusingSequence,
    sides: tuple[_Side, _Side],
    which: int,
    number: int,
    frame: Frames,
) -> Frames:
    side, s = sides[which], upscaler.scale
    shape = (s * frame.shape[0], s * frame.shape[1], 3)
    out = side.pool.take(shape)
    results: list[Frames] = []

    def plainly() -> None:
        results.append(upscaler.submit(frame, out).result())

    def reusing() -> None:
        results.append(sequence.submit(frame, out, side.pool).result())

    side.times_ms[number].append(time_ms(reusing if which else plainly))
    return results[0]
