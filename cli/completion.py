"""`framelift completion`."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_FRAMELIFT_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), metavar="SHELL")
def completion(shell: str) -> None:
    """Print a script for the completion of commands in your shell.

    SHELL is bash, zsh or fish. The script completes commands, options, models and presets. Add a
    line to the shell's own file:

    \b
    eval "$(framelift completion bash)"    in ~/.bashrc
    eval "$(framelift completion zsh)"     in ~/.zshrc
    framelift completion fish | source     in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    context = click.get_current_context().find_root()
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.command, {}, "framelift", VARIABLE).source())
