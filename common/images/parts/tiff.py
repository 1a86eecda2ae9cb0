"""The rows of a TIFF as small TIFFs.

Its strips, or rows of tiles, are compressed one by one. A small TIFF has some of them, and all that
the directory says of how pixels are stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..formats.tiff_directory import DIRECTORY_ERRORS, Layout, read_layout, row_bytes, small_tiff


@dataclass(frozen=True)
class TiffParts:
    """Each iteration reads the file from its start, and yields small TIFFs from top to bottom."""

    path: Path
    layout: Layout
    together: int
    """How many strips, or rows of tiles, make a part."""

    @classmethod
    def of(cls, path: Path, part_bytes: int) -> TiffParts | None:
        """The parts of a TIFF; `None` if its directory is not understood, or it is one piece."""
        with path.open("rb") as file:
            try:
                layout = read_layout(file)
                if layout is None or layout.rows_each >= layout.rows:
                    return None
                each = layout.rows_each * row_bytes(layout.order, layout.tags)
                small_tiff(layout, layout.rows, [])  # so that the tags it takes are known to fit
            except DIRECTORY_ERRORS:
                return None
        return cls(path, layout, max(1, part_bytes // max(1, each)))

    @property
    def part_rows(self) -> int:
        """The most rows of a part."""
        return min(self.together * self.layout.rows_each, self.layout.rows)

    def __iter__(self) -> Iterator[bytes]:
        """The small TIFFs."""
        layout = self.layout
        down = -(-layout.rows // layout.rows_each)
        with self.path.open("rb") as file:
            for start in range(0, down, self.together):
                stop = min(start + self.together, down)
                rows = min(stop * layout.rows_each, layout.rows) - start * layout.rows_each
                pieces = [
                    _read(file, *layout.pieces[plane * down * layout.across + number])
                    for plane in range(layout.planes)
                    for number in range(start * layout.across, stop * layout.across)
                ]
                yield small_tiff(layout, rows, pieces)


def _read(file: IO[bytes], place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)
