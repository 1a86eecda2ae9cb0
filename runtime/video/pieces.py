"""A long video in pieces that are upscaled apart, by different machines, and then joined.

    source:   |---------- piece 0 ----------|---------- piece 1 ----------|
    decoded:  |·····························|→→ run-out
                                      K·→→→→|·····························|    K: a key frame
    segments: |--250--|--250--|--250--|-250-|--250--|--250--|

Pieces begin where a segment of the whole would begin, so the joined file holds what an unsplit run
in segments (`upscale_video` with `ConvertOptions.resume`) holds, bit for bit. Decoding begins at a
key frame before the piece. Models of several frames are shown those before the piece, and those
behind it that they look ahead to.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ...common.errors import InputError
from ...common.files import atomic_output
from ...common.libraries.pyav import unit_of
from ...common.notes import Say, say_on_stderr, silent
from .clip.frame import Frame
from .clip.input_file import open_input, start_offset
from .pipeline import Pipeline
from .reading.file_source import FileSource
from .reading.options import ReadOptions
from .reading.seek import seek_point
from .resume.segment_sink import SEGMENT_FRAMES, SegmentSink
from .resume.segments import WorkFolder, join_segments
from .stats import PipelineStats
from .step import FrameStep, FrameUpscaler
from .whole_file import ConvertOptions, VideoResult, job_of, prepare_clip
from .writing.carried import CopyFrom
from .writing.encoders import EncoderOptions
from .writing.file_sink import FileSink

_RUN_IN_FRAMES = 32
"""Decoding begins at least so many frames before a piece, for models of several frames."""

_NEAR = 2
"""Seconds from the beginning of a clip that are decoded anyway."""


@dataclass(frozen=True)
class Piece:
    """The frames of a clip with start ≤ time < end, in units of its time base, as plain values."""

    number: int
    start_pts: int | None
    """`None`: the clip's beginning."""
    end_pts: int | None
    """`None`: its end."""
    before_pts: int | None
    """The time of the last frame before the piece."""
    seek_seconds: str | None
    """Decoding begins at a key frame before this time, a fraction."""


def plan_pieces(
    path: Path,
    seconds: float,
    *,
    segment_frames: int = SEGMENT_FRAMES,
    say: Say = say_on_stderr,
) -> list[Piece]:
    """Cut a video of more than `seconds` into equal pieces of about that length at most.

    An empty list leaves it whole.

    The file is read once through, without being decoded. It stays whole, with one line, where
    decoding cannot begin in the middle: without an index or a time for every frame, and when it is
    interlaced.

    Raises InputError: it cannot be read.
    """
    with open_input(path) as container:
        if (container.duration or 0) <= 1e6 * seconds:
            return []
    with FileSource(path, say=silent) as source:
        index, unit = source.stream_index, source.facts.time_base
    shown = _frame_times(path, index)
    if shown is None:
        say(f"{path.name}: is not split because not every frame has its own time")
        return []
    times, keys = shown
    length = round(seconds / unit)
    cuts = _cuts(times, length, segment_frames)
    starts = [times[max(0, cut - _RUN_IN_FRAMES)] for cut in cuts]
    # A film that begins before 0 is moved, which its later pieces do not see.
    if times[0] < 0 or not all(_can_begin(path, index, start * unit) for start in starts):
        say(f"{path.name}: is not split because decoding cannot start in the middle")
        return []
    if any(start - keys[bisect_right(keys, start) - 1] > length for start in starts):
        say(f"{path.name}: is not split because its key frames are too far apart")
        return []
    borders = [None, *(times[cut] for cut in cuts), None]
    return [
        Piece(
            number,
            borders[number],
            borders[number + 1],
            times[cuts[number - 1] - 1] if number else None,
            str(starts[number - 1] * unit) if number else None,
        )
        for number in range(len(cuts) + 1)
        if cuts
    ]


def upscale_piece(
    source_path: Path,
    piece: Piece,
    work_target: Path,
    upscaler: FrameUpscaler,
    encoder: EncoderOptions,
    options: ConvertOptions,
    *,
    say: Say = say_on_stderr,
) -> tuple[PipelineStats, int]:
    """Encode the segments of a piece into the work folder of `work_target`.

    A piece that was interrupted goes on where it ended. Returns the statistics and the number of
    frames of the whole piece. `options.resume` must name the model. Raises what `upscale_video`
    raises.
    """
    history = FrameStep(upscaler).history
    if history > _RUN_IN_FRAMES:
        raise InputError(f"{source_path}: cannot be split for a model of {history} frames")
    with _folder(source_path, piece, work_target, encoder, options) as folder, encoder.in_use():
        found = folder.found()
        with FileSource(
            source_path,
            ReadOptions(
                after_pts=found.last_pts if found.pts else piece.before_pts,
                context=history,
                seek_to=Fraction(piece.seek_seconds) if piece.seek_seconds else None,
                assume_transfer=options.assume_transfer,
            ),
            say=say,
        ) as source:
            made = prepare_clip(source, source_path, work_target, upscaler, encoder, options, say)
            segments = SegmentSink(
                folder,
                found,
                source.facts,
                made.size_px,
                made.encoder,
                target=work_target,
                segment_frames=options.segment_frames,
                keeping_share=options.keeping_share,
                say=say,
            )
            segments.restore()
            frames = _until(source, piece.end_pts, made.step.lookahead)
            sink = _UntilSink(segments, piece.end_pts)
            stats = Pipeline(frames, made.step, sink, pool=made.pool).run()
    return stats, len(found.pts) + sink.frames_written


def join_pieces(
    source_path: Path,
    target: Path,
    pieces: list[tuple[Piece, Path]],
    upscaler: FrameUpscaler,
    encoder: EncoderOptions,
    options: ConvertOptions,
    *,
    overwrite: bool = False,
    say: Say = say_on_stderr,
) -> VideoResult:
    """Join the segments of all pieces, with what is copied of the source, without encoding again.

    With each piece comes the target that `upscale_piece` was called with.

    Raises what `upscale_video` raises. InputError: a piece has no segments.
    """
    segments: list[Path] = []
    for piece, work_target in pieces:
        with _folder(source_path, piece, work_target, encoder, options) as folder:
            found = folder.complete()
        if not found:
            raise InputError(f"{source_path}: the segments of piece {piece.number} are gone")
        segments += found
    reading = ReadOptions(assume_transfer=options.assume_transfer)
    with FileSource(source_path, reading, say=silent) as source:
        copied = CopyFrom(source_path, source.stream_index, options.audio)
        work_target = pieces[0][1]
        made = prepare_clip(source, source_path, work_target, upscaler, encoder, options, silent)
        with (
            atomic_output(target, overwrite=overwrite, source=source_path) as temporary,
            FileSink(
                temporary,
                source.facts,
                made.size_px,
                made.encoder,
                copied,
                shown_as=target,
                say=say,
            ) as sink,
        ):
            join_segments(segments, sink)
            streams, frames = sink.copied, sink.frames_written
    return VideoResult(target, *made.size_px, streams, PipelineStats(), frames)


def _folder(
    source: Path, piece: Piece, work_target: Path, encoder: EncoderOptions, options: ConvertOptions
) -> WorkFolder:
    border = [piece.start_pts, piece.end_pts]
    return WorkFolder(work_target, job_of(source, encoder, options, piece=border))


def _can_begin(path: Path, stream_index: int, start: Fraction) -> bool:
    """Whether decoding can begin at a key frame before `start` seconds, or has not far to go."""
    with open_input(path) as container:
        unit = unit_of(container.streams[stream_index])
        if start_offset(container, unit):
            return False
    return start <= _NEAR or seek_point(path, stream_index, start) is not None


def _frame_times(path: Path, stream_index: int) -> tuple[list[int], list[int]] | None:
    """When all frames and when key frames are shown; `None` where packets do not have it."""
    with open_input(path) as container:
        packets = (packet for packet in container.demux(container.streams[stream_index]))
        found = [
            (packet.pts, packet.is_keyframe)
            for packet in packets
            if packet.size and not packet.is_discard
        ]
    times = sorted(pts for pts, _ in found if pts is not None)
    if not times or len(set(times)) != len(found):
        return None
    return times, sorted(pts for pts, is_key in found if is_key and pts is not None)


def _cuts(times: list[int], length: int, segment_frames: int) -> list[int]:
    """Numbers of the frames with which pieces of equal length begin, which is at most `length`.

    They are multiples of `segment_frames`.
    """
    total = times[-1] - times[0]
    count = -(-total // max(1, length))
    places = (bisect_left(times, times[0] + total * n // count) for n in range(1, count))
    near = {round(place / segment_frames) * segment_frames for place in places}
    return sorted(cut for cut in near if 0 < cut < len(times))


def _until(frames: Iterable[Frame], end_pts: int | None, lookahead: int) -> Iterator[Frame]:
    """The frames before `end_pts`, then `lookahead` more, which are looked at."""
    for frame in frames:
        if end_pts is not None and frame.pts >= end_pts:
            if not lookahead:
                return
            lookahead -= 1
        yield frame


class _UntilSink:
    """Leaves out what was only looked at."""

    def __init__(self, sink: SegmentSink, end_pts: int | None) -> None:
        self._sink = sink
        self._end_pts = end_pts
        self.frames_written = 0

    def write(self, frame: Frame) -> None:
        if self._end_pts is None or frame.pts < self._end_pts:
            self._sink.write(frame)
            self.frames_written += 1

    def finish(self) -> None:
        self._sink.finish()
