"""Every frame of a video file with its exact time, as BGR."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from ....common.errors import InputError
from ....common.images.content.alpha import bleed
from ....common.notes import Say, say_on_stderr
from ..clip.alpha import alpha_of
from ..clip.bgr import ToBgr, colour_of, depth_note
from ..clip.colour_tags import require_sdr
from ..clip.frame import ClipFacts, Frame
from ..clip.hdr10_plus import HdrPlusError, message_of
from ..clip.input_file import main_video, open_input, start_offset
from ..clip.pool import FramePool
from ..integrity.damage import may_hide_its_end, structure_of
from ..integrity.dolby_vision import check_profile
from ..integrity.structure import Structure
from ..integrity.watch import Integrity
from .clip_facts import clip_facts
from .clip_source import ClipSource
from .clock import Clock, Timed
from .decoding import Decoder, Picture
from .deinterlace import Deinterlacer
from .gaps import UNPROTECTED
from .options import ReadOptions
from .seek import seek_point
from .side_data import side_data_of


class FileSource(ClipSource):
    """Decodes the main video stream of a file; iterate over it once, from one thread.

    Frames come in presentation order. Times are the file's own, exact; only formats whose clock
    starts anywhere (MPEG-TS, MPEG-PS) are shifted to begin at zero, all streams alike. Pixels are
    converted with the clip's own matrix and range; an untagged clip is taken for BT.709 from 720
    lines up and for BT.601 below. Interlaced frames are deinterlaced, one frame out per frame in.

    `facts` is valid from construction on: the first frame is decoded there. With a `pool`, the
    arrays come from it and whoever consumes a frame gives them back.

    Raises:
        InputError: at construction when the file is no usable video; from the iteration when it
            is damaged or shorter than it claims, so that a loop that ends has seen every frame.
    """

    def __init__(
        self,
        path: Path | str,
        options: ReadOptions | None = None,
        *,
        container: av.container.InputContainer | None = None,
        total_bytes: Callable[[], int] | None = None,
        pool: FramePool | None = None,
        say: Say = say_on_stderr,
    ) -> None:
        """Open `path`; or take a `container` that is open already, which `path` only names.

        `total_bytes` returns at the end how long an input was that does not know it itself.
        """
        self.path = path
        self._name = Path(path).name if container is None else str(path)
        self._say = say
        self._options = options = options or ReadOptions()
        self._to_bgr = ToBgr(pool or FramePool())
        self._is_prepared = self._keeps_alpha = self._leaves_hdr10_plus_out = False
        self.container = container or open_input(Path(path))
        if container is not None and may_hide_its_end(container):
            self._note("has no duration in its header, so a missing end cannot be detected")
        try:
            structure = Structure()
            if container is None:
                structure = structure_of(Path(path), self.container.format.name)
            self._open(structure, total_bytes)
            start = options.span.start if options.seek_to is None else options.seek_to
            if container is None and start:
                self._seek(Path(path), start)
            self._timed = self._clock.timed(self._decoder.frames())
            self._first = next(self._timed, None)
            if self._first is None:
                if self._clock.last_pts is not None:
                    raise InputError(f"{path}: ends before {float(options.span.start):g} s")
                raise InputError(
                    f"{path}: contains a video stream but none of its frames can be decoded"
                )
            self._zero = self._first.pts
            if self._options.span.is_from_the_beginning:  # no frame has a time before 0
                self._zero = min(0, self._zero)
            self.facts = self._read_facts(self._first.frame, structure.dolby_vision)
        except BaseException:
            self.container.close()
            raise

    def _open(self, structure: Structure, total_bytes: Callable[[], int] | None) -> None:
        """Choose the stream and make what its frames pass through."""
        container = self.container
        if structure.fault:
            raise InputError(f"{self.path}: {structure.fault}; no output was written")
        try:
            self._stream = main_video(container, self._note)
            self._stream.thread_type = "AUTO"
            self._integrity = Integrity(
                container,
                self._stream,
                may_hide=structure.may_hide,
                frames=structure.frames,
                is_whole=structure.is_whole,
                lacks_bytes=structure.lacks_bytes,
            )
            self._deinterlacer = Deinterlacer(self._stream, self._options.deinterlace, self._note)
        except ValueError as error:
            raise InputError(f"{self.path}: {error}") from error
        self._clock = Clock(
            self.path,
            self._stream,
            self._deinterlacer,
            offset=start_offset(container, self._deinterlacer.time_base),
            span=self._options.span,
            # Frames of a y4m pipe come as they are filmed and all last equally long.
            waits=container.format.name != "yuv4mpegpipe",
        )
        self._decoder = Decoder(
            self.path,
            container,
            self._stream,
            self._integrity,
            self._deinterlacer,
            self._clock,
            total_bytes,
        )

    def close(self) -> None:
        """Close the file; a thread that is still reading from it keeps it open until it is done."""
        try:
            self._timed.close()
        except ValueError:  # another thread is inside the generator
            return
        self.container.close()

    def use_pool(self, pool: FramePool, *, keep_alpha: bool = False) -> None:
        """See `ClipSource.use_pool`. Without it, it starts with a line on what 8 bits lose."""
        self._keeps_alpha = keep_alpha and self.facts.pixel_format.has_alpha
        self._to_bgr = ToBgr(pool)
        self._is_prepared = True

    def listen(self, stream: av.AudioStream, take: Callable[[av.AudioFrame, float], None]) -> None:
        """Give the sound of a stream of `container` to `take`, with its time in seconds.

        To be called before the iteration. What lies before the first picture may be left out.
        """
        begins = float(self.start_seconds)
        self._decoder.listen(stream, lambda frame, seconds: take(frame, seconds - begins))

    @property
    def stream_index(self) -> int:
        """The index of the video stream that is decoded."""
        return self._stream.index

    def __iter__(self) -> Iterator[Frame]:
        if self._first is None:
            raise RuntimeError(f"{self.path}: the frames were already read.")
        if not self._is_prepared:
            self._check_depth()
        first, self._first = self._first, None
        after_pts = self._options.after_pts
        before: deque[Timed] = deque(maxlen=self._options.context)
        for timed in chain([first], self._timed):
            if after_pts is not None and timed.pts - self._zero <= after_pts:
                before.append(timed)
                continue
            while before:
                yield replace(self._convert(before.popleft()), is_context=True)
            yield self._convert(timed)
        if self._integrity.hidden and self._options.span.is_whole:
            hidden = self._integrity.hidden
            self._note(f"its edit list hides {hidden} frames, from players as well")
        if self.container.format.name in UNPROTECTED and (note := self._clock.gaps.note()):
            self._note(note)
        if self._clock.moved:
            self._note(
                f"{self._clock.moved} frames had the time of the frame before them "
                "or an earlier one and were moved behind it"
            )

    @property
    def start_seconds(self) -> Fraction:
        """The time in the input, in seconds, that the frames' time 0 is."""
        return self._zero * self._clock.time_base

    def _check_depth(self) -> None:
        """Say that frames get 8 bits. Raises InputError: they are HDR."""
        try:
            require_sdr(self.facts.colour)
        except ValueError as error:
            raise InputError(f"{self.path}: {error}") from error
        if note := depth_note(self.facts.pixel_format):
            self._note(note)
        if self.facts.pixel_format.has_alpha:
            self._note("the alpha channel is left out")

    def _seek(self, path: Path, start: Fraction) -> None:
        """Go to a key frame before `start`, in seconds."""
        stamp = seek_point(path, self._stream.index, start)
        if stamp is not None:
            self.container.seek(stamp, stream=self._stream)
            self._integrity.begins_midway()

    def _read_facts(self, first: av.VideoFrame, dolby_vision: int | None) -> ClipFacts:
        try:
            if note := check_profile(dolby_vision):
                self._note(note)
            colour = colour_of(first, self._stream.codec_context, self._options.assume_transfer)
        except ValueError as error:
            raise InputError(f"{self.path}: {error}") from error
        self._decoder.picture = Picture.of(first)
        return clip_facts(
            self.container,
            self._stream,
            first,
            self._clock,
            rate=self._deinterlacer.rate,
            colour=colour,
            say=self._note,
        )

    def _convert(self, timed: Timed) -> Frame:
        frame, pts, duration = timed
        picture = self._decoder.picture
        if picture and (change := picture.change_to(Picture.of(frame))):
            raise InputError(f"{self.path}: {change}")
        image = self._to_bgr(frame, self.facts.colour)
        made = Frame(image, pts - self._zero, self._clock.time_base, duration)
        if self.facts.hdr.is_dynamic:
            made.hdr10_plus = self._hdr10_plus(frame)
        if self._keeps_alpha:
            made.alpha = alpha_of(frame, image.dtype)
            np.copyto(image, bleed(image, made.alpha))
        return made

    def _hdr10_plus(self, frame: av.VideoFrame) -> bytes | None:
        """The metadata of one frame, if it has any that can be stated again."""
        found = side_data_of(frame).get("DYNAMIC_HDR_PLUS")
        if found is None:
            return None
        try:
            return message_of(bytes(found))
        except HdrPlusError as error:
            if not self._leaves_hdr10_plus_out:
                self._note(f"HDR10+ metadata that {error} is left out")
            self._leaves_hdr10_plus_out = True
            return None

    def _note(self, line: str) -> None:
        self._say(f"{self._name}: {line}")
