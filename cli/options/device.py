"""The option that chooses a GPU, the same in all commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ...common.errors import ConfigError

_MAX_DIGITS = 9

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def parse_device(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """The number of a GPU. Raises ConfigError if it is none."""
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS):
        raise ConfigError(
            f"--device {value!r} is not the number of a GPU: use 0, 1 and so on, or "
            "--backend onnx-cpu for the CPU"
        )
    return int(value)


def _number_of_a_gpu(default: str) -> _Decorator:
    return click.option(
        "--device",
        metavar="N",
        callback=parse_device,
        help=f"GPU to use, counted from 0. [default: {default}]",
    )


device_option = _number_of_a_gpu("the first; without a GPU, the CPU")
"""For commands that run models."""

gpu_option = _number_of_a_gpu("the first")
"""For commands that need a GPU."""

trainer_option: _Decorator = click.option(
    "--device",
    metavar="N",
    default="auto",
    show_default=True,
    help="GPU to use, counted from 0; cpu; or auto, which uses a GPU if there is one.",
)
"""For commands that train."""
