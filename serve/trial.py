"""Runs a job on a small picture before the server starts, to see that jobs can run."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from PIL import Image

from ..common.errors import ConfigError
from .jobs.process import Outcome, run_process
from .jobs.settings import Settings

_SIZE_PX = 16, 16
_INPUT, _RESULT = "input.png", "result.png"


def require_working(settings: Settings) -> None:
    """Run one job. Raises ConfigError with its line, for a backend or limits that do not work."""
    outcome = asyncio.run(_run(settings))
    if outcome.error is not None:
        raise ConfigError(f"jobs cannot run with these options: {outcome.error['message']}")


async def _run(settings: Settings) -> Outcome:
    arguments = ["upscale", _INPUT, _RESULT, "--json", "--quiet", *settings.arguments]
    with tempfile.TemporaryDirectory(prefix="framelift-") as folder:
        Image.new("L", _SIZE_PX, color="grey").save(Path(folder) / _INPUT)
        return await run_process(
            settings.command, arguments, Path(folder), settings.limits, lambda update: None
        )
