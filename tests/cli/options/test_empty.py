"""Options without a value, as an unset variable of a shell leaves them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from framelift.cli.main import framelift, main


@pytest.mark.parametrize(
    "line",
    [
        "archive IN OUT --shard",
        "archive IN OUT --list",
        "archive IN OUT --ray",
        "serve --token",
        "serve --host",
        "web --host",
        "upscale IN OUT --model",
        "upscale IN OUT --end",
        "bench latency --backend",
        "bench latency --size",
        "bench latency --json",
        "serve --folder",
        "web --save",
        "upscale IN OUT --log-file",
    ],
)
def test_an_empty_value_is_not_the_default(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "IN").mkdir()
    *command, option = line.split()
    with pytest.raises(SystemExit) as ended:
        main([*command, option, ""])
    assert ended.value.code == 2
    assert f"Invalid value for '{option}': is empty (an unset variable?) (see `framelift " in (
        capsys.readouterr().err
    )
    assert [path.name for path in tmp_path.iterdir()] == ["IN"]


def _options(command: click.Command, *names: str) -> Iterator[tuple[str, click.Option]]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _options(inner, *names, name)
    for option in command.params:
        if isinstance(option, click.Option) and not option.is_flag:
            yield " ".join([*names, option.opts[-1]]), option


def test_all_options_of_text_or_paths_refuse_an_empty_value() -> None:
    taken = set()
    for name, option in _options(framelift):
        try:
            option.type.convert("", option, click.Context(framelift))
        except click.BadParameter:
            continue
        taken.add(name)
    # Their default is the empty text, which means none.
    assert taken == {"export --licence", "import --licence"}


def test_an_empty_licence_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "nothing.safetensors", "--licence", ""])
    assert "is empty" not in capsys.readouterr().err
