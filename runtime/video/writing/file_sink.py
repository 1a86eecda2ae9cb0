"""Encodes upscaled frames into a video file that plays like its source, only larger."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import av
from av.packet import Packet
from av.stream import Disposition, Stream

from ....common.closing import Closing
from ....common.errors import OutputError
from ....common.libraries.pyav import open_to_write
from ....common.notes import Say, say_on_stderr
from ....common.scheduling import unchanged_scheduling
from ..clip.bgr import FromBgr
from ..clip.frame import ClipFacts, Frame
from .carried import CopyFrom
from .containers import container_of
from .dynamic_hdr import DynamicHdr
from .encoders import EncoderOptions
from .matroska_shape import PLACEHOLDERS, display_size, write_shape
from .packet_clock import PacketClock
from .passthrough import Passthrough, lasting_tags
from .sound_feed import FedSound, SoundFeed
from .stored import (
    DEFAULT_RATE,
    as_stored,
    coded_size,
    configure,
    options_for,
    output_errors,
    scaled_matrix,
)

_UNTIMED_BY_X265 = 2
"""x265 leaves the decoding times of clips of so many frames uninitialised: its delay for B-frames
is set only by the frame behind them."""


class FileSink(Closing):
    """Writes frames of one size to `path`, with the times they carry and the clip's tags.

    Colour matrix and range of the source are used for the conversion and written to the file, so
    are primaries, transfer, sample aspect ratio, rotation, metadata and chapters; audio and
    subtitles are copied (`Passthrough`). Matroska keeps times in whole milliseconds, the others
    keep them exactly. Odd sizes are padded by one row or column where 4:2:0 demands it.

    Use it as a context manager: `finish` must have been called when the block ends well; when it
    ends with an exception the unfinished file is removed. Calls come from one thread at a time.

    Args:
        path: where to write, usually the temporary file of `atomic_output`.
        facts: of the source.
        size_px: width and height of the frames to come.
        options: codec, quality and preset.
        carried: what comes beside the pictures: the streams of a file, or the sound of a live
            source.
        shown_as: the name to use in messages, when `path` is temporary.

    Raises:
        OutputError: the file cannot be written or the container cannot hold what it should.
    """

    def __init__(
        self,
        path: Path,
        facts: ClipFacts,
        size_px: tuple[int, int],
        options: EncoderOptions | None = None,
        carried: CopyFrom | SoundFeed | None = None,
        *,
        shown_as: Path | None = None,
        say: Say = say_on_stderr,
    ) -> None:
        self._path = path
        self._target = shown_as or path
        self._container_kind = container_of(path)
        self._options = (options or EncoderOptions()).for_target(path)
        self._facts = facts = as_stored(facts, self._options)
        self._size_px = size_px
        self._say = say
        self._busy = threading.Lock()
        self._durations: dict[int, int] = {}
        self._dynamic_hdr = DynamicHdr(self._options.encoder.library)
        self._clock = PacketClock(fixed_up=not self._container_kind.is_matroska)
        self._passthrough: Passthrough | FedSound | None = None
        self._finished = False
        self.frames_written = 0
        self._options.check_suffix(self._target)
        self._options.check_size(self._target, *size_px)
        self._options.check_available()
        with self._as_output_error():
            self._container = self._open()
        try:
            with self._as_output_error():
                self._stream = self._add_video_stream()
                if isinstance(carried, CopyFrom):
                    self._passthrough = Passthrough(carried, self._container, self._target, say)
                elif carried is not None:
                    self._passthrough = FedSound(carried, self._container)
                self._start()
        except BaseException:
            self._discard()
            raise

    def close(self) -> None:
        """Remove the file, unless it was finished."""
        if not self._finished:
            self._discard()

    @property
    def copied(self) -> list[str]:
        """The streams that are copied beside the video, as "audio (aac)"."""
        return self._passthrough.copied if self._passthrough else []

    def write(self, frame: Frame) -> None:
        """Encode a frame. Its buffer is not read any more when this returns."""
        with self._busy, self._as_output_error():
            picture = self._to_picture(frame)
            picture.pts = frame.pts
            picture.time_base = frame.time_base
            picture.duration = frame.duration
            self._durations[frame.pts] = frame.duration
            self._dynamic_hdr.note(frame.pts, frame.hdr10_plus)
            for packet in self._stream.encode(picture):
                self._write(packet)
            self.frames_written += 1

    def mux(self, packet: Packet[Stream], duration: int) -> None:
        """Take a packet that an encoder of these options made, in the order of decoding."""
        with self._busy, self._as_output_error():
            packet.stream = self._stream
            packet.time_base = self._facts.time_base
            if packet.pts is not None:
                self._durations[packet.pts] = duration
            self._write(packet)
            self.frames_written += 1

    def finish(self) -> None:
        """Drain the encoder, copy what remains of the other streams and complete the file."""
        with self._busy, self._as_output_error():
            untimed = self.frames_written <= _UNTIMED_BY_X265
            for packet in self._stream.encode(None):
                if untimed and self._options.encoder.library == "libx265":
                    packet.dts = packet.pts  # two frames are never reordered
                self._write(packet)
            last = self._clock.last()
            if last is not None:
                self._container.mux_one(last)
            if self._passthrough is not None:
                self._passthrough.finish()
                self._passthrough.close()
            self._container.close()
            if self._states_shape:
                aspect = self._facts.sample_aspect_ratio
                write_shape(self._path, display_size(*self._coded_px, aspect))
            self._finished = True

    def _open(self) -> av.container.OutputContainer:
        # The index goes to the front so that a player can start before it has the whole file.
        # The unit in which a track states that it begins later than the film; else it is 1 ms.
        options = {"movflags": "+faststart", "movie_timescale": "90000"}
        kind = self._container_kind
        if kind.is_matroska:
            options = {"avoid_negative_ts": "disabled"}
        return open_to_write(f"file:{self._path}", format=kind.name, container_options=options)

    def _add_video_stream(self) -> av.VideoStream:
        facts, encoder = self._facts, self._options.encoder
        rate = facts.average_rate or DEFAULT_RATE
        stream = self._container.add_stream(
            encoder.library, rate=rate, options=options_for(self._options, facts)
        )
        assert isinstance(stream, av.VideoStream)
        width, height = self._coded_size()
        stored = self._options.stored_format
        self._from_bgr = FromBgr(stored.name, facts.colour, (width, height))
        context = stream.codec_context
        configure(context, facts, stored, (width, height))
        is_matroska = self._container_kind.is_matroska
        if encoder.quicktime_tag and not is_matroska:
            context.codec_tag = encoder.quicktime_tag
        stream.disposition = Disposition.default
        matrix = scaled_matrix(facts, self._size_px)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        stream.metadata.update(lasting_tags(facts.stream_metadata))
        self._coded_px = width, height
        self._states_shape = is_matroska and facts.sample_aspect_ratio != 1
        if self._states_shape:
            stream.metadata.update(PLACEHOLDERS)
        self._container.metadata.update(lasting_tags(facts.metadata))
        if is_matroska and 1000 % facts.time_base.denominator:
            suffix = self._path.suffix.lower()
            self._say(
                f"{self._target.name}: {suffix} keeps times in whole milliseconds; .mp4 is exact"
            )
        return stream

    def _start(self) -> None:
        """Open the encoder, then write the header, so that the error names the right one."""
        try:
            with unchanged_scheduling():
                self._stream.codec_context.open(strict=False)
        except (av.FFmpegError, ValueError) as error:
            width, height = self._stream.codec_context.width, self._stream.codec_context.height
            rate = float(self._facts.average_rate or DEFAULT_RATE)
            # Encoders do not say that they ran out of memory.
            memory = ", or free memory" if isinstance(error, av.error.ExternalError) else ""
            raise OutputError(
                f"{self._target}: {self._options.codec_name} cannot encode {width}×{height} at "
                f"{rate:g} fps; name another --codec or --scale{memory}"
            ) from error
        self._container.start_encoding()

    def _coded_size(self) -> tuple[int, int]:
        width, height = self._size_px
        coded = coded_size(self._size_px, self._options)
        if coded != self._size_px:
            chroma = self._options.stored_format.chroma_name
            sizes = "even sizes" if chroma == "4:2:0" else "an even width"
            self._say(
                f"{self._target.name}: {width}×{height} is padded to {coded[0]}×{coded[1]}, "
                f"{chroma} video needs {sizes}"
            )
        return coded

    def _to_picture(self, frame: Frame) -> av.VideoFrame:
        image = frame.bgr
        width, height = self._size_px
        if image.shape != (height, width, 3):
            raise ValueError(f"Expected frames of {height}×{width}×3, got {image.shape = }.")
        return self._from_bgr(image, frame.alpha)

    def _write(self, packet: Packet[Stream]) -> None:
        if packet.pts is not None:
            packet.duration = self._durations.pop(packet.pts, 0) or packet.duration
        packet = self._dynamic_hdr.put_into(packet)
        ready = self._clock.next(packet)
        if ready is None:
            return
        if self._passthrough is not None and ready.dts is not None:
            self._passthrough.copy_until(ready.dts * ready.time_base)
        self._container.mux_one(ready)

    def _as_output_error(self) -> contextlib.AbstractContextManager[None]:
        return output_errors(self._target)

    def _discard(self) -> None:
        """Remove the file; close it too unless a thread is stuck inside the encoder."""
        # Removed first: closing writes a trailer, and moving the index of a long file to its
        # front takes long; without the file it is skipped.
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        if not self._busy.acquire(blocking=False):
            return
        try:
            if self._passthrough is not None:
                self._passthrough.close()
            with contextlib.suppress(av.FFmpegError, OSError):
                self._container.close()
            self._path.unlink(missing_ok=True)
        finally:
            self._busy.release()
