"""What is checked of an upload, and that nothing large is decoded for it."""

from __future__ import annotations

import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from framelift.runtime.video.clip.fit import Fit
from framelift.serve.jobs.checks import Facts, LimitError, check_upload
from framelift.serve.jobs.settings import Limits

from ..support.clips import make_clip, noise


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "libx264"),
        (".mkv", "libx265"),
        (".ts", "mpeg2video"),
        (".avi", "mjpeg"),
        (".mkv", "ffv1"),
        (".webm", "libvpx-vp9"),
        (".mov", "prores_ks"),
        (".mpg", "mpeg2video"),
    ],
)
def test_facts_of_videos(tmp_path: Path, suffix: str, codec: str) -> None:
    pixels = {"prores_ks": "yuv422p10le", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
    pts, base = list(range(10)), Fraction(1, 25)
    clip = make_clip(
        tmp_path / f"clip{suffix}",
        noise(10, 96, 64),
        pts=pts,
        time_base=base,
        rate=Fraction(25),
        codec=codec,
        pixel_format=pixels,
    )
    facts = check_upload(clip, Limits(), None)
    assert facts is not None
    assert (facts.width, facts.height, facts.frames) == (96, 64, 10)
    assert facts.seconds == pytest.approx(9 / 25, abs=0.05)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_a_clip_that_begins_late_is_not_long(tmp_path: Path, suffix: str) -> None:
    pts = [3600 * 25 + index for index in range(10)]
    clip = make_clip(
        tmp_path / f"clip{suffix}",
        noise(10),
        pts=pts,
        time_base=Fraction(1, 25),
        rate=Fraction(25),
        codec="mpeg2video",
        container_options={"avoid_negative_ts": "disabled"},
    )
    facts = check_upload(clip, Limits(seconds=2), None)
    assert facts is not None
    assert facts.frames == 10
    with pytest.raises(LimitError, match=r"longer than 0\.3 s"):
        check_upload(clip, Limits(seconds=0.3), None)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".bmp", ".ppm"])
def test_facts_of_images(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image{suffix}"
    cv2.imwrite(str(path), np.zeros((30, 50, 3), np.uint8))
    assert check_upload(path, Limits(), None) == Facts(50, 30)


def test_a_size_is_of_the_upright_picture(tmp_path: Path) -> None:
    """Turned upright by its EXIF, 800×20 becomes 20×800, and 640 wide 25,600 high."""
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (800, 20)).save(path, exif=exif)
    limits = Limits(pixels=20_000)
    assert check_upload(path, limits, Fit(16, None)) is not None
    with pytest.raises(LimitError, match="this server's limit"):
        check_upload(path, limits, Fit(640, None))


@pytest.mark.parametrize("suffix", [".webp", ".apng"])
def test_an_animation_has_the_limit_of_frames(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"animation{suffix}"
    first, *others = (Image.fromarray(frame) for frame in noise(12))
    first.save(path, format={".apng": "PNG"}.get(suffix), save_all=True, append_images=others)
    assert check_upload(path, Limits(frames=12), None) == Facts(64, 48)
    with pytest.raises(LimitError, match="more than 11 frames"):
        check_upload(path, Limits(frames=11), None)


def test_frames_are_counted_where_no_header_states_them(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.h264", noise(20))
    assert check_upload(clip, Limits(frames=20), None) is not None
    with pytest.raises(LimitError, match="more than 19 frames"):
        check_upload(clip, Limits(frames=19), None)


def test_a_short_duration_in_the_header_hides_no_frames(tmp_path: Path) -> None:
    """Of Matroska the header's duration is a number that anyone can write."""
    clip = make_clip(tmp_path / "clip.mkv", noise(30))
    data = bytearray(clip.read_bytes())
    place = data.index(b"\x44\x89\x88") + 3  # Duration, a float of eight bytes, in ms
    (stated,) = struct.unpack(">d", data[place : place + 8])
    assert stated == pytest.approx(1001, abs=40)
    data[place : place + 8] = struct.pack(">d", 1.0)
    clip.write_bytes(data)
    with pytest.raises(LimitError, match=r"is longer than 0\.5 s"):
        check_upload(clip, Limits(seconds=0.5), None)


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory in kB, as Linux tells it")
def test_a_frame_over_the_limit_is_not_decoded(tmp_path: Path) -> None:
    """Opening a file decodes a frame of it, which here would take some 100 MB."""
    path = tmp_path / "huge.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 6144
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame(6144, 6144, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts = 0
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    code = (
        "import av, sys\n"
        "from pathlib import Path\n"
        "from framelift.serve.jobs.checks import LimitError, check_upload\n"
        "from framelift.serve.jobs.settings import Limits\n"
        "def most_kb():  # ru_maxrss would count what the process was that started this one\n"
        "    status = Path('/proc/self/status').read_text()\n"
        "    return int(status.partition('VmHWM:')[2].split()[0])\n"
        "before = most_kb()\n"
        "try:\n"
        "    check_upload(Path(sys.argv[1]), Limits(pixels=1_000_000), None)\n"
        "except LimitError as error:\n"
        "    print(most_kb() - before, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    taken, _, line = done.stdout.partition(" ")
    assert "6144×6144 are 37,748,736 pixels; this server's limit is 1,000,000" in line
    assert int(taken) < 50_000
