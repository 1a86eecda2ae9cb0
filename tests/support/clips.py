"""Small clips made on the spot."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np

from framelift.common.libraries.pyav import open_to_read
from framelift.runtime.video.clip.frame import Image

if TYPE_CHECKING:
    from av.container.core import Chapter

BARS_BGR = (
    (191, 191, 191),
    (0, 191, 191),
    (191, 191, 0),
    (0, 191, 0),
    (191, 0, 191),
    (0, 0, 191),
    (191, 0, 0),
    (16, 16, 16),
)


class Nearest:
    """A callable like an `Upscaler` that repeats pixels."""

    def __init__(self, scale: int = 2) -> None:
        self.scale = scale
        self.calls = 0

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        self.calls += 1
        big = np.repeat(np.repeat(frame, self.scale, 0), self.scale, 1)
        if out is None:
            return big
        out[...] = big
        return out


def colour_bars(width: int = 128, height: int = 48) -> Image:
    """Eight vertical bars of equal width, uint8 BGR."""
    return np.repeat(
        np.repeat(np.array([BARS_BGR], np.uint8), height, 0), width // len(BARS_BGR), 1
    )


def noise(count: int, width: int = 64, height: int = 48) -> list[Image]:
    """Smooth random pictures, all different."""
    rng = np.random.default_rng(0)
    small = rng.integers(20, 230, (count, height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return [np.repeat(np.repeat(p, 8, 0), 8, 1)[:height, :width].copy() for p in small]


def make_clip(
    path: Path,
    images: list[Image] | None = None,
    *,
    pts: list[int] | None = None,
    time_base: Fraction = Fraction(1, 30000),
    rate: Fraction = Fraction(30000, 1001),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    colour: tuple[int, int, int, int] = (2, 0, 2, 2),
    sample_aspect_ratio: Fraction | None = None,
    display_matrix: list[int] | None = None,
    audio: str | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    interlaced: bool = False,
) -> Path:
    """Write a clip; `colour` is matrix, range, primaries, transfer."""
    images = noise(12) if images is None else images
    pts = [i * 1001 for i in range(len(images))] if pts is None else pts
    height, width = images[0].shape[:2]
    matrix, range_, primaries, transfer = colour
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        context = stream.codec_context
        context.time_base = time_base
        context.colorspace, context.color_range = matrix, range_
        context.color_primaries, context.color_trc = primaries, transfer
        if sample_aspect_ratio is not None:
            context.sample_aspect_ratio = sample_aspect_ratio
        if display_matrix is not None:
            stream.set_display_matrix(display_matrix)
        if interlaced:
            stream.options.update({"x264-params": "tff=1"})
            context.flags |= 1 << 18  # AV_CODEC_FLAG_INTERLACED_DCT
        sound = container.add_stream(audio, rate=48000) if audio else None
        if isinstance(sound, av.AudioStream):
            sound.layout = "mono"
        swscale = {1: 1, 9: 9}.get(matrix, 5)
        for image, stamp in zip(images, pts, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            if pixel_format.startswith("yuv"):
                frame = frame.reformat(
                    format=pixel_format,
                    src_colorspace=swscale,
                    dst_colorspace=swscale,
                    src_color_range=2,
                    dst_color_range=range_ or 1,
                    interpolation=4 | 0x40000 | 0x4000 | 0x2000,
                )
            else:
                frame = frame.reformat(format=pixel_format)
            frame.pts, frame.time_base = stamp, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if isinstance(sound, av.AudioStream):
            _add_tone(container, sound, float(pts[-1] * time_base) + 1 / 30)
    return path


def _add_tone(
    container: av.container.OutputContainer, stream: av.AudioStream, seconds: float
) -> None:
    samples = np.arange(int(48000 * seconds))
    tone = (8000 * np.sin(samples * 0.05)).astype(np.int16)[None]
    for start in range(0, tone.shape[1], 960):
        frame = av.AudioFrame.from_ndarray(tone[:, start : start + 960], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def frame_times(path: Path) -> list[Fraction]:
    """The exact presentation times of the video frames, in seconds."""
    with open_to_read(str(path)) as container:
        return [
            (frame.pts or 0) * (frame.time_base or Fraction(0))
            for frame in container.decode(container.streams.video[0])
        ]


def audio_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    """Time and content of every audio packet."""
    with open_to_read(str(path)) as container:
        return [
            ((packet.pts or 0) * packet.time_base, bytes(packet))
            for packet in container.demux(container.streams.audio[0])
            if packet.size
        ]


def chapter(number: int, start: int, end: int, title: str) -> Chapter:
    """A chapter for `set_chapters`, its times in milliseconds."""
    times = {"start": start, "end": end, "time_base": Fraction(1, 1000)}
    return cast("Chapter", {"id": number, **times, "metadata": {"title": title}})
