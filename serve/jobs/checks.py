"""Checks uploads against the limits, by headers and packets, before anything is decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from errno import EINVAL
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...common.errors import InputError
from ...common.images.opening import frame_count, open_bytes
from ...common.images.reading import read_outline
from ...runtime.video.clip.fit import Scaling, factor_of
from .names import is_picture
from .settings import RESULT_PIXELS, Limits

if TYPE_CHECKING:
    import av

# What FFmpeg may take an upload for. Playlists are not among them: they name other files.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpegts",
    "mpeg",
    "mpegvideo",
    "flv",
    "asf",
    "ogg",
    "gif",
    "dv",
    "mxf",
    "ivf",
    "yuv4mpegpipe",
    "h264",
    "hevc",
    "m4v",
    "apng",
    "rm",
    "nut",
)


class LimitError(InputError):
    """An upload, or what is asked of it, is more than the server takes."""


@dataclass(frozen=True)
class Facts:
    """What the header of an upload shows."""

    width: int
    height: int
    frames: int | None = None
    seconds: float | None = None


def check_upload(path: Path, limits: Limits, scaling: Scaling | None) -> Facts | None:
    """Read the header and raise LimitError for what is over a limit.

    `scaling` is the scale or size asked for, or None for the model's scale. Of an image that only
    the decoder can find out about, nothing is returned; it has a limit of its own.

    Raises:
        LimitError: too many pixels, frames or seconds.
        InputError: a video that cannot be read, or one in a container that may name other files.
    """
    facts = _picture(path, limits) if is_picture(path.suffix) else _video(path, limits)
    if facts is None:
        return None
    pixels = facts.width * facts.height
    if pixels > limits.pixels:
        raise LimitError(
            f"{path}: {facts.width}×{facts.height} are {pixels:,} pixels; this server's limit "
            f"is {limits.pixels:,}"
        )
    sides = [(facts.width, facts.height)]
    if facts.frames is not None:  # a video may be shown turned: both ways must be allowed
        sides.append((facts.height, facts.width))
    factor = 0.0 if scaling is None else max(float(factor_of(scaling, *one)) for one in sides)
    if pixels * factor * factor > RESULT_PIXELS * limits.pixels:
        raise LimitError(
            f"{path}: {facts.width}×{facts.height} at scale {factor:g} makes more than "
            f"{RESULT_PIXELS * limits.pixels:,} pixels, this server's limit"
        )
    return facts


def _picture(path: Path, limits: Limits) -> Facts | None:
    try:
        found = read_outline(path)
        width, height, frames = found.width, found.height, found.frames
    except InputError:  # it is damaged; its header may be whole, and state what is too large
        try:
            with open_bytes(path.read_bytes()) as image:
                width, height = image.size
                frames = frame_count(image)
        except (OSError, SyntaxError, ValueError, struct.error):
            return None  # the command says what is wrong with it
    _require_few(path, frames, limits)  # of an animation all become a result
    return Facts(width, height)


def _video(path: Path, limits: Limits) -> Facts:
    """The facts of a video, whose packets are counted; what its header states may be anything."""
    import av

    from ...runtime.video.clip.film_times import film_times
    from ...runtime.video.clip.input_file import open_input

    try:
        container = open_input(path, formats=_CONTAINERS, most_pixels=limits.pixels)
    except InputError as error:
        if getattr(error.__cause__, "errno", 0) == EINVAL:  # it is on no list of formats
            raise InputError(
                f"{path}: this server does not read this container; convert it to .mp4 first"
            ) from error
        raise
    with container:
        streams = [stream for stream in container.streams.video if stream.codec_context is not None]
        if not streams:
            raise InputError(f"{path}: has no video stream")
        largest = max(streams, key=lambda stream: stream.width * stream.height)
        if not largest.width * largest.height:
            raise InputError(
                f"{path}: its header does not state the frame size; convert it to .mp4 first"
            )
        if container.duration is not None:
            _, end = film_times(container)  # of Matroska, from time 0
            _require_short(path, float(end) - (container.start_time or 0) / av.time_base, limits)
        measures = {stream.index: _Measure() for stream in streams}
        try:
            for packet in container.demux(streams):
                if packet.size:
                    measure = measures[packet.stream.index]
                    measure.add(packet)
                    _require_few(path, measure.frames, limits)
                    _require_short(path, measure.seconds, limits)
        except av.FFmpegError:
            pass  # damaged: the command says where
    longest = max(measures.values(), key=lambda measure: measure.frames)
    return Facts(largest.width, largest.height, longest.frames, round(longest.seconds, 3))


class _Measure:
    """How many packets a stream has, and the time from the first to the last."""

    def __init__(self) -> None:
        self.frames = 0
        self._first: float | None = None
        self._last = 0.0

    def add(self, packet: av.Packet[Any]) -> None:
        self.frames += 1
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None or not packet.time_base:
            return
        seconds = float(stamp * packet.time_base)
        if self._first is None:
            self._first = self._last = seconds
        self._first, self._last = min(self._first, seconds), max(self._last, seconds)

    @property
    def seconds(self) -> float:
        return 0.0 if self._first is None else self._last - self._first


def _require_few(path: Path, frames: int, limits: Limits) -> None:
    if frames > limits.frames:
        raise LimitError(
            f"{path}: has more than {limits.frames} frames, this server's limit; cut it into parts"
        )


def _require_short(path: Path, seconds: float, limits: Limits) -> None:
    if seconds > limits.seconds:
        raise LimitError(
            f"{path}: is longer than {limits.seconds:g} s, this server's limit; cut it into parts"
        )
