"""How well models upscale coded video: clips are reduced, coded by real encoders and upscaled.

A clip's frames are cropped to an even number of low-resolution pixels, reduced by the protocol of
`imaging.quality` and coded by each encoder from the clip's start, so that measured frames are of
every type. Y-PSNR and Y-SSIM are those of `imaging.quality`: means over every fourth frame, then
over clips. Flicker is the change from such a frame to the next one where nothing moves, divided by
that of bicubic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
from msgspec.structs import asdict
from numpy.typing import NDArray

from ...common.errors import ConfigError, InputError
from ...common.notes import silent
from ...imaging.coding import Coding, encode_and_decode
from ...imaging.quality import ImageU8, Upscale, bicubic, compare, crop_to_multiple, shrink
from ...runtime import Upscaler
from ...runtime.video.reading.file_source import FileSource
from ..machine.facts import describe_machine
from ..report.checks import int8_warnings, require_super_resolution
from ..report.documents import Footage
from ..report.model import describe_model, describe_runtime, new_document
from ..report.quality_results import (
    FootageEntry,
    FootageModel,
    FootageResults,
    FootageRow,
    Scores,
)
from ..shared.settings import Placement
from .flicker import change, static_mask

CLEAN = "clean"
FIRST, COUNT = 12, 33
"""Frames 12 to 44 are measured: the encoder's rate control and motion search have settled."""
EVERY = 4
"""Neighbouring frames score alike; encoders' patterns of frame types have other lengths."""
CODINGS = ("x264:23", "x264:28", "x265:27", "vp9:38", "mpeg4:6")
"""Everyday settings of five real encoders."""
_LEAST_STATIC = 0.01  # of the frames' area; less says nothing about flicker


@dataclass(frozen=True)
class FootageSettings(Placement):
    """Which codings, which frames and how the models run."""

    codings: tuple[Coding, ...]
    first: int = FIRST
    count: int = COUNT


@dataclass
class _Scores:
    """Sums over one model, clip and coding."""

    psnr_db: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)
    static_change: float | None = None

    def row(self, clip: str, coding: str) -> FootageRow:
        return FootageRow(
            clip=clip,
            coding=coding,
            psnr_db=fmean(self.psnr_db),
            ssim=fmean(self.ssim),
            static_change=self.static_change,
        )


def measure_footage(
    models: Sequence[str | Path],
    clips: Sequence[Path],
    settings: FootageSettings,
    progress: Callable[[int, int], None] | None = None,
) -> Footage:
    """Score models of one scale and bicubic on clips, clean and coded; returns the report.

    `progress` is called with (done, total) after each clip and coding. Raises InputError for a clip
    that cannot be read, ConfigError for models of different scales, ModelError, BackendError,
    MissingDependencyError for an encoder that this build of FFmpeg lacks.
    """
    machine = describe_machine()
    codings: list[Coding | None] = [None, *settings.codings]
    upscalers: list[Upscaler] = []
    try:
        for model in models:
            upscaler = settings.load(model)
            upscalers.append(upscaler)
            require_super_resolution(upscaler.spec, "a comparison with originals")
        scale = _one_scale(upscalers)
        upscales: list[Upscale] = [bicubic(scale), *upscalers]
        rows = _score_all(upscales, clips, codings, scale, settings, progress)
        reference = rows[0]
        results = FootageResults(
            codings=[name_of(coding) for coding in codings],
            clips=[clip.name for clip in clips],
            scale=scale,
            bicubic=_summary(reference, reference, codings),
            models=[
                FootageModel(
                    model=describe_model(upscaler.spec),
                    runtime=describe_runtime(upscaler),
                    **asdict(_summary(made, reference, codings)),
                )
                for upscaler, made in zip(upscalers, rows[1:], strict=True)
            ],
        )
        described = {upscaler.spec.name: upscaler.describe() for upscaler in upscalers}
        return new_document(
            Footage,
            machine,
            {"first": settings.first, "frames": settings.count, "backend": settings.backend},
            results,
            int8_warnings(machine, described),
        )
    finally:
        for upscaler in upscalers:
            upscaler.close()


def _one_scale(upscalers: list[Upscaler]) -> int:
    scales = {upscaler.scale for upscaler in upscalers}
    if len(scales) != 1:
        raise ConfigError(
            f"models have different scales ({', '.join(f'×{s}' for s in sorted(scales))}): "
            "measure each scale by itself"
        )
    return scales.pop()


def _score_all(
    upscales: list[Upscale],
    clips: Sequence[Path],
    codings: list[Coding | None],
    scale: int,
    settings: FootageSettings,
    progress: Callable[[int, int], None] | None,
) -> list[list[FootageRow]]:
    """For each of `upscales`, a row for each clip and coding."""
    rows: list[list[FootageRow]] = [[] for _ in upscales]
    done, total = 0, len(clips) * len(codings)
    for clip in clips:
        originals = read_clip(clip, settings.first + settings.count, scale)
        first = min(settings.first, len(originals) - 1)
        small = np.stack([shrink(frame, scale) for frame in originals])
        for coding in codings:
            given = code_clip(small, coding)
            masks = [static_mask(*pair) for pair in pairwise(given[first:])]
            for upscale, made in zip(upscales, rows, strict=True):
                scores = _score(upscale, given[first:], originals[first:], masks, scale)
                made.append(scores.row(clip.name, name_of(coding)))
            done += 1
            if progress is not None:
                progress(done, total)
    return rows


def name_of(coding: Coding | None) -> str:
    """ "x264:23", or "clean"."""
    return CLEAN if coding is None else f"{coding.encoder}:{coding.quality:g}"


def read_clip(clip: Path, count: int, scale: int) -> list[ImageU8]:
    """The first frames of a clip, uint8 BGR, with sides that reduce to even numbers.

    Raises InputError for a clip that cannot be read, has one frame or is too small to reduce.
    """
    with FileSource(clip, say=silent) as source:
        frames = [frame.bgr.copy() for frame in islice(source, count)]
    if len(frames) < 2:
        raise InputError(f"{clip}: has {len(frames)} frames; at least 2 are needed")
    height, width = frames[0].shape[:2]
    if min(height, width) < (least := 16 * scale):
        raise InputError(
            f"{clip}: is {width}×{height}, too small to reduce by {scale}; "
            f"clips need at least {least}×{least} pixels"
        )
    return [crop_to_multiple(frame, 2 * scale) for frame in frames]


def code_clip(small: NDArray[np.uint8], coding: Coding | None) -> NDArray[np.uint8]:
    """N×H×W×3 BGR frames after an encoder and its decoder; without a coding as they are.

    Raises MissingDependencyError for an encoder that this build of FFmpeg lacks.
    """
    if coding is None:
        return small
    decoded, _ = encode_and_decode(np.ascontiguousarray(small[..., ::-1]), coding)
    return np.ascontiguousarray(decoded[..., ::-1])


def _score(
    upscale: Upscale,
    given: NDArray[np.uint8],
    originals: Sequence[ImageU8],
    masks: Sequence[NDArray[np.bool_]],
    scale: int,
) -> _Scores:
    scores = _Scores()
    changed = area = 0.0
    for number in range(0, len(given), EVERY):
        output = upscale(given[number]).copy()
        quality = compare("", output, originals[number], scale)
        scores.psnr_db.append(quality.psnr_db)
        scores.ssim.append(quality.ssim)
        if number + 1 < len(given):
            mask = masks[number].repeat(scale, 0).repeat(scale, 1)
            changed += float(change(output, upscale(given[number + 1]))[mask].sum())
            area += int(mask.sum())
    whole = len(scores.psnr_db) * originals[0].shape[0] * originals[0].shape[1]
    if area > _LEAST_STATIC * whole:
        scores.static_change = changed / area
    return scores


def _summary(
    rows: list[FootageRow], reference: list[FootageRow], codings: Sequence[Coding | None]
) -> FootageEntry:
    """All rows of one model with its means by coding, over the coded ones, and its flicker."""
    means, coded = {}, []
    for name in map(name_of, codings):
        scored = [row for row in rows if row.coding == name]
        psnr_db = fmean(row.psnr_db for row in scored if row.psnr_db is not None)
        means[name] = Scores(psnr_db, fmean(row.ssim for row in scored))
        if name != CLEAN:
            coded.append(psnr_db)
    ratios = [
        row.static_change / plain.static_change
        for row, plain in zip(rows, reference, strict=True)
        if row.static_change is not None and plain.static_change
    ]
    return FootageEntry(
        rows=rows,
        mean=means,
        coded_mean_db=fmean(coded) if coded else None,
        static_flicker=fmean(ratios) if ratios else None,
    )
