"""An interrupted run loses no more than the frames that were under way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from framelift.common.errors import InputError
from framelift.runtime.video.pieces import plan_pieces, upscale_piece
from framelift.runtime.video.resume.segments import work_path
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import Nearest, frame_times, make_clip, noise
from ...support.upscalers import Interrupting
from ...support.waiting import PATIENCE_S

QUICK = EncoderOptions(preset="ultrafast")
RESUMING = ConvertOptions(resume="model")
"""Segments are longer than any clip here."""
EIGHT_BITS = {"pixel_format": "yuv420p"}


Interrupt = Callable[..., None]


@pytest.fixture
def interrupt(written: list[int]) -> Interrupt:
    """Starts to upscale a clip, and is interrupted after so many frames."""

    def started(source: Path, target: Path, after: int, encoder: EncoderOptions = QUICK) -> None:
        upscaler = Interrupting(after, written)
        with pytest.raises(InputError, match="interrupted"):
            upscale_video(
                source, target, upscaler, encoder, RESUMING, quiet=True, say=lambda _: None
            )
        assert not target.exists()

    return started


def packets(path: Path) -> list[tuple[int | None, int | None, int | None, bool, bytes]]:
    with av.open(str(path)) as container:
        return [
            (packet.pts, packet.dts, packet.duration, packet.is_keyframe, bytes(packet))
            for packet in container.demux()
        ]


@pytest.mark.parametrize(
    ("codec", "suffix", "made_of"),
    [
        ("h264", ".mp4", EIGHT_BITS),
        ("hevc", ".mp4", {"codec": "libx265", "pixel_format": "yuv420p10le"}),
        ("av1", ".mkv", EIGHT_BITS),
        ("prores", ".mov", {"codec": "prores_ks", "pixel_format": "yuva444p10le"}),
        ("ffv1", ".mkv", {"codec": "ffv1", "pixel_format": "gbrp16le"}),
        ("ffv1", ".mkv", {"codec": "ffv1", "pixel_format": "gray10le"}),
    ],
)
def test_the_frames_of_an_unfinished_segment_are_kept_and_give_the_same_file(
    tmp_path: Path, interrupt: Interrupt, codec: str, suffix: str, made_of: dict[str, str]
) -> None:
    options = {"x265-params": "log-level=none"} if made_of.get("codec") == "libx265" else {}
    container = ".mkv" if "ffv1" in made_of.values() else ".mov"
    # Lines are padded. But x264 with several threads does not always write the same bytes for the
    # same pictures where their sides are no multiples of 16.
    images = noise(20, 64, 48) if codec == "h264" else noise(20, 66, 50)
    source = make_clip(
        tmp_path / f"a{container}",
        images,
        options=options,
        codec=made_of.get("codec", "libx264"),
        pixel_format=made_of["pixel_format"],
    )
    encoder = EncoderOptions(codec)
    whole, resumed = tmp_path / f"whole{suffix}", tmp_path / f"resumed{suffix}"
    upscale_video(source, whole, Nearest(2), encoder, RESUMING, quiet=True, say=lambda _: None)
    interrupt(source, resumed, 7, encoder)
    interrupt(source, resumed, 5, encoder)
    upscaler, notes = Nearest(2), list[str]()
    result = upscale_video(
        source, resumed, upscaler, encoder, RESUMING, quiet=True, say=notes.append
    )
    assert f"resumed{suffix}: continuing after 12 frames" in notes
    assert (upscaler.calls, result.frames_resumed) == (8, 12)
    assert packets(resumed) == packets(whole)  # Matroska gives every file a random number
    if suffix != ".mkv":
        assert resumed.read_bytes() == whole.read_bytes()
    assert not work_path(resumed).exists()


@pytest.mark.parametrize("damage", ["cut", "changed", "zeros", "garbage", "removed"])
def test_what_a_power_failure_left_incomplete_is_made_again(
    tmp_path: Path, interrupt: Interrupt, damage: str
) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(20))
    whole, resumed = tmp_path / "whole.mp4", tmp_path / "resumed.mp4"
    upscale_video(source, whole, Nearest(2), QUICK, RESUMING, quiet=True)
    interrupt(source, resumed, 10)
    (spool,) = work_path(resumed).glob("*.frames")
    content = bytearray(spool.read_bytes())
    record = len(content) // 10
    assert len(content) == 10 * record
    if damage == "cut":
        del content[-1:]
    elif damage == "changed":
        content[8 * record + 5000] ^= 1
    elif damage == "zeros":
        content[6 * record :] = bytes(4 * record)
    elif damage == "garbage":
        content += os.urandom(3 * record)
    if damage == "removed":
        spool.unlink()
    else:
        spool.write_bytes(content)
    upscaler = Nearest(2)
    upscale_video(source, resumed, upscaler, QUICK, RESUMING, quiet=True, say=lambda _: None)
    kept = {"cut": 9, "changed": 8, "zeros": 6, "garbage": 10, "removed": 0}[damage]
    assert upscaler.calls == 20 - kept
    assert resumed.read_bytes() == whole.read_bytes()


def test_a_damaged_job_starts_again(tmp_path: Path, interrupt: Interrupt) -> None:
    source, target = make_clip(tmp_path / "a.mp4", noise(20)), tmp_path / "out.mp4"
    interrupt(source, target, 10)
    (work_path(target) / "job.json").write_bytes(b"\xff\xfe\0")
    notes = list[str]()
    upscale_video(source, target, Nearest(2), QUICK, RESUMING, quiet=True, say=notes.append)
    assert notes == ["out.mp4: the input or the settings changed; starting again"]


def test_frames_of_another_job_are_not_used(tmp_path: Path, interrupt: Interrupt) -> None:
    source, target = make_clip(tmp_path / "a.mp4", noise(20)), tmp_path / "out.mp4"
    interrupt(source, target, 10)
    upscaler, notes = Nearest(2), list[str]()
    other = ConvertOptions(resume="other")
    upscale_video(source, target, upscaler, QUICK, other, quiet=True, say=notes.append)
    assert notes == ["out.mp4: the input or the settings changed; starting again"]
    assert upscaler.calls == 20


def test_a_piece_of_a_long_film_goes_on_within_its_segment(
    tmp_path: Path, written: list[int]
) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(40), options={"g": "10"})
    options = ConvertOptions(resume="model", segment_frames=20)
    piece = plan_pieces(source, 1, segment_frames=20)[1]
    made = []
    for place, upscalers in ((tmp_path / "1", [20]), (tmp_path / "2", [7, 20])):
        for after in upscalers:
            upscaler = Interrupting(after, written)  # of 20 it makes all
            try:
                upscale_piece(source, piece, place, upscaler, QUICK, options, say=lambda _: None)
            except InputError:
                assert after == 7
        made.append((work_path(place) / "000000.seg").read_bytes())
    assert upscaler.calls == 13
    assert made[0] == made[1]


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.support.clips import Nearest
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

class Stopping(Nearest):
    def __call__(self, frame, out=None):
        if self.calls == {stop}:
            print("stopped", flush=True)
            time.sleep(600)
        return super().__call__(frame, out)

upscale_video(Path({source!r}), Path({target!r}), Stopping(2), EncoderOptions(preset="ultrafast"),
              ConvertOptions(resume="model"), quiet=True)
"""


def test_a_killed_process_loses_the_frames_under_way_alone(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "a.mp4", noise(40)), tmp_path / "out.mp4"
    root = str(Path(__file__).parents[3])
    code = KILLED.format(root=root, source=str(source), target=str(target), stop=16)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"stopped\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)
    upscaler = Nearest(2)
    upscale_video(source, target, upscaler, QUICK, RESUMING, quiet=True, say=lambda _: None)
    assert 24 <= upscaler.calls <= 24 + 6  # 16 were made; some of them may be in a queue still
    assert len(frame_times(target)) == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "out.mp4"]


def test_without_room_for_frames_segments_are_kept(
    tmp_path: Path, written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = make_clip(tmp_path / "a.mp4", noise(20)), tmp_path / "out.mp4"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5_000_000))
    notes = list[str]()
    with pytest.raises(InputError, match="interrupted"):
        upscale_video(
            source,
            target,
            Interrupting(10, written),
            QUICK,
            RESUMING,
            quiet=True,
            say=notes.append,
        )
    assert notes == [
        "out.mp4: an interruption may cost up to 250 frames, those of an unfinished segment "
        "cannot be kept (it needs 9 MB free on the disk)"
    ]
    assert not work_path(target).exists()


@pytest.mark.skipif(not shutil.which("prlimit"), reason="needs prlimit")
def test_a_file_that_may_not_grow_ends_the_keeping_not_the_run(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "a.mp4", noise(40)), tmp_path / "out.mp4"
    root = str(Path(__file__).parents[3])
    code = KILLED.format(root=root, source=str(source), target=str(target), stop=-1)
    made = subprocess.run(
        ["prlimit", "--fsize=200000", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert made.returncode == 0, made.stderr
    assert "those of an unfinished segment cannot be kept (File too large)" in made.stderr
    assert len(frame_times(target)) == 40


def test_frames_that_are_made_faster_than_they_are_kept_are_not_kept(
    tmp_path: Path, written: list[int]
) -> None:
    """On a disk that takes no time all are kept, on one that takes all of the time none are."""
    source = make_clip(tmp_path / "a.mp4", noise(20))
    for worth, kept in ((1.0, 12), (0.0, 10)):
        options = ConvertOptions(resume="model", segment_frames=5, keeping_share=worth)
        target = tmp_path / f"{kept}.mp4"
        failing = Interrupting(12, written)
        with pytest.raises(InputError, match="interrupted"):
            upscale_video(source, target, failing, QUICK, options, quiet=True)
        upscaler = Nearest(2)
        upscale_video(source, target, upscaler, QUICK, options, quiet=True, say=lambda _: None)
        assert upscaler.calls == 20 - kept
    assert packets(tmp_path / "10.mp4") == packets(tmp_path / "12.mp4")
