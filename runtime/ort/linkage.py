"""What ONNX Runtime's GPU providers are linked with, read from their files without loading them."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import struct
from pathlib import Path
from typing import BinaryIO

NVINFER = "libnvinfer"
CUDART = "libcudart"

# Of the ELF format: 64 bits and little-endian, parts of the program, entries of its dynamic one.
_ELF64 = b"\x7fELF\x02\x01"
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRINGS = 1, 5


def needed_libraries(library: Path) -> list[str]:
    """The names of the libraries that one needs, as the loader looks for them.

    Only their list is read, not the file, which is of hundreds of megabytes. Empty if it is not
    there or no library of 64-bit Linux.
    """
    try:
        with library.open("rb") as file:
            return _needed(file)
    except (OSError, ValueError, struct.error):
        return []


def linked_major(library: Path, name: str) -> int | None:
    """The major release of the library `name` that `library` needs, or None."""
    pattern = re.compile(rf"{re.escape(name)}\.so\.(\d+)")
    found = [match for needed in needed_libraries(library) if (match := pattern.match(needed))]
    return int(found[0][1]) if found else None


def load_problem(library: Path) -> str | None:
    """Which library one lacks, in the loader's words; None if it lacks none, or does not say."""
    for name in needed_libraries(library):
        try:
            ctypes.CDLL(name)
        except OSError as error:
            return str(error)
    return None


def provider_library(name: str) -> Path:
    """The file of the provider "cuda" or "tensorrt", whether or not it is there."""
    spec = importlib.util.find_spec("onnxruntime")
    origin = spec.origin if spec else None
    folder = Path(origin).parent / "capi" if origin else Path("/nonexistent")
    return folder / f"libonnxruntime_providers_{name}.so"


def _needed(file: BinaryIO) -> list[str]:
    header = file.read(64)
    if not header.startswith(_ELF64):
        return []
    (table,) = struct.unpack_from("<Q", header, 32)
    size, count = struct.unpack_from("<HH", header, 54)
    parts = [struct.unpack_from("<II6Q", _at(file, table + size * i, size)) for i in range(count)]
    loaded = [
        (address, offset, length)
        for kind, _, offset, address, _, length, *_ in parts
        if kind == _LOAD
    ]
    dynamic = [
        _at(file, offset, length) for kind, _, offset, _, _, length, *_ in parts if kind == _DYNAMIC
    ]
    entries = [entry for part in dynamic for entry in struct.iter_unpack("<QQ", part)]
    strings = [value for tag, value in entries if tag == _STRINGS]
    (start,) = (
        strings[0] - address + offset
        for address, offset, length in loaded
        if address <= strings[0] < address + length
    )
    return [_text(file, start + value) for tag, value in entries if tag == _NEEDED]


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _text(file: BinaryIO, offset: int) -> str:
    return _at(file, offset, 256).partition(b"\0")[0].decode()
