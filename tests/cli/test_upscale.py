"""`framelift upscale` as a user meets it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import click
import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from framelift.cli.upscale import upscale
from framelift.common.errors import ConfigError, FrameliftError
from framelift.runtime import upscaler
from framelift.runtime.backends import select
from framelift.runtime.machine.host import processor_name
from framelift.runtime.models.zoo import default_model

from ..support.clips import make_clip, noise
from ..support.images import image

ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(upscale, [str(argument) for argument in arguments])


def fail(*arguments: str | Path) -> str:
    """The one line with which the command ends; it must be a user's error."""
    result = run(*arguments)
    assert isinstance(result.exception, FrameliftError), result.exception
    assert result.exception.exit_code == 1
    message = str(result.exception)
    assert "\n" not in message
    return message


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_clip(path, 20)
    return path


def write_clip(path: Path, frames: int) -> None:
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        sound = container.add_stream("aac", rate=48000)
        assert isinstance(stream, av.VideoStream)
        assert isinstance(sound, av.AudioStream)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for index in range(frames):
            image = np.repeat(rng.integers(0, 255, (24, 1, 3), np.uint8), 32, 1)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
            noise = (rng.standard_normal((1, 1600)) * 3000).astype(np.int16)
            samples = av.AudioFrame.from_ndarray(noise, "s16", "mono")
            samples.sample_rate, samples.pts = 48000, index * 1600
            container.mux(sound.encode(samples))
        container.mux(stream.encode(None))
        container.mux(sound.encode(None))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_video(tmp_path: Path, clip: Path, nearest_model_path: Path) -> None:
    result = run(clip, tmp_path / "out.mp4", "--model", nearest_model_path)
    assert result.exit_code == 0
    assert "tiny-nearest ×4: onnx-cpu on " in result.stderr
    assert "out.mp4: 20 frames, 128×96, " in result.stdout
    assert "fps, upscaling p50" in result.stdout
    assert result.stdout.endswith("audio (aac) copied\n")
    with av.open(str(tmp_path / "out.mp4")) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height, video.frames) == (128, 96, 20)
        assert len(container.streams.audio) == 1


def test_a_run_on_a_processor_says_one_short_line(
    tmp_path: Path, nearest_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = image(tmp_path / "a.png"), tmp_path / "b.png"
    command = (source, out, "--overwrite", "--model", nearest_model_path)
    reasons = [("tensorrt", "no NVIDIA GPU"), ("onnx-cuda", "no NVIDIA GPU")]
    opened = select.open_backend

    def passing_over(*arguments: Any, **options: Any) -> select.Opened:  # noqa: ANN401
        found = opened(*arguments, **options)
        return found._replace(selection=select._selection(found.session, reasons))

    monkeypatch.setattr(upscaler, "open_backend", passing_over)
    told = {}
    for there in (False, True):
        monkeypatch.setattr("framelift.runtime.machine.host.has_gpu", lambda there=there: there)
        told[there] = run(*command).stderr.splitlines()[0]
    assert told[False] == f"tiny-nearest ×4: onnx-cpu on {processor_name()}"
    assert told[True] == told[False] + "; better backends cannot be used, --verbose shows why"
    verbose = run(*command, "--verbose").stderr
    assert "using onnx-cpu (CPUExecutionProvider on " in verbose
    assert "tensorrt and onnx-cuda not used: no NVIDIA GPU" in verbose


def test_the_summary_as_json(tmp_path: Path, clip: Path, nearest_model_path: Path) -> None:
    target = tmp_path / "out.mkv"
    result = run(clip, target, "--model", nearest_model_path, "--json", "--quiet", "--no-audio")
    summary = json.loads(result.stdout)
    (done,) = summary["done"]
    assert done["target"] == str(target)
    assert (done["frames"], done["width"], done["height"], done["copied"]) == (20, 128, 96, [])
    assert set(done["latency_ms"]) == {"p50", "p90", "p95", "p99"}
    assert set(done["occupancy"]) == {"decode", "upscale", "encode"}
    assert summary["upscaler"]["backend"] == "onnx-cpu"
    # What is worth knowing is said even with --quiet.
    assert summary["notes"] == ["out.mkv: .mkv keeps times in whole milliseconds; .mp4 is exact"]
    assert result.stderr == "note: out.mkv: .mkv keeps times in whole milliseconds; .mp4 is exact\n"


def test_what_was_reused_is_said(
    tmp_path: Path, nearest_model_path: Path, tiny_models: ModuleType
) -> None:
    still = make_clip(tmp_path / "still.mp4", noise(1) * 20, options={"qp": "0"})
    model = ("--model", nearest_model_path)
    reused = run(still, tmp_path / "a.mp4", *model)
    assert "fps, 95% of the pixels reused, upscaling p50" in reused.stdout
    computed = run(still, tmp_path / "b.mp4", *model, "--no-reuse")
    assert "pixels reused" not in computed.stdout
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    (done,) = json.loads(run(still, "null", *model, "--json").stdout)["done"]
    assert done["reused"] == 0.95
    window = tiny_models.save(tiny_models.window_model(), tmp_path / "window.onnx")
    said = run(still, tmp_path / "c.mp4", "--model", window)
    assert "tiny-window looks at 5 frames at once: nothing is reused from frame to frame\n" in (
        said.stderr
    )


def test_an_image(tmp_path: Path, nearest_model_path: Path) -> None:
    source = image(tmp_path / "in.png")
    result = run(source, tmp_path / "out.png", "--model", nearest_model_path)
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'out.png'}: 56×40\n"
    small = cv2.imread(str(source))
    assert small is not None
    expected = np.repeat(np.repeat(small, 4, 0), 4, 1)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "out.png")), expected)


def chosen(result: Result) -> str:
    """The model that a summary names; without VNNI a line about int8 comes before it."""
    return next(line.split()[0] for line in result.stderr.splitlines() if " ×4" in line)


def test_default_models_of_processors_are_int8(tmp_path: Path, clip: Path) -> None:
    photo, big = image(tmp_path / "photo.png"), tmp_path / "big.png"
    result = run(photo, big, "--backend", "onnx-cpu")
    assert result.exit_code == 0, result.output
    assert chosen(result) == f"{default_model(4, footage=False)}-int8"
    made = cv2.imread(str(big))
    assert made is not None
    assert made.shape == (40, 56, 3)
    result = run(photo, "null", "--backend", "onnx-cpu")
    assert chosen(result) == f"{default_model(4, footage=False)}-int8"
    result = run(clip, tmp_path / "big.mp4", "--backend", "onnx-cpu")
    assert result.exit_code == 0, result.output
    assert chosen(result) == f"{default_model(4)}-int8"


def test_a_folder_goes_on_after_a_broken_file(
    tmp_path: Path, clip: Path, nearest_model_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "new" / "out"
    folder.mkdir()
    clip.rename(folder / "b.mp4")
    write_webm(folder / "b.webm")
    image(folder / "a.png")
    (folder / "broken.jpg").write_text("no image")
    (folder / "notes.txt").write_text("left alone")
    result = run(folder, out, "--model", nearest_model_path, "--quiet")
    assert str(result.exception) == "1 of 4 files failed: broken.jpg"
    assert result.stderr.startswith(f"failed: {folder / 'broken.jpg'}: cannot be read as an image")
    assert names(out) == ["a.png", "b.mp4", "b.webm.mp4"]
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    (folder / "broken.jpg").unlink()
    again = run(folder, out, "--model", nearest_model_path)
    assert again.exit_code == 0
    assert "3 already there (--overwrite makes them again)" in again.stderr
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before


def write_webm(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=30, options={"deadline": "realtime"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((24, 32, 3), 90, np.uint8), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_folder_of_failures_leaves_no_folder(tmp_path: Path, nearest_model_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "broken.mp4").write_text("no video")
    assert "1 of 1 files failed" in fail(folder, tmp_path / "out", "--model", nearest_model_path)
    assert names(tmp_path) == ["in"]


def test_existing_outputs_are_kept_unless_told(
    tmp_path: Path, clip: Path, nearest_model_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("precious")
    message = fail(clip, target, "--model", nearest_model_path)
    assert message == f"{target}: already exists; pass --overwrite to replace it"
    assert target.read_text() == "precious"
    assert run(clip, target, "--model", nearest_model_path, "-y", "-q").exit_code == 0
    assert target.stat().st_size > 1000


def test_bad_inputs_and_outputs(tmp_path: Path, clip: Path, nearest_model_path: Path) -> None:
    text, empty, folder = tmp_path / "text.mp4", tmp_path / "empty.png", tmp_path / "folder"
    text.write_text("This is no video.\n" * 50)
    empty.touch()
    folder.mkdir()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[:1500])
    before = names(tmp_path)
    cases: list[tuple[str | Path, Path, str]] = [
        (text, tmp_path / "o.mp4", "cannot be read as a video"),
        (cut, tmp_path / "o.mp4", "cannot be read as a video, or is damaged"),
        (empty, tmp_path / "o.png", "the file is empty"),
        (tmp_path / "none.mp4", tmp_path / "o.mp4", "no such file or folder"),
        ("99", tmp_path / "o.mp4", "camera 99: cannot be opened"),
        ("rtsp://127.0.0.1:9/x", tmp_path / "o.mp4", "/x: cannot be opened (Connection refused)"),
        ("ftp://host/x.mp4", tmp_path / "o.mp4", "ftp://host/x.mp4: cannot be read from; use one"),
        (folder, Path("-"), "is a folder; name a folder for its results, too"),
        (tmp_path / "none.mp4", Path("null"), "no such file or folder"),
        (clip, tmp_path / "o.xyz", "cannot be written to .xyz; use .mp4, .m4v, .mov, .mkv"),
        (clip, tmp_path / "o.png", "cannot be written to .png; use .mp4"),
        (empty, tmp_path / "o.mp4", "an image cannot be written to .mp4; use .png"),
        (clip, tmp_path / "none" / "o.mp4", "none does not exist; create it first"),
        (clip, clip, "is the input itself"),
        (folder, clip, "is a file, but"),
        (folder, tmp_path / "o", "no image or video is in this folder"),
        (tmp_path, tmp_path, "is the input itself; name another folder"),
    ]
    for source, target, message in cases:
        assert message in fail(source, target, "--model", nearest_model_path, "-q"), source
    assert "is not an ONNX file" in fail(clip, tmp_path / "o.mp4", "--model", text)
    assert "unknown codec 'vp8'" in fail(clip, tmp_path / "o.mp4", "--codec", "vp8")
    assert names(tmp_path) == before


def test_a_part_at_another_size_beside_the_input(
    tmp_path: Path, clip: Path, nearest_model_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    result = run(
        clip,
        target,
        "--model",
        nearest_model_path,
        "--json",
        "--start",
        "0.2",
        "--end",
        "0:00.5",
        "--scale",
        "1.5",
        "--compare",
        "--resume",
    )
    (done,) = json.loads(result.stdout)["done"]
    assert (done["frames"], done["width"], done["height"]) == (9, 96, 36)
    assert names(tmp_path) == ["clip.mp4", "out.mp4"]
    small = image(tmp_path / "in.png")
    half = tmp_path / "half.png"
    assert run(small, half, "--model", nearest_model_path, "--scale", "0.5").exit_code == 0
    assert cv2.imread(str(half)).shape == (5, 7, 3)  # type: ignore[union-attr]
    assert "'1h' is not a time" in fail(clip, target, "--start", "1h")
    assert "work only from file to file" in fail(clip, "null", "--resume")


def test_a_live_target_and_its_summary(clip: Path, nearest_model_path: Path) -> None:
    result = run(clip, "null", "--model", nearest_model_path)
    assert result.exit_code == 0
    assert "null: 20 frames, 128×96, " in result.stdout
    assert result.stdout.endswith("ms, ended by the end of the source\n")
    (done,) = json.loads(run(clip, "null", "--model", nearest_model_path, "--json").stdout)["done"]
    assert (done["frames"], done["dropped"], done["reconnects"]) == (20, 0, 0)
    assert set(done["stage_ms"]) == {"decode", "upscale", "encode"}
    assert {"p50", "p99"} < set(done["glass_to_glass_ms"])


def test_help_mentions_every_kind_of_input() -> None:
    result = run("--help")
    assert "a video, an image or a folder of both" in result.stdout
    assert isinstance(upscale, click.Command)


def slow_run(
    source: Path, target: Path, model: Path, seconds: float, *options: str
) -> subprocess.Popen[str]:
    """The command in a process of its own, with an upscaler that takes its time."""
    arguments = [str(source), str(target), "--model", str(model), "-q", *options]
    code = textwrap.dedent(
        f"""
        import signal, sys, time
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests run under nohup
        from framelift.cli.upscale import upscale
        from framelift.common.errors import FrameliftError
        from framelift.runtime import Upscaler
        submit = Upscaler.submit
        frames = 0

        def slow(self, frame, out):
            global frames
            frames += 1
            if frames == 5:
                print("five", flush=True)
                time.sleep({seconds})
            return submit(self, frame, out)

        Upscaler.submit = slow
        try:
            upscale.main({arguments!r}, standalone_mode=False)
        except FrameliftError as error:
            print(f"framelift: {{error}}", file=sys.stderr)
            sys.exit(error.exit_code)
        """
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [
        (signal.SIGINT, 130, "Ctrl-C"),
        (signal.SIGTERM, 143, "SIGTERM"),
        (signal.SIGHUP, 129, "SIGHUP"),
    ],
)
@pytest.mark.parametrize("stuck_seconds", [0.1, 60])
def test_a_signal_ends_it_within_two_seconds_and_leaves_nothing(
    tmp_path: Path,
    clip: Path,
    nearest_model_path: Path,
    number: signal.Signals,
    code: int,
    name: str,
    stuck_seconds: float,
) -> None:
    write_clip(clip, 400)
    with slow_run(clip, tmp_path / "out.mp4", nearest_model_path, stuck_seconds) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "five\n"
        started = time.monotonic()
        process.send_signal(number)
        _, stderr = process.communicate(timeout=20)
    assert time.monotonic() - started < 2
    assert process.returncode == code
    assert stderr == f"framelift: interrupted by {name}; no output was left behind\n"
    assert names(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ([], "2 finished files are kept, run the same command again to continue"),
        (
            ["--overwrite"],
            "2 finished files are kept; the same command makes them again, without --overwrite it "
            "skips what is there",
        ),
        (["--resume"], "2 finished files are kept, run the same command again to continue"),
    ],
)
def test_an_interrupted_folder_says_what_is_kept_and_goes_on(
    tmp_path: Path, nearest_model_path: Path, options: list[str], kept: str
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        image(folder / name)
    write_clip(folder / "c.mp4", 40)
    with slow_run(folder, out, nearest_model_path, 60, *options) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "five\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert stderr == f"framelift: interrupted by Ctrl-C; {kept}\n"
    assert names(out) == ["a.png", "b.png"]
    again = run(folder, out, "--model", nearest_model_path, *options)
    assert again.exit_code == 0
    assert ("2 already there" in again.stderr) == (options != ["--overwrite"])
    assert names(out) == ["a.png", "b.png", "c.mp4"]


def test_a_folder_goes_on_after_a_name_that_the_system_refuses(
    tmp_path: Path, nearest_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    stem = 246 * "a"
    for name in (f"{stem}.webm", f"{stem}.mp4"):  # of which one becomes .webm.mp4
        write_clip(folder / "clip.mp4", 3)
        (folder / "clip.mp4").rename(folder / name)
    image(folder / "z.png")
    refused = f"{stem}.webm.mp4"
    monkeypatch.setattr(Path, "exists", refusing(Path.exists, out / refused))
    result = run(folder, out, "--model", nearest_model_path, "-q", "--no-audio")
    assert str(result.exception) == f"1 of 3 files failed: {stem}.webm"
    assert result.stderr == f"failed: {out / refused}: File name too long\n"
    assert names(out) == [f"{stem}.mp4", "z.png"]


def refusing(exists: Callable[[Path], bool], refused: Path) -> Callable[[Path], bool]:
    """`Path.exists` as Python 3.11 has it for names that are too long; later ones say False."""

    def checked(path: Path) -> bool:
        if path == refused:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
        return exists(path)

    return checked


def test_it_does_not_import_torch(tmp_path: Path, clip: Path, nearest_model_path: Path) -> None:
    code = textwrap.dedent(
        f"""
        import sys
        from framelift.cli.upscale import upscale
        upscale.main({[str(clip), str(tmp_path / "o.mp4"), "--model", str(nearest_model_path)]!r},
                     standalone_mode=False)
        sys.exit("torch" in sys.modules)
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_importing_the_command_loads_nothing_heavy() -> None:
    code = (
        "import sys; import framelift.cli.upscale; "
        "sys.exit(any(name in sys.modules for name in ('av', 'cv2', 'numpy', 'onnx')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.parametrize("option", ["--scale", "--timeout", "--reconnect"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_numbers_that_are_none_are_refused(
    clip: Path, nearest_model_path: Path, tmp_path: Path, option: str, value: str
) -> None:
    result = CliRunner().invoke(
        upscale,
        [str(clip), str(tmp_path / "o.mp4"), "--model", str(nearest_model_path), option, value],
    )
    assert result.exit_code == 2
    assert option in result.output


def test_an_image_is_compared_too_and_refuses_what_is_for_videos(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    image, target = tmp_path / "a.png", tmp_path / "b.png"
    cv2.imwrite(str(image), np.full((6, 8, 3), 90, np.uint8))
    arguments = [str(image), str(target), "--model", str(nearest_model_path)]
    for extra in (
        ["--start", "1"],
        ["--resume"],
        ["--crf", "3"],
        ["--codec", "av1"],
        ["--no-reuse"],
    ):
        result = CliRunner().invoke(upscale, [*arguments, *extra])
        assert isinstance(result.exception, ConfigError)
        assert "are for videos" in str(result.exception)
    CliRunner().invoke(upscale, [*arguments, "--compare"], catch_exceptions=False)
    shown = cv2.imread(str(target))
    assert shown is not None
    assert shown.shape == (24, 64, 3)
