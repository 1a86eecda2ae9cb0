"""Folders with subfolders, several inputs, patterns and templates of names."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from framelift.cli.upscale.command import upscale
from framelift.common.errors import ConfigError, FrameliftError, InputError, OutputError


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two pictures, one of them in a subfolder; it is the current folder."""
    folder = tmp_path / "photos"
    (folder / "rome" / "day1").mkdir(parents=True)
    for name in ("a.png", "rome/b.jpg", "rome/day1/a.png"):
        Image.new("RGB", (6, 4), (10, 20, 30)).save(folder / name)
    monkeypatch.chdir(tmp_path)
    return folder


def run(model: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(
        upscale, [*arguments, "--model", str(model), "--backend", "onnx-cpu", "-q"]
    )
    if isinstance(result.exception, FrameliftError):
        raise result.exception
    return result


def made(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_subfolders_are_mirrored_or_named(photos: Path, nearest_model_path: Path) -> None:
    result = run(nearest_model_path, "photos", "out")
    assert made(Path("out")) == ["a.png"]
    assert "photos: 1 subfolder is left out (rome); --recursive takes them, too" in result.output
    result = run(nearest_model_path, "photos", "out", "--recursive")
    assert made(Path("out")) == ["a.png", "rome/b.jpg", "rome/day1/a.png"]
    assert "left out" not in result.output
    with Image.open("out/rome/day1/a.png") as image:
        assert image.width > 6
    # An OUT inside of IN is not taken for an input the next time.
    run(nearest_model_path, "photos", "photos/big", "-r")
    run(nearest_model_path, "photos", "photos/big", "-r", "-y")
    assert made(Path("photos/big")) == ["a.png", "rome/b.jpg", "rome/day1/a.png"]


def test_several_inputs_and_patterns_go_into_a_folder(
    photos: Path, nearest_model_path: Path
) -> None:
    run(nearest_model_path, "photos/a.png", "photos/rome", "new/out")
    assert made(Path("new")) == ["out/a.png", "out/rome/b.jpg"]
    run(nearest_model_path, "photos/**/*.jpg", "photos/a*", "more")
    assert made(Path("more")) == ["a.png", "b.jpg"]
    run(nearest_model_path, "photos/rome/*.jpg", "one.jpg")
    assert Path("one.jpg").is_file()
    with pytest.raises(InputError, match=r"\*\.gif: matches no file or folder"):
        run(nearest_model_path, "photos/*.gif", "none")
    with pytest.raises(OutputError, match=r"a.png: would be made of several inputs"):
        run(nearest_model_path, "photos/a.png", "photos/rome/day1/a.png", "same")
    with pytest.raises(OutputError, match=r"one.jpg: is a file, but there are several inputs"):
        run(nearest_model_path, "photos/a.png", "photos/rome/b.jpg", "one.jpg")
    assert not Path("same").exists()
    assert not Path("none").exists()


def test_out_may_be_a_folder_for_one_file(photos: Path, nearest_model_path: Path) -> None:
    Path("there").mkdir()
    run(nearest_model_path, "photos/rome/b.jpg", "there")
    assert made(Path("there")) == ["b.jpg"]
    with pytest.raises(OutputError, match=r"b.jpg: already exists"):
        run(nearest_model_path, "photos/rome/b.jpg", "there")


def test_names_are_made_of_templates(photos: Path, nearest_model_path: Path) -> None:
    Path("out").mkdir()
    run(nearest_model_path, "photos/a.png", "out/{stem}_x{scale}{suffix}", "--scale", "2.5")
    run(nearest_model_path, "photos/a.png", "photos/rome/day1/a.png", "out/{folder}-{stem}.webp")
    assert made(Path("out")) == ["a_x2.5.png", "day1-a.webp", "photos-a.webp"]
    run(nearest_model_path, "photos", "tree/{stem}@{scale}x{suffix}", "-r", "--scale", "2")
    assert made(Path("tree")) == ["a@2x.png", "rome/b@2x.jpg", "rome/day1/a@2x.png"]
    with pytest.raises(OutputError, match=r"\{date\} is unknown in a name; use \{stem\}"):
        run(nearest_model_path, "photos/a.png", "out/{stem}{date}.png")
    run(nearest_model_path, "photos/a.png", "out/{braces}.png")
    assert Path("out/{braces}.png").is_file()
    with pytest.raises(OutputError, match=r"a_x2.5.png: already exists"):
        run(nearest_model_path, "photos/a.png", "out/{stem}_x{scale}{suffix}", "--scale", "2.5")


def test_image_sequences_keep_their_numbers(photos: Path, nearest_model_path: Path) -> None:
    for number in (9, 10, 100):
        Image.new("RGB", (6, 4), (number, 0, 0)).save(photos / f"frame_{number:04}.png")
    result = run(nearest_model_path, "photos/frame_%04d.png", "seq/big%06d.webp")
    assert "frame_0011.png is missing, the sequence goes from 9 to 100; each" in result.output
    assert made(Path("seq")) == ["big000009.webp", "big000010.webp", "big000100.webp"]
    with pytest.raises(InputError, match=r"none_%d.png: no file of this sequence is there"):
        run(nearest_model_path, "photos/none_%d.png", "seq")
    with pytest.raises(OutputError, match=r"a.png has no number for the %d of this name"):
        run(nearest_model_path, "photos/a.png", "seq/%d.png")
    with pytest.raises(ConfigError, match=r"frame_%04d.png: the images have no frame rate"):
        run(nearest_model_path, "photos/frame_%04d.png", "seq.mp4")
    with pytest.raises(InputError, match=r"frame_0011.png is missing"):
        run(nearest_model_path, "photos/frame_%04d.png", "seq.mp4", "--fps", "10")
    assert not Path("seq.mp4").exists()


def test_sequences_become_videos_and_videos_sequences(
    photos: Path, nearest_model_path: Path
) -> None:
    for number in range(3, 8):
        Image.new("RGB", (64, 48), (number * 30, 90, 0)).save(photos / f"f_{number}.png")
    run(nearest_model_path, "photos/f_%d.png", "seq.mp4", "--fps", "10")
    run(nearest_model_path, "seq.mp4", "out/{stem}_%03d.jpg", "--start", "0.2")
    assert made(Path("out")) == ["seq_001.jpg", "seq_002.jpg", "seq_003.jpg"]
    run(nearest_model_path, "seq.mp4", "photos/f_3.png", "out/{stem}_%03d.jpg")
    assert "f_3_003.jpg" in made(Path("out"))
    run(nearest_model_path, "photos/f_%d.png", "big_%02d.png", "--fps", "10", "--end", "0.3")
    assert sorted(path.name for path in Path().glob("big_*")) == [
        f"big_0{n}.png" for n in (1, 2, 3)
    ]
    run(nearest_model_path, "photos/f_%d.png", "seq.gif", "--fps", "10")
    run(nearest_model_path, "seq.mp4", "seq.webp")
    run(nearest_model_path, "seq.webp", "back.mp4")
    run(nearest_model_path, "seq.webp", "back_%d.png")
    assert len(list(Path().glob("back_*.png"))) == 5
    for name in ("seq.gif", "seq.webp"):
        with Image.open(name) as image:
            assert image.n_frames == 5  # type: ignore[attr-defined]
    for arguments, error in (
        (("seq.mp4", "x.mp4", "--fps", "3"), "--fps is for an image sequence"),
        (("seq.mp4", "y_%d.png", "--crf", "3"), r"for video files, and y_%d.png is images"),
        (("seq.mp4", "y.gif", "--resume"), r"y.gif: an animated image is written at once and"),
        (("photos/f_%d.png", "x.mp4", "--fps", "a lot"), "'a lot' is not a frame rate"),
    ):
        with pytest.raises(ConfigError, match=error):
            run(nearest_model_path, *arguments)
    with pytest.raises(OutputError, match=r"y.png: is the name of one image; .* y_%05d.png, an"):
        run(nearest_model_path, "seq.mp4", "y.png")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_what_is_replaced_keeps_its_mode_and_its_links(
    photos: Path, nearest_model_path: Path
) -> None:
    Path("real").mkdir()
    target, link = Path("real/out.png"), Path("link.png")
    target.touch()
    target.chmod(0o604)
    link.symlink_to(target)
    run(nearest_model_path, "photos/a.png", str(link), "-y")
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    with Image.open(target) as image:
        assert image.width > 6
    os.mkfifo("pipe.png")
    with pytest.raises(OutputError, match=r"pipe.png: is not a file but a pipe or a device"):
        run(nearest_model_path, "photos/a.png", "pipe.png", "-y")
    assert stat.S_ISFIFO(Path("pipe.png").stat().st_mode)
