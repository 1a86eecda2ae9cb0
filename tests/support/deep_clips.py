"""Clips of more than 8 bits, made by FFmpeg's own encoders, and what ffprobe says of a file."""

from __future__ import annotations

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.runtime import Upscaler
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

Codes = NDArray[np.uint16]

COLOURS = {"sdr": (1, 1, 1), "pq": (9, 9, 16), "hlg": (9, 9, 18)}
"""Matrix, primaries and transfer of H.273."""
MASTERING = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
LIGHT = "1000,400"
STATIC_HDR = f"hdr10=1:master-display={MASTERING}:max-cll={LIGHT}"
_TAGS = {
    "sdr": ("bt709", "bt709", "bt709"),
    "pq": ("bt2020nc", "bt2020", "smpte2084"),
    "hlg": ("bt2020nc", "bt2020", "arib-std-b67"),
}


def make_deep_clip(
    path: Path,
    planes: list[list[NDArray[Any]]],
    pixel_format: str,
    *,
    kind: str = "sdr",
    range_: int = 1,
    codec: str = "libx265",
    parameters: str = "",
    tags: tuple[int, int, int] | None = None,
) -> Path:
    """Write frames that are given as planes of codes; nothing is converted."""
    height, width = planes[0][0].shape
    matrix, primaries, transfer = COLOURS[kind] if tags is None else tags
    lossless = {"libx265": "lossless=1:bframes=0:log-level=none", "libx264": "qp=0"}.get(codec, "")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        if codec in ("libx265", "libx264"):
            joined = ":".join(part for part in (lossless, parameters) if part)
            stream.options = {codec.removeprefix("lib") + "-params": joined, "preset": "ultrafast"}
        context = stream.codec_context
        context.colorspace, context.color_range = matrix, range_
        context.color_primaries, context.color_trc = primaries, transfer
        for number, parts in enumerate(planes):
            frame = av.VideoFrame(width, height, pixel_format)
            for plane, codes in zip(frame.planes, parts, strict=True):
                fill(plane, codes)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            frame.color_primaries, frame.color_trc = primaries, transfer
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def fill(plane: Any, codes: NDArray[Any]) -> None:  # noqa: ANN401 - a plane of PyAV
    """Write codes into a plane."""
    rows = np.frombuffer(memoryview(plane), codes.dtype).reshape(plane.height, -1)
    rows[:, : codes.shape[1]] = codes


def read_planes(path: Path) -> list[list[Codes]]:
    """The codes of every frame as they are stored."""
    with av.open(str(path)) as container:
        return [planes_of(frame) for frame in container.decode(video=0)]


def planes_of(frame: av.VideoFrame) -> list[Codes]:
    """The codes of a frame."""
    found = []
    for number, plane in enumerate(frame.planes):
        dtype = np.uint16 if frame.format.components[number].bits > 8 else np.uint8
        rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
        found.append(rows[:, : plane.width].astype(np.uint16))
    return found


def chart(pixel_format: str, width: int = 96, height: int = 64) -> list[list[NDArray[Any]]]:
    """Two frames: a ramp of luma above, six flat patches of colour below."""
    format_ = av.VideoFormat(pixel_format, width, height)
    bits = format_.components[0].bits
    dtype = np.uint16 if bits > 8 else np.uint8
    step = 1 << (bits - 8)
    luma = np.full((height, width), 126 * step, dtype)
    luma[: height // 2] = np.linspace(40 * step, 210 * step, width).round()
    if len(format_.components) == 1:
        return [[luma]] * 2
    across, down = format_.chroma_width(width), format_.chroma_height(height)
    chroma = [np.full((down, across), 128 * step, dtype) for _ in range(2)]
    patches = ((118, 140), (140, 118), (122, 122), (135, 135), (110, 128), (128, 146))
    for number, values in enumerate(patches):
        columns = slice(number * across // 6, (number + 1) * across // 6)
        for plane, value in zip(chroma, values, strict=True):
            plane[down // 2 :, columns] = value * step
    return [[luma, *chroma]] * 2


def ffprobe(path: Path) -> dict[str, Any]:
    """What ffprobe says of the first video stream, with its first frame's "side_data_list"."""
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_streams", "-show_frames"]
    done = subprocess.run(
        [*command, "-read_intervals", "%+#1", "-of", "json", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(done.stdout)
    (stream,) = document["streams"]
    stream["side_data"] = document["frames"][0].get("side_data_list", [])
    return dict(stream)


def tags_of(kind: str) -> dict[str, str]:
    """What ffprobe says of a clip of that kind."""
    space, primaries, transfer = _TAGS[kind]
    return {"color_space": space, "color_primaries": primaries, "color_transfer": transfer}


FAST = EncoderOptions(preset="ultrafast")


def upscale_quietly(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    encoder: EncoderOptions = FAST,
    options: ConvertOptions | None = None,
) -> list[str]:
    """Upscale a video and return the notes, but the one on whole milliseconds."""
    notes: list[str] = []
    upscale_video(source, target, upscaler, encoder, options, quiet=True, say=notes.append)
    return [note for note in notes if "whole milliseconds" not in note]
