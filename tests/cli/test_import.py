"""`framelift import`, and foreign models named to `framelift upscale`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from framelift.cli.main import framelift
from framelift.common.errors import CheckpointError, ModelError, OutputError
from framelift.runtime.models.file import read_spec

from ..support.foreign_models import Net, save, window_net


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("FRAMELIFT_CACHE", str(folder))
    return folder


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    return Net(scale=2, order="rgb").save(tmp_path / "2x-foreign.onnx")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))
    return path


def run(*arguments: object) -> Result:
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(framelift, words, standalone_mode=False, catch_exceptions=False)


def test_import_says_what_it_found_and_proved(foreign: Path) -> None:
    target = foreign.with_name("out.onnx")
    result = run("import", foreign, "-o", target, "--licence", "MIT")
    assert result.stdout == f"{target}\n"
    assert result.stderr.splitlines()[0] == "×2, RGB, 0..1, halo 2 px"
    assert "parity with the file" in result.stderr
    assert "photograph 1×192×256" in result.stderr
    assert read_spec(target).licence == "MIT"
    with pytest.raises(OutputError, match="already exists; pass --overwrite"):
        run("import", foreign, "-o", target)
    run("import", foreign, "-o", target, "-y", "--channels", "bgr", "--range", "0..255")
    assert read_spec(target).network["read_as"] == "×2, BGR, 0..255, halo 2 px"


def test_upscale_imports_on_the_way_once(foreign: Path, picture: Path, cache: Path) -> None:
    lines = []
    for name in ("first.png", "second.png"):
        result = run("upscale", picture, picture.with_name(name), "--model", foreign, "-q")
        (line,) = result.stderr.splitlines()
        lines.append(line)
    read_as = "×2, RGB, 0..1, halo 2 px"
    assert lines == [
        f"note: 2x-foreign.onnx is not a Framelift model: imported, {read_as}",
        f"note: 2x-foreign.onnx is not a Framelift model: imported before, {read_as}",
    ]
    first, second = (picture.with_name(f"{name}.png").read_bytes() for name in ("first", "second"))
    assert first == second
    (kept,) = (cache / "imported").iterdir()
    kept.write_bytes(kept.read_bytes()[:-20])  # damaged: made again
    result = run("upscale", picture, picture.with_name("third.png"), "--model", foreign, "-q")
    assert "imported, ×2" in result.stderr
    assert picture.with_name("third.png").read_bytes() == first


def test_another_file_of_the_same_name_is_imported_anew(
    foreign: Path, picture: Path, cache: Path
) -> None:
    for scale in (2, 3):
        Net(scale=scale, order="rgb").save(foreign)
        target = picture.with_name(f"{scale}.png")
        assert (
            f"imported, ×{scale}"
            in run("upscale", picture, target, "--model", foreign, "-q").stderr
        )
    assert len(list((cache / "imported").iterdir())) == 2


def test_upscale_without_pytorch(foreign: Path, picture: Path) -> None:
    code = (
        "import sys\n"
        "extra = ('torch', 'torchvision', 'onnxscript', 'safetensors', 'spandrel')\n"
        "for name in extra:\n"
        "    sys.modules[name] = None\n"
        "from framelift.cli.main import main; main(sys.argv[1:])"
    )
    target = picture.with_name("out.png")
    command = ["upscale", str(picture), str(target), "--model", str(foreign)]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    big = cv2.imread(str(target))
    assert big is not None
    assert big.shape == (40, 60, 3)


def test_what_cannot_be_told_names_the_command_and_leaves_nothing(
    tmp_path: Path, picture: Path, cache: Path
) -> None:
    foreign = Net(scale=2, black=5, white=7).save(tmp_path / "odd.onnx")
    with pytest.raises(ModelError, match=rf"`framelift import {foreign} -o MODEL\.onnx` with"):
        run("upscale", picture, tmp_path / "out.png", "--model", foreign)
    assert not list((cache / "imported").iterdir())
    assert not (tmp_path / "out.png").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_cache_that_cannot_be_written_says_which(
    foreign: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    monkeypatch.setenv("FRAMELIFT_CACHE", str(locked))
    with pytest.raises(OutputError, match="FRAMELIFT_CACHE"):
        run("upscale", picture, tmp_path / "out.png", "--model", foreign)


def test_a_cache_that_is_a_file_says_which(
    foreign: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="name another folder in FRAMELIFT_CACHE"):
        run("upscale", picture, tmp_path / "out.png", "--model", foreign)


def test_export_sends_onnx_files_to_import(foreign: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"`framelift import {foreign} -o MODEL\.onnx`"):
        run("export", foreign)
    assert sorted(path.name for path in foreign.parent.iterdir()) == ["2x-foreign.onnx"]


def test_export_says_that_a_model_is_one_already(foreign: Path, tmp_path: Path) -> None:
    run("import", foreign, "-o", tmp_path / "ours.onnx")
    with pytest.raises(CheckpointError, match="is a framelift model already"):
        run("export", tmp_path / "ours.onnx")
    with pytest.raises(ModelError, match=r"nowhere\.onnx"):
        run("export", tmp_path / "nowhere.onnx")


def test_a_model_of_several_frames_says_what_it_is(tmp_path: Path) -> None:
    source, target = save(window_net(0, "sequence", 2), tmp_path / "m.onnx"), tmp_path / "out.onnx"
    run("import", source, "-o", target, "--window", 5)
    shown = run("inspect", target).stdout
    assert "frames: uint8 5×H×W×3 BGR" in shown
    assert "upscaled: uint8 1×2H×2W×3 BGR" in shown
    assert "lookahead" in shown
