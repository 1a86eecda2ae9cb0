"""Parts of an encoded video on the disk, from which an interrupted run continues.

They lie in a folder beside the target, `.NAME.framelift`: `job.json` says what they are parts of,
and each segment is a file of encoded packets that begins with a key frame. A segment appears when
it is complete, with a sha256 over its content; a damaged one counts as missing, and so do those
behind it. The frames of the segment that is being made lie in a file of their own (`spool.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import av
from av.stream import Stream
from filelock import FileLock, Timeout

from ....common.closing import Closing
from ....common.errors import OutputError
from ....common.files import NAME_BYTES, shortened, write_durably
from ....common.notes import Say
from ..writing.file_sink import FileSink
from ..writing.stored import output_errors
from .spool import Spool

_MAGIC = b"framelift segment 1\n"
_SPOOL = ".frames"
_JOB, _LOCK = "job.json", "lock"


@dataclass(frozen=True)
class Coded:
    """An encoded frame. Times are in units of the clip's time base."""

    pts: int
    duration: int
    is_keyframe: bool
    data: bytes

    def packet(self, dts: int) -> av.Packet[Stream]:
        """The frame for a muxer."""
        packet: av.Packet[Stream] = av.Packet(self.data)
        packet.pts, packet.dts, packet.is_keyframe = self.pts, dts, self.is_keyframe
        return packet


@dataclass(frozen=True)
class Found:
    """What an interrupted run left."""

    segments: list[Path]
    """Those that are sound, from the first on."""
    spool: Spool
    """The frames behind them, of a segment that is not complete."""
    pts: list[int]
    """The times of all frames."""

    @property
    def last_pts(self) -> int | None:
        """The time of the last frame, or `None`."""
        return max(self.pts, default=None)


class WorkFolder(Closing):
    """The segments of one target. Use it as a context manager: it is locked meanwhile.

    Raises:
        OutputError: another process works on the target, or the folder cannot be written.
    """

    def __init__(self, target: Path, job: dict[str, object]) -> None:
        """`job` is all that the content of the segments depends on, as JSON."""
        self._target = target
        self.path = work_path(target)
        self._job = json.dumps(job, sort_keys=True)
        self._lock = FileLock(self.path / _LOCK)
        self._started_anew = False

    def __enter__(self) -> Self:
        with output_errors(self._target):
            self.path.mkdir(exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise OutputError(f"{self._target}: another process is making it now") from error
        with output_errors(self._target):
            job = self.path / _JOB
            found = job.read_bytes() if job.exists() else b""
            if found != self._job.encode():
                self._started_anew = bool(found)
                for path in self.parts():
                    path.unlink()
                write_durably(job, self._job.encode())
        return self

    def note_if_anew(self, say: Say) -> None:
        """Say it if there were segments of another job, which were removed."""
        if self._started_anew:
            say(f"{self._target.name}: the input or the settings changed; starting again")

    def close(self) -> None:
        """Unlock the folder, and remove it if nothing in it is complete."""
        if all(path.suffix == ".part" for path in self.parts()):
            self.remove()
        self._lock.release()

    def found(self) -> Found:
        """What is there to go on from; all else is removed."""
        segments = self.complete()
        spool = self.spool(len(segments))
        times = [pts for path in segments for pts, _ in read_times(path)]
        return Found(segments, spool, times + spool.pts)

    def parts(self) -> list[Path]:
        """All that was made of the target."""
        return [path for path in self.path.iterdir() if path.name not in (_JOB, _LOCK)]

    def spool(self, number: int) -> Spool:
        """The frames of segment `number` while it is made. Raises OutputError."""
        with output_errors(self._target):
            return Spool(self.path / f"{number:06}{_SPOOL}")

    def complete(self) -> list[Path]:
        """The segments that are sound, from the first on; what follows them is removed."""
        sound: list[Path] = []
        for path in sorted(self.path.glob("*.seg")):
            if path.name != self._name(len(sound)) or not _is_sound(path):
                break
            sound.append(path)
        following = self.path / f"{len(sound):06}{_SPOOL}"
        for path in self.parts():
            if path not in sound and path != following:
                path.unlink()
        return sound

    def add(self, number: int, frames: list[Coded]) -> None:
        """Write segment `number`."""
        header = [[f.pts, f.duration, f.is_keyframe, len(f.data)] for f in frames]
        body = json.dumps(header).encode() + b"\n" + b"".join(f.data for f in frames)
        digest = hashlib.sha256(body).hexdigest().encode() + b"\n"
        with output_errors(self._target):
            write_durably(self.path / self._name(number), _MAGIC + digest + body)

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _name(self, number: int) -> str:
        return f"{number:06}.seg"


def work_path(target: Path) -> Path:
    """The folder in which the segments of `target` lie; a long name is cut."""
    name = target.name
    if len(os.fsencode(name)) > NAME_BYTES:
        # The digest keeps apart those that only differ in what is cut off.
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        name = f"{shortened(name, NAME_BYTES - len(digest))}.{digest}"
    return target.with_name(f".{name}.framelift")


def read_times(path: Path) -> list[tuple[int, int]]:
    """Time and duration of every frame of a segment, in the order of decoding."""
    with path.open("rb") as stream:
        return [(entry[0], entry[1]) for entry in _header(stream.read(1 << 24))]


def read_segment(path: Path) -> Iterator[Coded]:
    """Every frame of a segment, in the order of decoding."""
    content = path.read_bytes()
    header = _header(content)
    position = len(content) - sum(entry[3] for entry in header)
    for pts, duration, is_keyframe, size in header:
        yield Coded(pts, duration, bool(is_keyframe), content[position : position + size])
        position += size


def decode_times(presented: list[int]) -> list[int]:
    """Decoding times for frames in the order of decoding, from when they are presented.

    They rise, none is after the time of its frame, and they are as late as that allows.
    """
    ordered = sorted(presented)
    place = {pts: index for index, pts in enumerate(ordered)}
    delay = max((index - place[pts] for index, pts in enumerate(presented)), default=0)
    step = ordered[1] - ordered[0] if len(ordered) > 1 else 1
    lead = [ordered[0] - step * (delay - index) for index in range(min(delay, len(ordered)))]
    return lead + ordered[: len(ordered) - delay]


def _header(content: bytes) -> list[list[int]]:
    body = content[len(_MAGIC) + 65 :]
    entries: list[list[int]] = json.loads(body[: body.index(b"\n")])
    return entries


def _is_sound(path: Path) -> bool:
    content = path.read_bytes()
    start = len(_MAGIC)
    digest = hashlib.sha256(content[start + 65 :]).hexdigest().encode() + b"\n"
    return content.startswith(_MAGIC) and content[start : start + 65] == digest


def join_segments(segments: list[Path], sink: FileSink) -> None:
    """Write segments that follow each other into `sink` and finish it, without encoding again."""
    presented = [pts for path in segments for pts, _ in read_times(path)]
    decoded = iter(decode_times(presented))
    for path in segments:
        for coded in read_segment(path):
            sink.mux(coded.packet(next(decoded)), coded.duration)
    sink.finish()
    if sink.frames_written != len(presented):
        raise RuntimeError(f"Joined {sink.frames_written} of {len(presented)} frames.")
