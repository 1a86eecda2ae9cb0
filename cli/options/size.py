"""An option type for numbers of bytes."""

from __future__ import annotations

from typing import Any

import click

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Size(click.ParamType[int]):
    """A number of bytes: 500M, 2G, 1.5GiB."""

    name = "SIZE"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click has it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """The number. Raises click's usage error."""
        text = str(value).strip().upper().removesuffix("B").removesuffix("I")
        unit = text[-1:] if text[-1:] in "KMGT" else ""
        try:
            size = float(text.removesuffix(unit)) * _UNITS[unit]
            if not 0 <= size < 1 << 60:
                raise ValueError
            return int(size)
        except ValueError:
            self.fail(f"{value} is not a size: write for instance 500M or 2G", param, ctx)
