"""What the input that a user names means: a file, a camera, a network stream or a pipe."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ....common.errors import InputError
from ....common.secrets import without_secrets
from ..targets.address import STANDARD_STREAM, URL

INPUT_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp")
_CAMERA_DEVICE = re.compile(r"/dev/video(\d+)")


class SourceKind(StrEnum):
    """Where frames come from."""

    FILE = "file"
    CAMERA = "camera"
    STREAM = "stream"
    PIPE = "pipe"


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
    url = URL.match(text)
    if url is None:
        return Source(SourceKind.FILE, text, text)
    if url[1].lower() not in INPUT_SCHEMES:
        known = ", ".join(INPUT_SCHEMES)
        raise InputError(f"{without_secrets(text)}: cannot be read from; use one of {known}")
    return Source(SourceKind.STREAM, text, without_secrets(text))
