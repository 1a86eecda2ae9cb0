"""What the two names that a user gives to `framelift upscale` mean."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ...common.errors import InputError, OutputError
from ...common.secrets import without_secrets

INPUT_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp")
# A protocol out, and the container that travels in it.
OUTPUT_FORMATS = {
    "rtmp": "flv",
    "rtmps": "flv",
    "rtsp": "rtsp",
    "rtsps": "rtsp",
    "srt": "mpegts",
    "udp": "mpegts",
    "tcp": "mpegts",
}
STANDARD_STREAM = "-"
WINDOW, NULL = "window", "null"
_CAMERA_DEVICE = re.compile(r"/dev/video(\d+)")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


class SourceKind(StrEnum):
    """Where frames come from."""

    FILE = "file"
    CAMERA = "camera"
    STREAM = "stream"
    PIPE = "pipe"


class TargetKind(StrEnum):
    """Where frames go."""

    FILE = "file"
    WINDOW = "window"
    STREAM = "stream"
    Y4M = "y4m"
    NULL = "null"


@dataclass(frozen=True)
class Source:
    """An input. `text` opens it, `shown` may be printed: see `secrets.without_secrets`."""

    kind: SourceKind
    text: str
    shown: str

    @property
    def path(self) -> Path:
        """The file or named pipe."""
        return Path(self.text)


@dataclass(frozen=True)
class Target:
    """An output; see `Source`."""

    kind: TargetKind
    text: str
    shown: str

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.text)


def parse_source(text: str) -> Source:
    """A file that exists, "-", a URL, a camera's number or device, a named pipe; else a file.

    Raises:
        InputError: a URL with a protocol that is not supported.
    """
    if text == STANDARD_STREAM:
        return Source(SourceKind.PIPE, text, "stdin")
    camera = _CAMERA_DEVICE.fullmatch(text)
    if camera:
        return Source(SourceKind.CAMERA, camera[1], f"camera {camera[1]}")
    path = Path(text)
    if path.exists():
        pipe = stat.S_ISFIFO(path.stat().st_mode)
        return Source(SourceKind.PIPE if pipe else SourceKind.FILE, text, text)
    if text.isdecimal():
        return Source(SourceKind.CAMERA, text, f"camera {text}")
    url = _URL.match(text)
    if url is None:
        return Source(SourceKind.FILE, text, text)
    if url[1].lower() not in INPUT_SCHEMES:
        known = ", ".join(INPUT_SCHEMES)
        raise InputError(f"{without_secrets(text)}: cannot be read from; use one of {known}")
    return Source(SourceKind.STREAM, text, without_secrets(text))


def parse_target(text: str) -> Target:
    """ "window", "null", "-" for y4m on the standard output, a URL; else a file.

    Raises:
        OutputError: a URL with a protocol that cannot be written.
    """
    if text == STANDARD_STREAM:
        return Target(TargetKind.Y4M, text, "stdout")
    if text in (WINDOW, NULL):
        return Target(TargetKind(text), text, text)
    url = _URL.match(text)
    if url is None:
        return Target(TargetKind.FILE, text, text)
    if url[1].lower() not in OUTPUT_FORMATS:
        known = ", ".join(OUTPUT_FORMATS)
        raise OutputError(f"{without_secrets(text)}: cannot be written to; use one of {known}")
    return Target(TargetKind.STREAM, text, without_secrets(text))
