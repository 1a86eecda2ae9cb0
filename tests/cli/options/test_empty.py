"""Options without a value, as an unset variable of a shell leaves them."""

from __future__ import annotations

from pathlib import Path

import pytest

from framelift.cli.main import main


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


def test_an_empty_licence_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "nothing.safetensors", "--licence", ""])
    assert "is empty" not in capsys.readouterr().err
