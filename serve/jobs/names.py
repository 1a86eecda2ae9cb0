"""Names of files as clients give them.

They are shown, and their suffix is looked up. They never become part of a path.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ...common.images import FOREIGN_IMAGE_SUFFIXES, IMAGE_SUFFIXES
from ...common.text import printable
from ...runtime.files.jobs import VIDEO_SUFFIXES

_LONGEST = 120
_KNOWN = {name: name for name in (*IMAGE_SUFFIXES, *FOREIGN_IMAGE_SUFFIXES, *VIDEO_SUFFIXES)}
_UNKNOWN = ".video"

MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jfif": "image/jpeg",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".bmp": "image/bmp",
    ".avif": "image/avif",
    ".apng": "image/apng",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".hif": "image/heif",
    ".jxl": "image/jxl",
    ".ppm": "image/x-portable-pixmap",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
}


def shown_name(given: str | None) -> str:
    """The last part of a client's file name, printable and not too long; "file" without one."""
    name = printable(re.split(r"[/\\]", given or "")[-1]).strip()
    if name in ("", ".", ".."):
        return "file"
    if len(name) > _LONGEST:
        suffix = PurePosixPath(name).suffix[:12]
        name = name[: _LONGEST - len(suffix) - 1] + "…" + suffix
    return name


def known_suffix(name: str) -> str:
    """The suffix for the stored file: one of those that framelift knows, whatever is given."""
    return _KNOWN.get(PurePosixPath(name).suffix.lower(), _UNKNOWN)


def is_picture(suffix: str) -> bool:
    """Whether a file of this suffix, from `known_suffix`, is taken for an image."""
    return suffix in IMAGE_SUFFIXES or suffix in FOREIGN_IMAGE_SUFFIXES


def media_type(suffix: str) -> str:
    """What a file of this suffix is served as."""
    return MEDIA_TYPES.get(suffix, "application/octet-stream")
