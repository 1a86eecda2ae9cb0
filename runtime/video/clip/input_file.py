"""Opening a local media file safely, its main video stream and its zero of time."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.format import Flags
from av.stream import Disposition

from ....common.errors import InputError
from ....common.files import is_there
from ....common.libraries.pyav import open_to_read
from ....common.notes import Say


def open_input(
    path: Path, *, formats: Sequence[str] = (), most_pixels: int | None = None
) -> av.container.InputContainer:
    """Open a file for reading; playlists in it cannot reach the network.

    If `formats`, by FFmpeg's names of its demuxers, are given, no others are opened. Opening
    decodes a frame of some files to find out what they are; not one of more than `most_pixels`.

    Raises:
        InputError: it does not exist, is empty or is nothing that FFmpeg knows.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a video file")
    if not is_there(path):
        raise InputError(f"{path}: no such file")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    try:
        options = {"protocol_whitelist": "file"}
        if formats:
            options["format_whitelist"] = ",".join(formats)
        # The prefix keeps a name with a colon from being read as a URL.
        return open_to_read(
            f"file:{path}",
            options={} if most_pixels is None else {"max_pixels": str(most_pixels)},
            container_options=options,
        )
    except PermissionError as error:
        raise InputError(f"{path}: cannot be read (permission denied)") from error
    except av.FFmpegError as error:
        raise InputError(
            f"{path}: cannot be read as a video, or is damaged ({error.strerror})"
        ) from error


def main_video(container: av.container.InputContainer, say: Say) -> av.VideoStream:
    """The video stream that FFmpeg takes for the best, pictures of covers left aside.

    Raises ValueError: there is none that can be decoded. The message is a clause without a subject.
    """
    moving = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not moving:
        raise ValueError("has no video stream")
    best = container.streams.best("video")
    stream = best if isinstance(best, av.VideoStream) and best in moving else moving[0]
    # None when nothing of the stream could be made out; libav would crash on using it.
    if stream.codec_context is None:
        raise ValueError("the codec of its video stream is unknown")
    if len(moving) > 1:
        say(
            f"contains {len(moving)} video streams; only stream {stream.index} is upscaled, the "
            "others are left out"
        )
    return stream


def start_offset(container: av.container.InputContainer, time_base: Fraction) -> int:
    """The time in units of `time_base` that counts as zero in this file."""
    if not container.format.flags & cast("int", Flags.ts_discont.value):
        return 0
    return round(Fraction(container.start_time or 0, av.time_base) / time_base)
