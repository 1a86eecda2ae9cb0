"""`framelift train` on the command line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from framelift.cli.main import main
from framelift.train.loop.start import resolve

TINY = (
    "--set",
    "steps=2",
    "--set",
    "network.channels=8",
    "--set",
    "network.layers=1",
    "--set",
    "data.crop=32",
    "--set",
    "data.batch=1",
    "--quiet",
    "--device",
    "cpu",
    "--set",
    "tensorboard=false",
)


def run(*arguments: object) -> int:
    """The exit code of `framelift train` with these arguments."""
    with pytest.raises(SystemExit) as stopped:
        main(["train", *map(str, arguments)])
    code = stopped.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    cv2.imwrite(str(folder / "a.png"), noise)
    (folder / "b.png").write_text("broken")
    return folder


def test_list_presets_needs_no_other_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list-presets") == 0
    lines = capsys.readouterr().out.splitlines()
    named = {line.split()[0]: line for line in lines}
    assert {"johnson-x4-feature", "johnson-x8-pixel", "realtime-small-x4"} <= set(named)
    assert named["johnson-x4-pixel"].endswith("×4 with ℓ_pixel.")


def test_a_run_prints_the_checkpoint_and_is_not_overwritten(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run("realtime-small-x4", "--data", photos, "--out", out, *TINY) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(out / "model.safetensors")
    assert "b.png: not a readable image" in printed.err
    assert "1 photograph, " in printed.err
    assert run("realtime-small-x4", "--data", photos, "--out", out, *TINY) == 1
    assert "already contains a run: pass --resume" in capsys.readouterr().err
    assert run("realtime-small-x4", "--data", photos, "--out", out, *TINY, "--resume") == 0


def test_vgg_file_is_for_all_feature_terms(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    arguments = ("johnson-x4-feature", "--data", photos, "--out", out, "--set", "data.crop=32")
    assert run(*arguments, "--vgg", tmp_path / "gone.npz", "--quiet") == 1
    error = capsys.readouterr().err
    assert "gone.npz: no such file; use 'torchvision'" in error
    assert error.count("\n") == 1
    assert not out.exists()
    assert run(*arguments, "--resume", "--quiet", "--set", "loss.0.kind=pixel") == 1
    assert not out.exists()


def test_paths_may_hold_quotes_and_backslashes(photos: Path) -> None:
    config = resolve("realtime-small-x4", [photos], (), Path('a "b"\\c ü'), 'd"\\e.npz')
    assert (config.validation.folder, config.vgg) == ('a "b"\\c ü', 'd"\\e.npz')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("realtime-small-x4", "--out", "x"), "no training photographs: pass --data DIR"),
        (("tiny", "--out", "x"), "no such preset"),
        (
            ("realtime-small-x4", "--out", "x", "--set", "optimizer.rl=1"),
            "`rl` in `optimizer`; it has name, lr, ",
        ),
        (("realtime-small-x4", "--out", "x", "--data", "gone"), "gone: no such folder"),
        (("realtime-small-x4", "--out", "x", "--data", ".", "--device", "tpu"), "device 'tpu'"),
        (("realtime-small-x4", "--out", "x", "--data", ".", "--device", "mps"), "device 'mps'"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
