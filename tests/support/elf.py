"""Writes ELF libraries that hold nothing but the names of those that they need."""

from __future__ import annotations

import struct
from pathlib import Path


def write_library(path: Path, needed: list[str]) -> Path:
    """A 64-bit little-endian one; no loader would take it."""
    names = [name.encode() + b"\0" for name in needed]
    strings = b"\0" + b"".join(names)
    offsets = [1 + sum(map(len, names[:index])) for index in range(len(names))]
    start, address = 64 + 2 * 56, 0x1000
    entries = [(1, offset) for offset in offsets]  # DT_NEEDED
    size = 16 * (len(entries) + 2)
    entries += [(5, address + start + size), (0, 0)]  # DT_STRTAB, DT_NULL
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    total = start + size + len(strings)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    parts = struct.pack("<II6Q", 1, 5, 0, address, address, total, total, 4096)
    parts += struct.pack("<II6Q", 2, 6, start, address + start, address + start, size, size, 8)
    path.write_bytes(identity + header + parts + dynamic + strings)
    return path
