"""Pipes in and out: nothing is lost on the way."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image as PilImage

from framelift.common.errors import InputError, OutputError
from framelift.common.images.content.png_chunks import chunk
from framelift.runtime.live.run import upscale_live
from framelift.runtime.live.sources.address import parse_source
from framelift.runtime.live.sources.pipe import PipeReader
from framelift.runtime.live.targets.address import parse_target
from framelift.runtime.live.targets.y4m_sink import Y4mSink
from framelift.runtime.video.clip.colour_tags import Colour
from framelift.runtime.video.clip.frame import ClipFacts, Frame, Image
from framelift.runtime.video.reading.file_source import FileSource

from ...support.clips import (
    BARS_BGR,
    Nearest,
    audio_packets,
    colour_bars,
    frame_times,
    make_clip,
    noise,
)
from ...support.waiting import PATIENCE_S

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from framelift.cli.main import main; main(sys.argv[1:])",
    "upscale",
]


def command(*arguments: str | Path, model: Path, data: bytes = b"") -> subprocess.CompletedProcess:  # type: ignore[type-arg]
    return subprocess.run(
        [*COMMAND, *map(str, arguments), "--model", str(model), "-q"],
        input=data,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


def y4m(images: list[Image], rate: str = "30000:1001") -> bytes:
    """4:4:4 planes that hold the channels as they are."""
    height, width = images[0].shape[:2]
    frames = [b"FRAME\n" + np.ascontiguousarray(i.transpose(2, 0, 1)).tobytes() for i in images]
    return f"YUV4MPEG2 W{width} H{height} F{rate} Ip C444\n".encode() + b"".join(frames)


def test_y4m_through_standard_input_and_output(tmp_path: Path, nearest_model_path: Path) -> None:
    source = y4m(noise(40))
    first = command("-", "-", model=nearest_model_path, data=source)
    assert (first.returncode, first.stderr) == (0, b"")
    assert first.stdout.startswith(
        b"YUV4MPEG2 W256 H192 F30000:1001 Ip A1:1 C444 XCOLORRANGE=LIMITED\nFRAME\n"
    )
    with av.open(io.BytesIO(first.stdout), "r") as container:
        assert sum(1 for _ in container.decode(video=0)) == 40
    target = tmp_path / "out.mp4"
    second = command("-", target, "--json", model=nearest_model_path, data=source)
    (done,) = json.loads(second.stdout)["done"]
    assert (done["frames"], done["dropped"], done["ended_by"]) == (40, 0, "the end of the source")
    assert frame_times(target) == [Fraction(1001 * n, 30000) for n in range(40)]


def test_live_upscaling_needs_no_torch(nearest_model_path: Path) -> None:
    code = (
        "import importlib, pkgutil, sys\n"
        "sys.modules['torch'] = None\n"  # an import of it fails
        "import framelift.runtime.live as live\n"
        "for module in pkgutil.walk_packages(live.__path__, live.__name__ + '.'):\n"
        "    importlib.import_module(module.name)\n"
        "assert live.__name__ + '.targets.srt' in sys.modules\n"
        "from framelift.cli.main import main\n"
        "main(['upscale', '-', '-', '-q', '--model', sys.argv[1]])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(nearest_model_path)],
        input=y4m(noise(3)),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"FRAME\n") == 3


def test_mpegts_through_a_named_pipe_from_a_slow_writer(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.ts", noise(40), options={"preset": "ultrafast"})
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        data = clip.read_bytes()
        with pipe.open("wb") as stream:
            for start in range(0, len(data), 20000):
                stream.write(data[start : start + 20000])
                stream.flush()
                time.sleep(0.02)

    writer = threading.Timer(0.3, write)
    writer.start()
    target = tmp_path / "out.mp4"
    result = upscale_live(parse_source(str(pipe)), parse_target(str(target)), Nearest(), quiet=True)
    writer.join()
    assert result.stats.frames_written == 40
    assert [round(float(t * 30000 / 1001)) for t in frame_times(target)] == list(range(40))


def test_mp4_with_its_index_at_the_end_is_read_from_a_pipe(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    images = noise(16, 192, 128)
    source = make_clip(tmp_path / "a.mp4", images, options={"crf": "1"})
    data = source.read_bytes()
    assert data.index(b"mdat") < data.index(b"moov")
    done = command("-", tmp_path / "out.mp4", model=nearest_model_path, data=data)
    assert done.returncode == 0
    assert done.stderr.decode() == (
        "note: stdin: this MP4 file has its index at the end, so all of it is read first\n"
    )
    assert frame_times(tmp_path / "out.mp4") == frame_times(source)
    cut = command("-", tmp_path / "cut.mp4", model=nearest_model_path, data=data[:-3000])
    assert cut.returncode == 1
    assert not (tmp_path / "cut.mp4").exists()


def test_a_pipe_that_may_have_been_cut_is_said_to_be(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    clip = make_clip(tmp_path / "a.mkv", container_options={"live": "1"})  # without a duration
    line = b"note: stdin: has no duration in its header, so a missing end cannot be detected\n"
    done = command("-", "null", model=nearest_model_path, data=clip.read_bytes())
    assert (done.returncode, done.stderr) == (0, line)
    whole = make_clip(tmp_path / "b.mkv")
    done = command("-", "null", model=nearest_model_path, data=whole.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")


def test_sound_of_a_pipe_is_recorded_and_y4m_has_none(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    clip = make_clip(tmp_path / "a.ts", audio="aac")
    data = clip.read_bytes()
    target = tmp_path / "out.mp4"
    done = command("-", target, model=nearest_model_path, data=data)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(audio_packets(target)) > 10
    done = command(clip, "-", model=nearest_model_path)
    line = f"note: {clip}: its sound is left out because stdout cannot carry it\n".encode()
    assert (done.returncode, done.stderr) == (0, line)
    done = command("-", target, "-y", "--no-audio", model=nearest_model_path, data=data)
    assert (done.returncode, done.stderr) == (0, b"")
    with av.open(str(target)) as container:
        assert not container.streams.audio


def test_colours_of_y4m_are_those_that_readers_assume(tmp_path: Path) -> None:
    # What came as BT.709, full range, is BT.601 and limited: 48 lines have no other meaning.
    facts = ClipFacts(128, 48, Fraction(1, 25), Fraction(25), Fraction(1), Colour(1, 2, 1, 1))
    target = tmp_path / "out.y4m"
    with io.FileIO(target, "wb") as stream:
        sink = Y4mSink(stream, facts, (128, 48), "out.y4m")
        sink.write(Frame(colour_bars(), 0, Fraction(1, 25), 1))
        sink.finish()
    with FileSource(target) as result:
        image = next(iter(result)).bgr
    assert np.abs(image[20, 8::16].astype(int) - np.array(BARS_BGR)).max() <= 2


def test_uneven_times_are_said_to_be_lost_in_y4m(tmp_path: Path) -> None:
    facts = ClipFacts(128, 48, Fraction(1, 1000), Fraction(25), Fraction(1), Colour(1, 2, 1, 1))

    def notes(times_ms: list[int]) -> list[str]:
        lines: list[str] = []
        with io.FileIO(tmp_path / "out.y4m", "wb") as stream:
            sink = Y4mSink(stream, facts, (128, 48), "out.y4m", lines.append)
            for time_ms in times_ms:
                sink.write(Frame(colour_bars(), time_ms, Fraction(1, 1000), 40))
        return lines

    assert notes([7, 47, 88, 126, 167]) == []
    line = "out.y4m: y4m has one frame rate, 25 fps here; the uneven times of the source are lost"
    assert notes([0, 40, 140, 240, 280]) == [line]


QUARTERS = {
    90: [0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30],
    180: [-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30],
    270: [0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30],
}


@pytest.mark.parametrize("degrees", QUARTERS)
def test_a_clip_to_be_shown_turned_is_turned_for_a_target_that_cannot_state_it(
    tmp_path: Path, nearest_model_path: Path, degrees: int
) -> None:
    rows, columns = np.mgrid[:48, :64].astype(np.uint8)
    shaded = np.stack([4 * rows, 3 * columns, 255 - 3 * rows], axis=2)
    clip = make_clip(
        tmp_path / "a.mp4",
        [shaded] * 3,
        display_matrix=QUARTERS[degrees],
        sample_aspect_ratio=Fraction(4, 3),
    )
    done = command(clip, "-", model=nearest_model_path)
    assert (done.returncode, done.stderr) == (0, b"")
    header = done.stdout[: done.stdout.index(b"\n")].decode()
    size, aspect = ("W192 H256", "A3:4") if degrees != 180 else ("W256 H192", "A4:3")
    assert size in header
    assert aspect in header
    reader = cv2.VideoCapture(str(clip))  # which turns it, too
    wanted = cv2.resize(reader.read()[1], None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    reader.release()
    with av.open(io.BytesIO(done.stdout), "r", format="yuv4mpegpipe") as container:
        shown = next(container.decode(video=0)).to_ndarray(format="bgr24")
    assert shown.shape == wanted.shape
    assert np.abs(shown.astype(int) - wanted).mean() < 3


def test_a_clip_to_be_shown_askew_comes_out_as_it_is_stored(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    askew = [46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30]
    clip = make_clip(tmp_path / "a.mp4", display_matrix=askew)
    done = command(clip, "-", model=nearest_model_path)
    assert done.returncode == 0
    line = (
        "its rotation is not a multiple of 90°, which stdout cannot store; the output is not "
        "rotated"
    )
    assert done.stderr.decode() == f"note: {clip}: {line}\n"


def test_a_reader_that_goes_away_is_one_line(tmp_path: Path, nearest_model_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", noise(60, 128, 96))
    with subprocess.Popen(
        [*COMMAND, str(clip), "-", "--model", str(nearest_model_path), "-q"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        assert process.stderr.read().decode() == (
            "framelift: stdout: cannot be written to (its reader has gone)\n"
        )
    assert process.returncode == 1


def test_a_closed_standard_output_is_one_line(tmp_path: Path, nearest_model_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4")
    done = subprocess.run(
        [
            "sh",
            "-c",
            'exec "$@" >&-',
            "sh",
            *COMMAND,
            clip,
            "-",
            "--model",
            nearest_model_path,
            "-q",
        ],
        stderr=subprocess.PIPE,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == b"framelift: stdout: is closed; send it to a pipe or a file\n"


def test_a_closed_standard_input_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)  # as Python has it when it is closed
    with pytest.raises(InputError, match=r"^stdin: is closed; pipe a video into it"):
        PipeReader(parse_source("-"))


def test_bad_input_from_a_pipe_is_one_line(tmp_path: Path, nearest_model_path: Path) -> None:
    cut = y4m(noise(10))[:-100]
    for data in (b"This is no video.\n" * 100, b"", cut):
        done = command("-", tmp_path / "out.mp4", model=nearest_model_path, data=data)
        assert done.returncode == 1, data[:20]
        *notes, line = done.stderr.splitlines()
        assert line.startswith(b"framelift: stdin: ")
        assert all(b"4:4:4 is reduced to 4:2:0" in note for note in notes)
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_pauses_for_too_long(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with PipeReader(parse_source(str(pipe)), idle_seconds=0.1) as reader:
        with pytest.raises(InputError, match=r"pipe: nothing came for 0.1 s"):
            reader.read(10)
        writer = os.open(pipe, os.O_WRONLY)
        os.write(writer, b"abc")
        assert reader.read(10) == b"abc"
        with pytest.raises(InputError, match=r"pipe: nothing came for 0.1 s"):
            reader.read(10)
        os.close(writer)
        assert reader.read(10) == b""


def test_targets_are_checked_first(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot be written to \.avi"):
        upscale_live(parse_source("-"), parse_target(str(tmp_path / "a.avi")), Nearest())
    with pytest.raises(OutputError, match="does not exist; create it first"):
        upscale_live(parse_source("-"), parse_target(str(tmp_path / "no" / "a.mp4")), Nearest())


@pytest.mark.parametrize("suffix", [".webp", ".apng"])
def test_an_animated_image_is_read_from_a_pipe_and_plays_into_one(
    tmp_path: Path, nearest_model_path: Path, suffix: str
) -> None:
    still = [PilImage.fromarray(picture) for picture in noise(3, 32, 24)]
    data = io.BytesIO()
    form, times = {".webp": "WEBP", ".apng": "PNG"}[suffix], [100, 240, 60]
    still[0].save(data, form, save_all=True, append_images=still[1:], duration=times, lossless=True)
    target, source = tmp_path / "out.mkv", tmp_path / f"in{suffix}"
    done = command("-", target, "--codec", "ffv1", model=nearest_model_path, data=data.getvalue())
    assert (done.returncode, done.stderr) == (0, b"")
    assert frame_times(target) == [0, Fraction(1, 10), Fraction(34, 100)]
    source.write_bytes(data.getvalue())
    played = command(source, "-", model=nearest_model_path)
    assert played.returncode == 0
    assert played.stdout.startswith(b"YUV4MPEG2 W128 H96 F15:2 ")
    assert b"uneven times of the source are lost" in played.stderr
    assert played.stdout.count(b"FRAME\n") == 3
    cut = command("-", target, "--overwrite", model=nearest_model_path, data=data.getvalue()[:500])
    assert cut.returncode == 1
    assert cut.stderr.startswith(b"framelift: stdin: ")
    assert cut.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("suffix", "milliseconds", "rate"),
    [(".webp", 100, b"10:1"), (".webp", 0, b"10:1"), (".apng", 40, b"25:1"), (".apng", 0, b"30:1")],
)
def test_an_animated_image_of_an_even_rate_has_it_in_y4m(
    tmp_path: Path, nearest_model_path: Path, suffix: str, milliseconds: int, rate: bytes
) -> None:
    still = [PilImage.fromarray(picture) for picture in noise(60, 8, 8)]
    data, form = io.BytesIO(), {".webp": "WEBP", ".apng": "PNG"}[suffix]
    still[0].save(data, form, save_all=True, append_images=still[1:], duration=milliseconds)
    source, content = tmp_path / f"in{suffix}", data.getvalue()
    if rate == b"30:1":  # which is not of whole milliseconds
        content = re.sub(
            rb"fcTL(.{20}).{4}(..).{4}",
            lambda found: chunk(b"fcTL", found[1] + bytes([0, 1, 0, 30]) + found[2])[4:],
            content,
            flags=re.DOTALL,
        )
    source.write_bytes(content)
    played = command(source, "-", model=nearest_model_path)
    assert played.stdout.startswith(b"YUV4MPEG2 W32 H32 F%s " % rate)
    assert played.stdout.count(b"FRAME\n") == 60
    assert b"y4m" not in played.stderr


def test_an_animated_png_with_a_large_profile_is_read_from_a_pipe(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    still = [PilImage.fromarray(picture) for picture in noise(3, 32, 24)]
    data, profile = io.BytesIO(), np.random.default_rng(1).bytes(100_000)
    still[0].save(
        data, "PNG", save_all=True, append_images=still[1:], duration=100, icc_profile=profile
    )
    assert data.getvalue().index(b"acTL") > 100_000
    target = tmp_path / "out.mkv"
    done = command("-", target, "--codec", "ffv1", model=nearest_model_path, data=data.getvalue())
    assert done.returncode == 0
    assert frame_times(target) == [0, Fraction(1, 10), Fraction(2, 10)]


def test_an_image_sequence_plays_into_a_pipe(tmp_path: Path, nearest_model_path: Path) -> None:
    for number, picture in enumerate(noise(4, 32, 24)):
        cv2.imwrite(str(tmp_path / f"f_{number:03}.png"), picture)
    frames = tmp_path / "f_%03d.png"
    played = command(frames, "-", "--fps", "24000/1001", model=nearest_model_path)
    assert played.returncode == 0
    assert played.stdout.startswith(b"YUV4MPEG2 W128 H96 F24000:1001 ")
    assert played.stdout.count(b"FRAME\n") == 4
    without = command(frames, "-", model=nearest_model_path)
    assert without.returncode != 0
    assert b"the images have no frame rate; name it, such as --fps 25" in without.stderr
    other = command("-", "null", "--fps", "25", model=nearest_model_path)
    assert b"--fps is for an image sequence" in other.stderr
