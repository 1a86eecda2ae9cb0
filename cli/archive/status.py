"""Lines of `framelift archive` about files, and `framelift archive status`."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from ...archive.records.row import Row
from ...archive.status import Status, read_status
from ...common.text import counted
from ..output.json_output import print_json
from ..output.lines import print_line


def line_of(row: Row) -> str:
    """One line about a file or a piece that is done."""
    target = row.target
    if row.frames is None or row.seconds is None:
        return f"{target}: was complete"
    if row.piece is not None:
        part = f"{target}: piece {row.piece + 1} of {row.pieces}"
        return f"{part}, {row.frames} frames, {row.fps or 0:.1f} fps"
    size = f"{row.width}×{row.height}"
    if row.pieces:
        return f"{target}: {row.frames} frames, {size}, joined of {row.pieces} pieces"
    if row.frames == 1:
        return f"{target}: {size}, {row.seconds:.1f} s"
    return f"{target}: {row.frames} frames, {size}, {row.fps or 0:.1f} fps"


def show_status(out: Path, *, as_json: bool) -> None:
    """Print how far the archive in `out` is. Raises InputError: there is none."""
    status = read_status(out)
    if as_json:
        print_json(status.as_json())
        return
    records = status.records
    skipped = f", {len(records.skipped)} were already there" if records.skipped else ""
    print_line(
        f"{out}: {status.done} of {counted(status.files, 'file')} done, "
        f"{len(records.failed)} failed, {status.left} left{skipped}"
    )
    if status.rate.files_per_hour:
        time_left = status.seconds_left
        left = f"; {tqdm.format_interval(time_left)} left at this rate" if time_left else ""
        print_line(
            f"rate: {status.rate.files_per_hour:g} files an hour, "
            f"{status.rate.frames_per_second:g} frames a second{left}"
        )
    _show_details(status)


def _show_details(status: Status) -> None:
    records = status.records
    if status.workers:
        hosts = ", ".join(f"{count} on {host}" for host, count in sorted(status.workers.items()))
        print_line(f"being made now: {hosts}")
    for source, pieces in records.pieces_done.items():
        print_line(f"in pieces: {source}, {len(pieces)} done")
    if line := records.unreadable_line():
        print_line(line)
    for row in records.failed.values():
        tries = records.tries.get(row.source, 1)
        times = "1 try" if tries == 1 else f"{tries} tries"
        print_line(f"failed after {times} (last on {row.host}): {row.error}")
