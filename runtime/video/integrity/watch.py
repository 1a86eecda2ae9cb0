"""Checks that a file was read to its true end, with every frame, which libav does not."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import av
from av.stream import Stream

from ....common.libraries.pyav import exact
from ..clip.film_times import film_times
from ..clip.rate import frame_rate
from .damage import CUT_IN_PACKET, ends_in_packet
from .nothing_coded import NothingCoded

# Headers round the duration, and streams end a little apart.
_TOLERANCE_SECONDS = Fraction(1, 4)
# Codecs of which every packet with a timestamp becomes exactly one shown frame.
_PACKET_IS_FRAME = frozenset({"h264", "hevc", "mjpeg", "prores", "ffv1"})
# The same, but some decoders give their frames other times: only the number counts.
_FRAME_FOR_PACKET = frozenset({"vp9", "av1", "mpeg4"})

# Packets that may come before one that is shown earlier. H.264 allows 16; encoders use up to 4.
_MOST_REORDERED = 4


class Integrity:
    """Watches the packets and frames of one video stream and says what is missing at the end."""

    def __init__(
        self,
        container: av.container.InputContainer,
        stream: av.VideoStream,
        *,
        may_hide: bool = True,
        frames: int | None = None,
        is_whole: bool = False,
        lacks_bytes: bool = False,
    ) -> None:
        """`may_hide`: the file may say of frames that they are not to be shown; `frames`: how many
        there are otherwise; `is_whole`: the file is as long as it states, to the byte;
        `lacks_bytes`: it is shorter.
        """
        self._is_whole, self._lacks_bytes = is_whole, lacks_bytes
        self._container = container
        self._may_hide = may_hide
        self._listed = frames or 0
        self._frames = 0 if may_hide else self._listed
        self._stream = stream
        self._packets = self._numbered = 0
        self._listed_at_first = len(stream.index_entries)
        self._end_seconds = Fraction(0)
        self._first_pts: int | None = None
        self._codec = stream.codec_context.codec.canonical_name
        self._gives_nothing = None
        if self._codec == "mpeg4":
            self._gives_nothing = NothingCoded(bytes(stream.codec_context.extradata or b""))
        self._pair_up = self._codec in _PACKET_IS_FRAME
        self._awaited: set[int] = set()
        self._clean_frame_seen = False
        self._end_byte = 0
        self._expected = self._decoded = 0
        self._shown = self._discarded = 0
        self._last_shown = -(1 << 63)
        self._lead_in = False  # at the beginning of an edit, which begins with a key frame
        self._midway = False
        self._first_dts: int | None = None

    @property
    def hidden(self) -> int:
        """How many frames the file has but says not to show; to be asked at the end."""
        return 0 if self._midway else max(0, self._listed - self._decoded)

    def begins_midway(self) -> None:
        """The file is read from a key frame on, not from its beginning."""
        self._midway = True

    def packet(self, packet: av.Packet[Stream]) -> str:
        """Take note of a packet of any stream; return what is wrong with it or ""."""
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is not None and (unit := exact(packet.time_base)):
            end = (pts + (packet.duration or 0)) * unit
            self._end_seconds = max(self._end_seconds, end)
        if packet.stream.index != self._stream.index:
            return "the file is damaged or cut short" if packet.is_corrupt else ""
        self._packets += 1
        if packet.dts is not None:
            self._numbered = max(self._numbered, packet.dts + 1)
        self._watch_discarded(packet)
        if self._first_dts is None:
            self._first_dts = packet.dts
        self._end_byte = (packet.pos or 0) + packet.size
        gives_nothing = self._gives_nothing is not None and self._gives_nothing(bytes(packet))
        if packet.size and not packet.is_discard and not gives_nothing:
            self._expected += 1
        if self._pair_up and packet.pts is not None and not packet.is_discard:
            self._awaited.add(packet.pts)
        return "the file is damaged or cut short" if packet.is_corrupt else ""

    def _watch_discarded(self, packet: av.Packet[Stream]) -> None:
        """Count packets that are not to be shown although frames around them are.

        An edit list leaves out what is before its beginning and behind its end; of several edits,
        each begins at a key frame and what follows that up to its own beginning.
        """
        if packet.pts is None:
            return
        if not packet.is_discard:
            self._shown += 1
            self._last_shown = max(self._last_shown, packet.pts)
            self._lead_in = False
            return
        self._lead_in = self._lead_in or packet.is_keyframe
        before_begin = self._shown <= _MOST_REORDERED
        behind_end = packet.pts > self._last_shown
        if not self._may_hide or not (before_begin or behind_end or self._lead_in):
            self._discarded += 1

    def frames(self, frames: Iterable[av.VideoFrame]) -> str:
        """Take note of decoded frames; return what is wrong with them or ""."""
        for frame in frames:
            self._decoded += 1
            # Fields that are coded apart give one frame for two packets.
            self._pair_up = self._pair_up and not frame.interlaced_frame
            if frame.pts is not None:
                self._awaited.discard(frame.pts)
                if self._first_pts is None:
                    self._first_pts = frame.pts
            # A recording cut out of a broadcast begins with frames that refer to missing ones.
            if frame.is_corrupt and self._clean_frame_seen:
                return "a frame is damaged"
            self._clean_frame_seen = self._clean_frame_seen or not frame.is_corrupt
        return ""

    def verdict(self, total_bytes: int) -> str:
        """After the last packet: what is missing of an input of that many bytes, or ""."""
        is_y4m = self._container.format.name == "yuv4mpegpipe"
        if is_y4m and self._packets and total_bytes > self._end_byte:
            return "the last frame is cut short"
        if self._container.format.name == "mpegts" and ends_in_packet(total_bytes):
            return CUT_IN_PACKET
        # Complete for MP4, MOV and AVI; Matroska's lists key frames only.
        indexed = self._indexed()
        if self._packets < indexed:
            return f"the file is cut short: {self._packets} of {indexed} frames are there"
        start, end = film_times(self._container, self._stream if self._is_whole else None)
        missing = end - self._end_seconds
        if missing > max(_TOLERANCE_SECONDS, 2 / (frame_rate(self._stream) or Fraction(25))):
            return (
                f"the file is cut short: its header promises {float(end - start):.2f} s, "
                f"{float(missing):.2f} s of them are missing"
            )
        if self._discarded:
            return (
                "frames are marked as not to be shown without a reason: its list of edits or of "
                "times is damaged"
            )
        missing_frames = self._expected - self._decoded
        if self._codec in _FRAME_FOR_PACKET and missing_frames > 0 and not self._midway:
            return f"{missing_frames} frames cannot be decoded"
        first = self._first_pts
        lost = [pts for pts in self._awaited if first is not None and pts > first]
        if self._pair_up and lost:
            return f"{len(lost)} frames cannot be decoded"
        return ""

    def _indexed(self) -> int:
        """How many packets the file's list promises from where it is read."""
        if self._container.format.name == "gxf":
            return 0  # it lists fields, also where packets are frames
        entries, first = self._stream.index_entries, self._first_dts
        if not self._midway:
            return max(len(entries), self._frames, self._stated())
        return sum(1 for entry in entries if first is not None and entry.timestamp >= first)

    def _stated(self) -> int:
        """How many frames the header promises, if it is to be believed, or 0."""
        stream = self._stream
        if self._container.format.name == "avi":
            # It counts empty packets, too, which its list leaves out, and libav as well.
            if self._listed_at_first >= self._packets:
                return stream.frames if self._lacks_bytes else 0
            # Without a whole list, the times are numbers of packets, among them the empty ones.
            return self._packets + max(0, stream.frames - self._numbered)
        if self._container.format.name == "mxf" and stream.time_base and stream.duration:
            is_counted = stream.time_base * (stream.average_rate or 0) == 1
            return stream.duration if is_counted else 0
        return 0
