"""Damage that shows before anything is decoded."""

from __future__ import annotations

from mmap import ACCESS_READ, mmap
from pathlib import Path

import av
import av.logging

from ....common.images.formats.gif_blocks import gif_fault
from ..clip.input_file import open_input
from .dolby_vision import profile_in_matroska
from .matroska import matroska_fault
from .mp4 import mp4_structure
from .structure import Structure

# Their demuxers skip what they cannot make sense of and go on behind it; only the log shows it.
_RESYNCING = frozenset({"matroska,webm", "flv", "asf", "mxf", "nut", "ogg"})

_LONGEST_OGG_PAGE, _OGG_END = 65307, 4
# Plain, with the time code of Blu-ray and camcorders, with the check bytes of DVB.
_TS_PACKETS = (188, 192, 204)


def structure_of(path: Path, format_name: str) -> Structure:
    """Look for damage that decoding would not show, without decoding anything.

    The tables of MP4, the elements of Matroska and the blocks of GIF are checked. Files of some
    formats whose demuxers skip what they do not understand are read once through, for what they
    complain of; of some others the size or the last bytes show that they were cut. The rest is
    watched while it is decoded.
    """
    if not path.is_file():
        fault = _complaint(path, format_name) if format_name in _RESYNCING else ""
        return Structure(fault)
    if format_name == "matroska,webm":
        fault = matroska_fault(path) or _complaint(path, format_name)
        return Structure(fault, dolby_vision=profile_in_matroska(path))
    if "mp4" in format_name:
        return mp4_structure(path)
    if format_name == "avi":
        missing = _bytes_missing_in_riff(path)
        return Structure(is_whole=missing == 0, lacks_bytes=bool(missing and missing > 0))
    if format_name == "gif":
        return Structure(_gif_fault(path))
    if format_name == "mpegts" and ends_in_packet(path.stat().st_size):
        return Structure(CUT_IN_PACKET)
    if format_name == "ogg" and not _ends_as_ogg(path):
        return Structure("the file is cut short: the end mark of a stream is missing")
    if format_name in _RESYNCING:
        return Structure(_complaint(path, format_name))
    return Structure()


def may_hide_its_end(container: av.container.InputContainer) -> bool:
    """Whether an input that cannot be read twice may be cut without a trace."""
    hides = container.format.name in _RESYNCING | {"gif"}
    return hides and not container.duration


CUT_IN_PACKET = "the file is cut short, within a packet"
"""What is wrong where a file `ends_in_packet`."""


def ends_in_packet(size_bytes: int) -> bool:
    """Whether a transport stream of that size ends within a packet."""
    return all(size_bytes % packet for packet in _TS_PACKETS)


def _gif_fault(path: Path) -> str:
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        return gif_fault(data)


def _ends_as_ogg(path: Path) -> bool:
    """Whether the last page says that it is the last one of its stream."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_OGG_PAGE))
        data = file.read()
    place = data.rfind(b"OggS")
    return place >= 0 and len(data) > place + 5 and bool(data[place + 5] & _OGG_END)


def _bytes_missing_in_riff(path: Path) -> int | None:
    """How many bytes an AVI file lacks at the end of the last of its parts, which are up to 2 GB
    long each. `None`: there is something else behind one of them.
    """
    total, start = path.stat().st_size, 0
    with path.open("rb") as file:
        while start < total:
            file.seek(start)
            head = file.read(8)
            if len(head) < 8 or head[:4] != b"RIFF":
                return None
            start += 8 + int.from_bytes(head[4:], "little")
    return start - total


def _complaint(path: Path, format_name: str) -> str:
    """What the demuxer complains of when it reads the file once through; "" for nothing."""
    level, skip = av.logging.get_level(), av.logging.get_skip_repeated()
    # libav is silent by default, because a log line of a codec's own thread would need the GIL;
    # here no codec is open, and only this thread's lines are caught.
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture(local=True) as lines, open_input(path) as container:
            for _ in container.demux():
                pass
    except av.FFmpegError as error:
        return f"the file cannot be read to its end ({error.strerror})"
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skip)
    if any(name == format_name for _, name, _ in lines):
        return "the file is damaged or cut short"
    return ""
