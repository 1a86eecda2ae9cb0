"""The user's own defaults: taken where an option is not given, checked, and named when wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framelift.cli.main import main
from framelift.cli.options.defaults import defaults_path

from ...support.images import image


@pytest.fixture
def defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is read."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("FRAMELIFT_CONFIG", str(path))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[object, str, str]:
    """The exit code, stdout and stderr of a command."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return ended.value.code, shown.out, shown.err


def test_defaults_stand_in_for_options_that_are_not_given(
    tmp_path: Path, defaults: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = image(tmp_path / "a.png"), tmp_path / "b.png"
    target.touch()
    defaults.write_text(
        '[upscale]\nmodel = "realtime-nano-x2"\noverwrite = true\nno-audio = true\ncrf = 20\n'
        "json = true\n[bench.latency]\nbackend = ['onnx-cpu']\n"
    )
    code, out, err = run(capsys, "upscale", source, target)
    assert (code, json.loads(out)["upscaler"]["scale"]) == (0, 2), err
    code, out, _ = run(capsys, "upscale", source, target, "--model", "realtime-nano-x4")
    assert (code, json.loads(out)["upscaler"]["scale"]) == (0, 4)


def test_a_default_to_resume_is_for_what_can_be_resumed(
    tmp_path: Path, defaults: Path, capsys: pytest.CaptureFixture[str], clip: Path
) -> None:
    defaults.write_text("[upscale]\nmodel = 'realtime-nano-x2'\nresume = true\n")
    code, _, err = run(capsys, "upscale", clip, tmp_path / "a.gif", "-q")
    assert (code, (tmp_path / "a.gif").exists()) == (0, True), err
    code, _, err = run(capsys, "upscale", clip, tmp_path / "b.gif", "-q", "--resume")
    assert code == 1
    assert "written at once and cannot be resumed" in err


def test_where_the_file_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRAMELIFT_CONFIG", "")
    assert defaults_path() is None
    monkeypatch.delenv("FRAMELIFT_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert defaults_path() == tmp_path / "framelift" / "config.toml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[upscale]\nmodle = "x"',
            "`modle` in [upscale] is not an option (did you mean model or codec?)",
        ),
        ("[upscal]", "[upscal] is not a command (did you mean upscale?)"),
        ("x = 1", "`x` is not in a section of a command, such as [upscale]"),
        ("[bench]\nlatency = 1", "`bench.latency` is not in a section of a command"),
        ("[bench.lat]", "[bench.lat] is not a command (did you mean latency?)"),
        ("[upscale]\noverwrite = 1", "`overwrite` in [upscale] must be true or false, not 1"),
        ("[upscale]\ncrf = true", "`crf` in [upscale] must be a single value, not True"),
        ("[upscale]\ncrf = [1]", "`crf` in [upscale] must be a single value"),
        ("[upscale]\nscale = {a = 1}", "`scale` in [upscale] must be a single value"),
        ('[upscale]\ntile = "big"', "Invalid value for '--tile': 'big' is not a whole number"),
        ("[upscale]\ntile = 0", "Invalid value for '--tile': 0 is not in the range x>=1"),
        ("[upscale]\nhelp = true", "`help` in [upscale] is not an option"),
        ("a = = 1", "is not TOML (Invalid value (at line 1, column 5))"),
    ],
)
def test_wrong_defaults_are_named_with_their_file(
    defaults: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    defaults.write_text(text)
    code, out, err = run(capsys, "upscale", "a.png", "b.png")
    assert code != 0
    assert out == ""
    assert err.startswith(f"framelift: {defaults}: {message}")
    assert err.count("\n") == 1
    assert run(capsys, "--help")[0] == 0  # help is given all the same


def test_a_file_that_was_named_must_be_there(
    defaults: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "models")
    assert (code, err) == (
        1,
        f"framelift: {defaults}: cannot be read (No such file or directory)\n",
    )


def test_what_a_run_has_no_use_for_is_no_contradiction(
    tmp_path: Path, defaults: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options for videos, said as defaults, do not refuse an image; on the command line they do."""
    defaults.write_text("[upscale]\ncrf = 20\nresume = true\n[models]\nthreads = 2\n")
    source = image(tmp_path / "a.png")
    command = ("upscale", source, tmp_path / "b.png", "--model", "realtime-nano-x2")
    assert run(capsys, *command)[0] == 0
    assert "--crf is for videos" in run(capsys, *command, "--overwrite", "--crf", "20")[2]
    assert run(capsys, "models")[0] == 0
    assert "pass it, too" in run(capsys, "models", "--threads", "2")[2]
