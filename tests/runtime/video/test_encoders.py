"""What encoders can do, and what of it is refused."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import av
import pytest

from framelift.common.errors import ConfigError, MissingDependencyError, OutputError
from framelift.runtime.video.clip.frame import Image
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing import encoders
from framelift.runtime.video.writing.codecs import ENCODERS
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import (
    Nearest,
    make_clip,
    noise,
)
from ...support.converting import convert
from ...support.waiting import PATIENCE_S, wait_until

_TASKS = Path("/proc/self/task")


def _policies() -> set[int]:
    """How the threads of this process are scheduled."""
    policies = set[int]()
    for task in _TASKS.iterdir():
        with contextlib.suppress(ProcessLookupError):  # it has ended since
            policies.add(os.sched_getscheduler(int(task.name)))
    return policies


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Linux lists the threads")
@pytest.mark.parametrize("resume", [None, "the model"])
def test_no_encoder_makes_threads_real_time(tmp_path: Path, resume: str | None) -> None:
    """SVT-AV1 does where it may, as root may: then the network gets no time.

    Its threads are real-time until the encoder is open, which may be while a frame is computed.
    """
    before = _policies()

    class Watching(Nearest):
        def __call__(self, frame: Image, out: Image | None = None) -> Image:
            wait_until(lambda: _policies() == before, "threads are as before", 20)
            return super().__call__(frame, out)

    source = make_clip(tmp_path / "in.mp4", noise(40))
    encoder = EncoderOptions("av1", preset="12")
    options = ConvertOptions(resume=resume, segment_frames=10)
    upscale_video(source, tmp_path / "out.mp4", Watching(2), encoder, options, quiet=True)
    assert _policies() == before


def test_what_an_encoder_cannot_do_is_said_with_another_way(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", noise(1, 16400, 32), codec="ffv1", pixel_format="bgr0")
    with pytest.raises(OutputError, match=r"av1 cannot encode 16400×32 at .* name another --codec"):
        convert(source, tmp_path / "out.mp4", scale=1, codec="av1")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codec": "vp8"}, "unknown codec 'vp8'; known are h264, hevc, av1, vp9, prores, ffv1"),
        ({"crf": 52}, "CRF 52 is outside 0"),
        ({"codec": "av1", "crf": 64}, "CRF 64 is outside 0"),
        ({"codec": "ffv1", "crf": 10}, "ffv1 is lossless"),
        ({"codec": "prores", "crf": 10}, "prores has a quality by preset only"),
        ({"codec": "prores", "preset": "fast"}, "known are: proxy, lt, standard, hq"),
        ({"preset": "quick"}, "has no preset 'quick'; known are: ultrafast"),
    ],
)
def test_senseless_options_are_refused(options: dict[str, str | int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EncoderOptions(**options)  # type: ignore[arg-type]


def test_suffixes_are_refused_by_name(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4")
    for name, codec in (("out.avi", "h264"), ("out", "h264"), ("out.mp4", "ffv1")):
        with pytest.raises(OutputError, match=r"cannot be written to .*use .*mkv"):
            convert(source, tmp_path / name, codec=codec)


def test_every_encoder_is_in_the_build() -> None:
    for name, encoder in ENCODERS.items():
        assert encoder.library in av.codecs_available
        if not encoder.is_hardware:
            EncoderOptions(name).check_available()


def test_a_hardware_encoder_without_its_hardware_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert encoders.hardware_works("libx264")
    assert not encoders.hardware_works("none")
    monkeypatch.setattr(encoders, "hardware_works", lambda library: False)
    with pytest.raises(MissingDependencyError, match=r"hevc-nvenc needs an NVIDIA.*--codec hevc$"):
        EncoderOptions("hevc-nvenc").check_available()


@pytest.mark.parametrize(
    ("codec", "suffix", "decoded"),
    [
        ("h264", ".mp4", "yuv420p"),
        ("hevc", ".mp4", "yuv420p"),
        ("av1", ".mp4", "yuv420p"),
        ("prores", ".mov", "yuv422p10le"),
        ("ffv1", ".mkv", "bgr0"),
    ],
)
def test_the_file_has_the_depth_that_its_encoder_states(
    tmp_path: Path, codec: str, suffix: str, decoded: str
) -> None:
    assert EncoderOptions(codec).encoder.pixel_format == decoded
    source = make_clip(tmp_path / "a.mp4", noise(3))
    convert(source, tmp_path / f"out{suffix}", codec=codec)
    with av.open(tmp_path / f"out{suffix}") as container:
        assert [frame.format.name for frame in container.decode(video=0)] == [decoded] * 3


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(40))
    code = textwrap.dedent(
        f"""
        import resource, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parents[3])!r})
        from tests.support.clips import Nearest
        from framelift.common.errors import OutputError
        from framelift.runtime.video.whole_file import upscale_video
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, {resource.RLIM_INFINITY}))
        try:
            upscale_video(Path({str(source)!r}), Path({str(tmp_path / "out.mp4")!r}), Nearest(4),
                          quiet=True)
        except OutputError as error:
            print(error)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert done.stdout.count("\n") == 1
    assert "out.mp4: the file became larger than this system allows" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("resume", [None, "model"])
@pytest.mark.parametrize(
    ("codec", "sizes"),
    [("hevc", ((62, 64), (64, 62), (16, 16))), ("av1", ((30, 64), (64, 30), (4, 4), (2, 2)))],
)
def test_pictures_that_an_encoder_has_no_room_for_are_refused(
    tmp_path: Path, resume: str | None, codec: str, sizes: tuple[tuple[int, int], ...]
) -> None:
    for width, height in sizes:
        source = make_clip(
            tmp_path / f"{width}x{height}.mkv", noise(3, width, height), codec="ffv1"
        )
        with pytest.raises(OutputError, match=f"{codec} cannot encode {width}×{height}, each side"):
            upscale_video(
                source,
                tmp_path / "out.mp4",
                Nearest(1),
                EncoderOptions(codec),
                ConvertOptions(resume=resume),
                quiet=True,
                say=lambda _: None,
            )
        assert not (tmp_path / "out.mp4").exists()
