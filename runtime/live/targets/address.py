"""What the output that a user names means: a file, a window, a network stream or a pipe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ....common.errors import OutputError
from ....common.secrets import without_secrets

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
URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


class TargetKind(StrEnum):
    """Where frames go."""

    FILE = "file"
    WINDOW = "window"
    STREAM = "stream"
    Y4M = "y4m"
    NULL = "null"


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


def parse_target(text: str) -> Target:
    """ "window", "null", "-" for y4m on the standard output, a URL; else a file.

    Raises:
        OutputError: a URL with a protocol that cannot be written.
    """
    if text == STANDARD_STREAM:
        return Target(TargetKind.Y4M, text, "stdout")
    if text in (WINDOW, NULL):
        return Target(TargetKind(text), text, text)
    url = URL.match(text)
    if url is None:
        return Target(TargetKind.FILE, text, text)
    if url[1].lower() not in OUTPUT_FORMATS:
        known = ", ".join(OUTPUT_FORMATS)
        raise OutputError(f"{without_secrets(text)}: cannot be written to; use one of {known}")
    return Target(TargetKind.STREAM, text, without_secrets(text))
