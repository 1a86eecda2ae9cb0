"""`framelift upscale` with one input."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import click
import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from framelift.cli.upscale.command import upscale
from framelift.common.errors import ConfigError
from framelift.runtime import loading
from framelift.runtime.backends import select
from framelift.runtime.machine.host import processor_name
from framelift.runtime.models.zoo import default_model

from ..support.clips import make_clip, noise
from ..support.images import image
from ..support.upscaling import fail, names, run
from ..support.waiting import PATIENCE_S


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

    monkeypatch.setattr(loading, "open_backend", passing_over)
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


def test_two_options_about_sound_that_disagree_are_refused(tmp_path: Path, clip: Path) -> None:
    result = run(clip, tmp_path / "big.mp4", "--audio", "copy", "--no-audio")
    assert str(result.exception) == "--audio copy and --no-audio exclude each other"


def test_images_and_videos_of_a_folder_get_each_their_default(tmp_path: Path, clip: Path) -> None:
    (folder := tmp_path / "in").mkdir()
    photo = image(folder / "photo.png")
    (folder / "clip.mp4").write_bytes(clip.read_bytes())
    result = run(folder, tmp_path / "out", "--backend", "onnx-cpu", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["upscaler"]["model"] == default_model(4, on_cpu=True)
    assert summary["upscaler_for_images"]["model"] == default_model(4, footage=False, on_cpu=True)
    again = run(folder, tmp_path / "out", "--backend", "onnx-cpu", "--json")
    assert "upscaler_for_images" not in json.loads(again.stdout)  # nothing is left for it
    run(photo, tmp_path / "alone.png", "--backend", "onnx-cpu")
    alone, beside = (tmp_path / name for name in ("alone.png", "out/photo.png"))
    np.testing.assert_array_equal(cv2.imread(str(alone)), cv2.imread(str(beside)))


@pytest.mark.parametrize(
    ("size", "scale"), [(["--size", "28x100"], 2), (["--width", "29"], 4), (["--height", "20"], 2)]
)
def test_the_model_that_is_enough_for_a_size_is_chosen(
    tmp_path: Path, size: list[str], scale: int
) -> None:
    photo = image(tmp_path / "photo.png")  # 14×10
    result = run(photo, tmp_path / "big.png", "--backend", "onnx-cpu", *size)
    assert result.exit_code == 0, result.output
    name = default_model(scale, footage=False, on_cpu=True)
    assert f"{name} ×{scale}: " in result.stderr


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
    for option in (("--codec", "h264"), ("--crf", "20"), ("--preset", "fast")):
        assert "nothing is encoded for it; --codec" in fail(clip, "null", *option)


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


def test_it_does_not_import_torch(tmp_path: Path, clip: Path, nearest_model_path: Path) -> None:
    code = textwrap.dedent(
        f"""
        import sys
        from framelift.cli.upscale.command import upscale
        upscale.main({[str(clip), str(tmp_path / "o.mp4"), "--model", str(nearest_model_path)]!r},
                     standalone_mode=False)
        sys.exit("torch" in sys.modules)
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr


def test_importing_the_command_loads_nothing_heavy() -> None:
    code = (
        "import sys; import framelift.cli.upscale.command; "
        "sys.exit(any(name in sys.modules for name in ('av', 'cv2', 'numpy', 'onnx')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE_S).returncode == 0


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
        assert "is for videos" in str(result.exception)
    CliRunner().invoke(upscale, [*arguments, "--compare"], catch_exceptions=False)
    shown = cv2.imread(str(target))
    assert shown is not None
    assert shown.shape == (24, 64, 3)
