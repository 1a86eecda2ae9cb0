"""One table of text, as lines for a terminal, as Markdown and as HTML."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

from .text import printable

# Letters and digits on both sides make an underscore one of a word, as in file names.
_MARKUP = re.compile(r"[\\`*\[\]|#]|(?<![^\W_])_|_(?![^\W_])")
# What not every dialect lets a backslash take its meaning from.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "~": "&#126;", "$": "&#36;"})


@dataclass(frozen=True)
class Table:
    """Rows of text under column names; the first column is left-aligned, the others right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        """Lines in a fixed-width font."""
        return align((self.columns, *self.rows), right=range(1, len(self.columns)))

    def markdown(self) -> str:
        """A table in Markdown, whatever its cells hold."""
        head, *rows = (
            f"| {' | '.join(map(escape_markdown, row))} |" for row in (self.columns, *self.rows)
        )
        return "\n".join((head, "|---" + "|--:" * (len(self.columns) - 1) + "|", *rows))

    def __html__(self) -> str:
        """What a Jinja template shows of it."""
        head, *rows = (
            "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
            for tag, row in (("th", self.columns), *(("td", row) for row in self.rows))
        )
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def align(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> str:
    """Rows as lines with columns of one width, two spaces apart; columns in `right` end flush."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def escape_markdown(text: str) -> str:
    """Text as it is meant, in Markdown's cells, lists and headings."""
    return _MARKUP.sub(r"\\\g<0>", printable(text)).translate(_ENTITIES)


def or_dash(value: float | None, form: str) -> str:
    """The value in the format `form`, or a dash for what is not known."""
    return "–" if value is None else format(value, form)
