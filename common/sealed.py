"""Files with a checksum, which are complete or refused.

TensorRT ends the process when one byte of what it deserialises is wrong, so engines and timing
caches are checked before it gets them.

Layout: magic (8 bytes), version (u32), payload length (u64), sha256 of the payload, payload; the
numbers are little-endian.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from .errors import BackendError
from .files import atomic_output

ENGINE = b"FLENGINE"
TIMING_CACHE = b"FLTIMING"

VERSION = 1

_HEADER = struct.Struct("<8sIQ32s")


class DamagedFileError(BackendError):
    """A sealed file is not what was written."""


def write_sealed(path: Path, magic: bytes, payload: bytes) -> None:
    """Write `payload` with its seal, all or nothing; replaces what is there.

    Raises OutputError if it cannot be written.
    """
    header = _HEADER.pack(magic, VERSION, len(payload), hashlib.sha256(payload).digest())
    with atomic_output(path, overwrite=True) as temporary, temporary.open("wb") as file:
        file.write(header)
        file.write(payload)


def read_sealed(path: Path, magic: bytes) -> bytes:
    """The payload of a file that `write_sealed` wrote.

    Raises:
        DamagedFileError: it is of another kind or version, cut short, or changed.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    if len(data) < _HEADER.size or data[:8] != magic:
        raise DamagedFileError(f"{path} was not written by framelift, or its start is damaged")
    _, version, length, digest = _HEADER.unpack_from(data)
    if version != VERSION:
        raise DamagedFileError(f"{path} has format {version}, this framelift reads {VERSION}")
    payload = data[_HEADER.size :]
    if len(payload) != length:
        raise DamagedFileError(f"{path} has {len(payload)} bytes instead of {length}")
    if hashlib.sha256(payload).digest() != digest:
        raise DamagedFileError(f"{path} is damaged: its sha256 is not the one written with it")
    return payload
