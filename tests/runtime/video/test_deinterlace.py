"""Two fields become one frame or two, pulldown is undone, and fields that begin later are seen."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags

from framelift.common.libraries.pyav import exact, unit_of
from framelift.runtime.video.clip.frame import Frame, Image
from framelift.runtime.video.reading.deinterlace import Deinterlace
from framelift.runtime.video.reading.file_source import FileSource
from framelift.runtime.video.reading.options import ReadOptions
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video

from ...support.clips import Nearest, frame_times

HEIGHT, WIDTH = 64, 96
INTERLACED = Flags.interlaced_dct | Flags.interlaced_me


def picture(moment: float) -> Image:
    """A bar that moves two pixels a moment, over a ramp."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[:] = (np.arange(WIDTH) + 60).astype(np.uint8)[None, :, None]
    left = int(4 + 2 * moment) % (WIDTH - 12)
    image[:, left : left + 10] = 230
    return image


def woven(upper: Image, lower: Image) -> Image:
    both = upper.copy()
    both[1::2] = lower[1::2]
    return both


def write(path: Path, parts: list[tuple[list[Image], bool]], rate: Fraction) -> Path:
    """Code each part as MPEG-2, as interlaced or not, and put them one behind the other."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        begun = 0
        for images, interlaced in parts:
            encoder = av.CodecContext.create("mpeg2video", "w")
            assert isinstance(encoder, av.VideoCodecContext)
            encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            encoder.framerate, encoder.time_base = rate, 1 / rate
            encoder.options = {"q": "2", "qmax": "2", "bf": "0"}
            if interlaced:
                encoder.flags |= INTERLACED
            packets = []
            for index, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                frame = frame.reformat(format="yuv420p")
                frame.pts, frame.time_base = begun + index, 1 / rate
                if interlaced:
                    frame = upper_first(frame)
                packets += encoder.encode(frame)
            for packet in packets + encoder.encode(None):
                packet.stream, packet.time_base = stream, 1 / rate
                container.mux_one(packet)
            begun += len(images)
    return path


def upper_first(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame, marked as two fields of which the upper one is shown first."""
    graph = av.filter.Graph()
    source = graph.add_buffer(None, WIDTH, HEIGHT, frame.format, time_base=frame.time_base)
    mark, sink = graph.add("setfield", "tff"), graph.add("buffersink")
    source.link_to(mark)
    mark.link_to(sink)
    graph.configure()
    graph.push(frame)
    return graph.vpull()


def fields(count: int) -> list[Image]:
    """Frames whose lower field is half a frame later than the upper one."""
    return [woven(picture(2 * i), picture(2 * i + 1)) for i in range(count)]


def telecined(count: int) -> list[Image]:
    """Film of `count` frames, a multiple of 4, in 3:2 pulldown."""
    made: list[Image] = []
    for first in range(0, count, 4):
        a, b, c, d = (picture(2 * (first + i)) for i in range(4))
        made += [a, b, woven(b, c), woven(c, d), d]
    return made


def read(path: Path, mode: Deinterlace, notes: list[str] | None = None) -> list[Frame]:
    say = (notes if notes is not None else []).append
    with FileSource(path, ReadOptions(deinterlace=mode), say=say) as source:
        return list(source)


def combing(image: Image) -> float:
    """How much more every line differs from the next than from the one after that."""
    luma = image[..., 1].astype(int)
    return float(np.abs(luma[2:] + luma[:-2] - 2 * luma[1:-1]).mean())


def test_fields_that_begin_later_are_deinterlaced(tmp_path: Path) -> None:
    rate = Fraction(25)
    calm = [picture(4 * i) for i in range(8)]
    path = write(tmp_path / "a.mkv", [(calm, False), (fields(8), True)], rate)
    with av.open(str(path)) as container:
        combed = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert combing(combed[12].astype(np.uint8)) > 10
    notes: list[str] = []
    frames = read(path, Deinterlace.FRAME, notes)
    assert [frame.pts_seconds for frame in frames] == [Fraction(i, 25) for i in range(16)]
    assert max(combing(frame.bgr) for frame in frames) < 3
    assert notes == ["a.mkv: interlaced from 0.32 s on; each frame is deinterlaced (bwdif)"]


def test_every_field_becomes_a_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", [(fields(25), True)], Fraction(25))
    target = tmp_path / "out.mp4"
    options = ConvertOptions(deinterlace=Deinterlace.FIELD)
    upscale_video(path, target, Nearest(1), None, options, quiet=True, say=lambda _: None)
    assert frame_times(target) == [Fraction(i, 50) for i in range(50)]
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert exact(stream.average_rate) == 50
        assert stream.duration == 1 / unit_of(stream)
    bars = [int(np.argmax(frame.bgr[32, :, 1] > 200)) for frame in read(path, Deinterlace.FIELD)]
    steps = np.diff(bars[2:20])
    assert set(steps.tolist()) <= {1, 2, 3}  # of frames, it would be 0 and 4


def test_pulldown_is_named_and_undone(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    path = write(tmp_path / "film.mp4", [(telecined(60), True)], rate)
    notes: list[str] = []
    assert len(read(path, Deinterlace.FRAME, notes)) == 75
    assert [note for note in notes if "3:2 pulldown" in note and "--deinterlace film" in note]
    frames = read(path, Deinterlace.FILM)
    assert len(frames) == 60
    steps = {b.pts_seconds - a.pts_seconds for a, b in pairwise(frames)}
    assert steps == {Fraction(1001, 24000)}
    for index, frame in enumerate(frames[4:-4], 4):
        difference = frame.bgr.astype(int) - picture(2 * index)
        assert np.abs(difference).mean() < 4, index


def test_plain_interlaced_video_is_not_called_film(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", [(fields(75), True)], Fraction(30000, 1001))
    notes: list[str] = []
    read(path, Deinterlace.FRAME, notes)
    assert notes == ["a.mp4: interlaced; each frame is deinterlaced (bwdif)"]
