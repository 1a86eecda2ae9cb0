"""Can jobs run here at all? Tried with a small picture before the first client comes."""

from __future__ import annotations

import asyncio
import struct
import tempfile
import zlib
from pathlib import Path

from ..common.errors import ConfigError
from .jobs.process import Outcome, run_process
from .jobs.settings import Settings

_SIDE = 16
_INPUT, _RESULT = "input.png", "result.png"


def require_working(settings: Settings) -> None:
    """Run one job. Raises ConfigError with its line, for a backend or limits that do not work."""
    outcome = asyncio.run(_run(settings))
    if outcome.error is not None:
        raise ConfigError(f"jobs cannot run with these options: {outcome.error['message']}")


async def _run(settings: Settings) -> Outcome:
    arguments = ["upscale", _INPUT, _RESULT, "--json", "--quiet", *settings.arguments]
    with tempfile.TemporaryDirectory(prefix="framelift-") as folder:
        (Path(folder) / _INPUT).write_bytes(_grey_png())
        return await run_process(
            settings.command, arguments, Path(folder), settings.limits, lambda key, facts: None
        )


def _grey_png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        code = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", code)

    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0)  # 8-bit grey
    rows = (b"\0" + bytes([128] * _SIDE)) * _SIDE
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
