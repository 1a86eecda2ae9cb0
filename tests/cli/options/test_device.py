"""`--device`: one way to choose a GPU, in every command that uses one."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from framelift.cli.main import framelift, main


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def options(command: click.Command) -> set[str]:
    return {str(parameter.name) for parameter in command.params}


COMMANDS = dict(commands(framelift))


def test_every_command_with_a_backend_takes_it() -> None:
    ours = {
        name for name, command in COMMANDS.items() if options(command) & {"backend", "backends"}
    }
    ours |= {"engine build", "train", "bench train"}
    assert {"upscale", "stylize", "bench latency", "models"} <= ours
    assert {name for name in ours if "device" not in options(COMMANDS[name])} == set()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("upscale", "in.png", "out.png", "--device", "cuda:1"), "'cuda:1' is not the number of"),
        (("upscale", "in.png", "out.png", "--device", "-1"), "'-1' is not the number of a GPU"),
        (("engine", "build", "x", "--shapes", "8x8", "--device", "٣"), "'٣' is not the number"),
        (("bench", "latency", "x", "--device", "cpu"), "--backend onnx-cpu for the CPU"),
        (("models", "--device", "0"), "are for --measure: pass it, too"),
    ],
)
def test_what_is_no_number_is_named(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(command))
    assert ended.value.code in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
