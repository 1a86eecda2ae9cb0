"""What image libraries write to the standard error output by themselves: caught, and sorted."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

STDERR = 2

# libpng, libjpeg, libtiff by itself and by OpenCV's log, and OpenCV itself.
_LIBRARIES = re.compile(
    r"libpng (warning|error)|Corrupt JPEG data|Premature end of JPEG|Invalid SOS parameters"
    r"|.*JPEG|.*marker 0x|\[ ?(?:WARN|ERROR|INFO|DEBUG)\s*:|_?TIFF|.*\.tiff?:|.*grfmt_"
    r"|(ZIP|LZW|PackBits|Fax|ZSTD|LZMA|LERC|PixarLog|LogLuv|ThunderDecode|Predictor)\w*:",
)

# What of it says that pixels are wrong. Bytes before the end mark of a JPEG mostly are not: cameras
# fill up.
_DAMAGE = re.compile(
    r"premature end|Premature end|bad Huffman|instead of RST|TIFF_Error|IDAT"
    r"|Corrupt JPEG data(?!: \d+ extraneous bytes before marker 0xd9)"
)

_one_at_a_time = threading.RLock()


@dataclass
class Caught:
    """Lines that libraries wrote; complete after the block."""

    lines: list[str] = field(default_factory=list)

    @property
    def tells_of_damage(self) -> bool:
        """Whether a library found wrong bytes where pixels are, and made up for them."""
        return any(_DAMAGE.search(line) for line in self.lines)


@contextmanager
def native_output_caught() -> Iterator[Caught]:
    """During the block, keep what image libraries write from the terminal.

    What others write meanwhile is written when the block ends. Blocks of several threads run one
    after the other: the output belongs to the process.
    """
    caught = Caught()
    with _one_at_a_time, tempfile.TemporaryFile() as file:
        try:
            with stderr_into(file.fileno()):
                yield caught
        finally:
            file.seek(0)
            caught.lines = _sorted_out(file.read())


@contextmanager
def stderr_into(target: int) -> Iterator[None]:
    """During the block, let the standard error output go to an open file, unless it is closed."""
    _flush()
    try:
        kept = os.dup(STDERR)
    except OSError:
        yield
        return
    os.dup2(target, STDERR)
    try:
        yield
    finally:
        _flush()
        os.dup2(kept, STDERR)
        os.close(kept)


def _sorted_out(written: bytes) -> list[str]:
    """The libraries' lines; all else is written on."""
    lines, others = [], []
    for raw in written.splitlines(keepends=True):
        line = raw.decode(errors="replace").strip()
        if _LIBRARIES.match(line):
            lines.append(line)
        elif line:  # OpenCV ends some of its errors with an empty one
            others.append(raw)
    if others:
        with contextlib.suppress(OSError):
            os.write(STDERR, b"".join(others))
    return lines


def _flush() -> None:
    with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or none
        sys.stderr.flush()
