"""The process of one job of `framelift serve`: the command itself, under limits.

    python -m framelift.cli.serve.job LIMITS upscale input.mp4 result.mp4 --json ...

It runs in the job's folder. LIMITS is a JSON object with the fields of
`framelift.serve.jobs.settings.Limits`. On the standard output it writes one JSON object a line
while it works, each with one key, `input` or `progress`, and at last the document that `--json`
prints.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ...serve.jobs.settings import Limits
from ..main import main

if TYPE_CHECKING:
    from ...runtime.video.clip.fit import Scaling

_SECONDS_BETWEEN = 0.3


def run(argv: list[str]) -> None:
    """Run the job. Ends the process as the command does."""
    from ...runtime.video.progress import listen
    from ...serve.jobs.process_limits import apply_limits, end_with_server

    limits, arguments = Limits(**json.loads(argv[0])), argv[1:]
    end_with_server()
    apply_limits(limits)
    listen(_Reporter())
    main(arguments, prepare=lambda: _check(arguments, limits))


def _check(arguments: list[str], limits: Limits) -> None:
    from ...serve.jobs.checks import check_upload

    facts = check_upload(Path(arguments[1]), limits, _scaling(arguments))
    if facts is not None:
        _say("input", asdict(facts))


class _Reporter:
    """Says how far the command is, now and then."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, frames: int, total: int | None, fps: float) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _SECONDS_BETWEEN
            _say("progress", {"frames": frames, "total": total, "fps": round(fps, 3)})


def _say(key: str, value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps({key: value}) + "\n")
    sys.stdout.flush()


def _scaling(arguments: Sequence[str]) -> Scaling | None:
    """What the command's arguments say of the size of the result."""
    from ...runtime.video.clip.fit import parse_scaling

    given = dict(
        text[2:].split("=", 1) for text in arguments if text.startswith("--") and "=" in text
    )
    sides = [int(given[name]) if name in given else None for name in ("width", "height")]
    return parse_scaling(given.get("scale"), given.get("size"), *sides)


if __name__ == "__main__":
    run(sys.argv[1:])
