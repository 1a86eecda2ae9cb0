"""`framelift archive` as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import click
import cv2
import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner, Result

from framelift.cli.archive.command import LEFT_OUT, archive
from framelift.cli.upscale.command import upscale
from framelift.runtime.files.settings import FileSettings

from ..support.upscaling import one_line_of, write_clip
from ..support.waiting import PATIENCE_S, wait_until

MAIN = "from framelift.cli.main import main; main()"
CLIPS = ("a.mp4", "b/c.mp4", "b/d/e.mp4", "f.mp4", "g.mp4", "h.mp4")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    for name in CLIPS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_clip(root / name, 5)
    return root


@pytest.fixture
def options(nearest_model_path: Path) -> list[str]:
    return ["--model", str(nearest_model_path), "--preset", "ultrafast", "--threads", "1"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(archive, [str(argument) for argument in arguments])


def fail(*arguments: str | Path) -> str:
    """The one line with which the command ends; it must be a user's error."""
    return one_line_of(run(*arguments))


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, "archive", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def outputs(out: Path) -> list[str]:
    return sorted(
        path.relative_to(out).as_posix()
        for path in out.rglob("*")
        if path.is_file() and ".framelift-archive" not in path.parts
    )


def rows(out: Path) -> list[dict[str, Any]]:
    lines: list[str] = []
    for path in (out / ".framelift-archive" / "ledger").iterdir():
        lines += path.read_text().splitlines()
    return sorted((json.loads(line) for line in lines), key=lambda row: str(row["ended"]))


def test_every_option_of_upscale_that_concerns_a_file_is_there() -> None:
    def names(command: click.Command) -> set[str]:
        found = (option for option in command.params if isinstance(option, click.Option))
        # Every command gets --log-file, when it is first used.
        return {str(option.name) for option in found} - {"log_file"}

    assert names(upscale) - names(archive) == LEFT_OUT
    # And it is not only taken, but reaches the file.
    taken = names(upscale) & names(archive) - {"no_audio", "quiet", "as_json"}
    assert taken <= set(FileSettings.__dataclass_fields__)


def test_metadata_of_images_is_left_out_on_request(
    tmp_path: Path, tree: Path, options: list[str]
) -> None:
    photo = PIL.Image.new("RGB", (6, 4))
    exif = photo.getexif()
    exif[0x010E] = "a description"
    photo.save(tree / "photo.jpg", exif=exif)
    for out, more in (("with", []), ("without", ["--no-metadata"])):
        result = run(tree / "photo.jpg", tmp_path / out, *options, *more)
        assert result.exit_code == 0, result.stderr
    kept = {}
    for out in ("with", "without"):
        with PIL.Image.open(tmp_path / out / "photo.jpg") as made:
            kept[out] = made.getexif().get(0x010E)
    assert kept == {"with": "a description", "without": None}


def test_a_tree_and_the_same_command_again(tmp_path: Path, tree: Path, options: list[str]) -> None:
    (tree / "b" / "broken.mp4").write_bytes(b"no film")
    cv2.imwrite(str(tree / "photo.png"), np.zeros((4, 6, 3), np.uint8))
    out = tmp_path / "out"
    first = run(tree, out, *options)
    assert "8 files, 0 done before, 8 to do" in first.stderr
    assert "tiny-nearest ×4: onnx-cpu on " in first.stderr
    assert "[1/8] a.mp4: 5 frames, 128×96, " in first.stdout
    assert " left" in first.stdout
    assert f"failed: {tree}/b/broken.mp4: cannot be read as a video" in first.stderr
    assert str(first.exception) == "1 of 8 files failed: b/broken.mp4"
    assert outputs(out) == sorted([*CLIPS, "photo.png"])
    photo = cv2.imread(str(out / "photo.png"))
    assert photo is not None
    assert photo.shape == (16, 24, 3)
    made = {name: (out / name).stat().st_mtime_ns for name in CLIPS}

    second = run(tree, out, *options, "--json")
    summary = json.loads(second.stdout)
    assert (summary["files"], summary["done_before"], summary["done"]) == (8, 7, 0)
    assert [failure["source"] for failure in summary["failed"]] == ["b/broken.mp4"]
    assert {name: (out / name).stat().st_mtime_ns for name in CLIPS} == made

    write_clip(tree / "b" / "broken.mp4", 4)  # it was repaired
    third = run(tree, out, *options)
    assert third.exit_code == 0
    assert f"{out}: 1 file made in " in third.stdout


def test_new_options_reach_every_file_also_after_a_run_over_some(
    tmp_path: Path, tree: Path, options: list[str]
) -> None:
    out, some = tmp_path / "out", tmp_path / "list.txt"
    run(tree, out, *options)
    some.write_text("a.mp4\n")
    larger = [*options, "--scale", "8"]
    assert "was made with other options" in fail(tree, out, *larger)
    assert run(tree, out, *larger, "--overwrite", "--list", some).exit_code == 0
    done = run(tree, out, *larger)
    assert "5 files made in " in done.stdout
    widths = set()
    for name in CLIPS:
        with av.open(str(out / name)) as clip:
            widths.add(clip.streams.video[0].width)
    assert len(widths) == 1
    assert (
        run("status", out).stdout.splitlines()[0] == f"{out}: 6 of 6 files done, 0 failed, 0 left"
    )


def test_a_run_that_cannot_start_keeps_no_options(
    tmp_path: Path, tree: Path, options: list[str]
) -> None:
    out = tmp_path / "out"
    assert "unknown backend 'bogus'" in fail(tree, out, *options, "--backend", "bogus")
    assert run(tree, out, *options, "--scale", "8").exit_code == 0
    other = tree.with_name("other")
    tree.rename(other)
    again = run(other, out, *options, "--scale", "8")
    assert f"note: {out} was begun from {tree}; files of equal names count once" in again.stderr


def test_status(tmp_path: Path, tree: Path, options: list[str]) -> None:
    out = tmp_path / "out"
    (tree / "b" / "broken.mp4").write_bytes(b"no film")
    run(tree, out, *options, "--shard", "0/2")
    run(tree, out, *options, "--shard", "0/2")
    shown = run("status", out, "--json")
    status = json.loads(shown.stdout)
    assert status["files"] == 7
    assert status["done"] + len(status["failed"]) + status["left"] == 7
    assert status["done"] > 0
    assert status["files_per_hour"] > 0
    assert status["seconds_left"] > 0
    run(tree, out, *options)
    text = run("status", out).stdout.splitlines()
    assert text[0] == f"{out}: 6 of 7 files done, 1 failed, 0 left"
    assert text[1].startswith("rate: ")
    assert text[2].startswith("failed after ")
    assert f"{tree}/b/broken.mp4: cannot be read as a video" in text[2]


def test_shards_at_once_share_out_without_doing_anything_twice(
    tmp_path: Path, tree: Path, options: list[str]
) -> None:
    out = tmp_path / "out"
    shards = [start(tree, out, *options, "--shard", f"{i}/3") for i in range(3)]
    for shard in shards:
        _, errors = shard.communicate(timeout=PATIENCE_S)
        assert shard.returncode == 0, errors
    assert outputs(out) == sorted(CLIPS)
    assert sorted(row["source"] for row in rows(out)) == sorted(CLIPS)
    assert "6 done before, 0 to do" in run(tree, out, *options).stderr


def test_the_same_command_twice_at_once(tmp_path: Path, tree: Path, options: list[str]) -> None:
    out = tmp_path / "out"
    both = [start(tree, out, *options) for _ in range(2)]
    for one in both:
        _, errors = one.communicate(timeout=PATIENCE_S)
        assert one.returncode == 0, errors
    assert sorted(row["source"] for row in rows(out)) == sorted(CLIPS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_complete_files_and_goes_on(
    tmp_path: Path, tree: Path, options: list[str], number: signal.Signals
) -> None:
    out = tmp_path / "out"
    write_clip(tree / "b/c.mp4", 800)  # it is at this one when the signal comes
    going = start(tree, out, *options)
    assert going.stdout is not None
    assert going.stdout.readline().startswith("[1/6] a.mp4")
    wait_until(lambda: any((out / "b").glob(".c.*.part.mp4")), "the second file")
    going.send_signal(number)
    _, errors = going.communicate(timeout=PATIENCE_S)
    assert going.returncode != 0
    # Its child goes, too.
    wait_until(lambda: not any((out / "b").glob(".c.*.part.mp4")), "the end of its child")
    assert outputs(out) == ["a.mp4"]
    if number != signal.SIGKILL:
        name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
        assert going.returncode == 128 + number
        assert errors.splitlines()[-1] == (
            f"framelift: interrupted by {name}; 1 finished file is kept, run the same "
            "command again "
            "to continue"
        )
    made = (out / "a.mp4").stat().st_mtime_ns
    assert run(tree, out, *options).exit_code == 0
    assert (out / "a.mp4").stat().st_mtime_ns == made
    assert outputs(out) == sorted(CLIPS)
    done = [row["source"] for row in rows(out) if row["state"] == "done"]
    assert sorted(done) == sorted(CLIPS)


def test_what_makes_no_sense_is_refused_before_anything_is_made(
    tmp_path: Path, tree: Path, options: list[str]
) -> None:
    out = tmp_path / "out"
    assert fail("none", out) == "none: no such file or folder"
    assert fail(tree, tree / "a.mp4") == (
        f"{tree}/a.mp4: is a file; name a folder for the archive's outputs"
    )
    assert "is not a shard: write INDEX/COUNT" in fail(tree, out, "--shard", "x")
    assert "known are h264" in fail(tree, out, "--codec", "x")
    assert "is not a file or a bundled model" in fail(tree, out, "--model", "x")
    assert "is not a time" in fail(tree, out, "--start", "x")
    assert fail("status", out) == (
        f"{out}: no archive was made here (there is no .framelift-archive in it)"
    )
    assert not out.exists()
    run(tree / "a.mp4", out, *options)
    message = fail(tree, out, *options, "--crf", "30")
    assert message.startswith(f"{out}: was made with other options (encoder h264 crf=17 ")
    assert run(tree / "a.mp4", out, *options, "--crf", "30", "--overwrite").exit_code == 0
    assert [row["state"] for row in rows(out)] == ["done", "done"]


def test_outputs_that_left_out_are_made_again_on_request(
    tmp_path: Path, tree: Path, options: list[str]
) -> None:
    out = tmp_path / "out"
    run(tree / "a.mp4", out, *options)
    (out / "a.mp4").unlink()
    assert "1 done before, 0 to do" in run(tree / "a.mp4", out, *options).stderr
    assert "0 done before, 1 to do" in run(tree / "a.mp4", out, *options, "--missing").stderr
    assert (out / "a.mp4").exists()


def test_a_name_of_two_lines_is_shown_on_one(tmp_path: Path, options: list[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("two\nlines.png", "no\nfilm.mp4"):
        (folder / name).write_bytes(b"")
    cv2.imwrite(str(folder / "two\nlines.png"), np.zeros((4, 6, 3), np.uint8))
    result = run(folder, tmp_path / "out", *options)
    assert len(result.stdout.splitlines()) == 2
    assert "two\N{REPLACEMENT CHARACTER}lines.png: 24×16" in result.stdout
    assert str(result.exception) == "1 of 2 files failed: no\nfilm.mp4"  # shown on one line


def test_a_list_on_the_standard_input(tmp_path: Path, tree: Path, options: list[str]) -> None:
    result = CliRunner().invoke(
        archive, [str(tree), str(tmp_path / "out"), "--list", "-", *options], input="b/**/*.mp4\n"
    )
    assert result.exit_code == 0
    assert outputs(tmp_path / "out") == ["b/c.mp4", "b/d/e.mp4"]


def test_help_does_not_load_the_runtime() -> None:
    code = (
        "import sys; import framelift.cli.archive.command; "
        "sys.exit(any(name in sys.modules for name in ('av', 'onnx', 'numpy', 'ray')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_long_films_are_split(tmp_path: Path, options: list[str]) -> None:
    out, film = tmp_path / "out", tmp_path / "in" / "film.mp4"
    film.parent.mkdir()
    write_clip(film, 700)
    result = run(film, out, *options, "--split", "0.2")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "film.mp4: in 2 pieces"
    assert lines[1].startswith("[0/1] film.mp4: piece 1 of 2, 250 frames, ")
    assert lines[2].startswith("[1/1] film.mp4: 700 frames, 128×96, joined of 2 pieces")
    assert outputs(out) == ["film.mp4"]
    with av.open(str(out / "film.mp4")) as container:
        assert (container.streams.video[0].frames, len(container.streams.audio)) == (700, 1)
    status = json.loads(run("status", out, "--json").stdout)
    assert (status["done"], status["left"]) == (1, 0)
    assert "is for whole videos" in fail(film, out, *options, "--split", "1", "--end", "3")
    assert "are for --ray" in fail(film, out, *options, "--workers", "2")
