"""What ffprobe says of a file."""

from __future__ import annotations

import subprocess
from pathlib import Path


def times(path: Path, streams: str, entry: str) -> list[float]:
    """Seconds of an entry such as "frame=pts_time", of streams such as "v"."""
    command = ["ffprobe", "-v", "error", "-select_streams", streams, "-show_entries", entry]
    done = subprocess.run(
        [*command, "-of", "csv=p=0", str(path)], capture_output=True, check=True, text=True
    )
    return [float(line.strip(",")) for line in done.stdout.split()]
