"""Transparency of videos: carried where the target can, else named in one line."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.common.errors import InputError, OutputError
from framelift.runtime import Upscaler
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.deep_clips import chart, ffprobe, make_deep_clip, planes_of

_LEFT_OUT = "the alpha channel is left out; --codec prores, ffv1 and vp9 (not in .mp4) keep it"


@pytest.fixture(scope="module")
def upscaler() -> Iterator[Upscaler]:
    with Upscaler.load("realtime-nano-x2", "onnx-cpu") as loaded:
        yield loaded


def _upscale(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    codec: str,
    options: ConvertOptions | None = None,
) -> list[str]:
    notes: list[str] = []
    encoder = EncoderOptions(codec)
    upscale_video(source, target, upscaler, encoder, options, quiet=True, say=notes.append)
    return [note for note in notes if "milliseconds" not in note and "becomes hevc" not in note]


def _clip(path: Path, codec: str, name: str) -> Path:
    """A chart whose alpha is a ramp; what is transparent has other colours."""
    bits = av.VideoFormat(name).components[3].bits
    planes = chart(name.replace("yuva", "yuv").replace("gbrap", "gbrp"))[0]
    white = (1 << bits) - 1
    alpha = np.linspace(0, white, 96).round().astype(planes[0].dtype)[None].repeat(64, 0)
    return make_deep_clip(path, [[*planes, alpha]] * 2, name, codec=codec)


def _alpha(path: Path) -> NDArray[np.float64]:
    """The alpha of the second frame by FFmpeg, from 0 to 1."""
    with av.open(str(path)) as container:
        frame = list(container.decode(video=0))[1]
    bits = frame.format.components[3].bits
    if len(frame.planes) == 1:
        return frame.to_ndarray(format="bgra")[..., 3] / 255
    return planes_of(frame)[3] / ((1 << bits) - 1)


@pytest.mark.parametrize(
    ("source_codec", "name", "codec", "suffix", "stored"),
    [
        ("prores_ks", "yuva444p10le", "prores", ".mov", "yuva444p12le"),  # as FFmpeg decodes it
        ("ffv1", "yuva444p10le", "prores", ".mov", "yuva444p12le"),
        ("ffv1", "yuva420p", "ffv1", ".mkv", "bgra"),
        ("ffv1", "gbrap12le", "ffv1", ".mkv", "gbrap12le"),
        ("ffv1", "yuva420p", "prores", ".mov", "yuva444p12le"),
    ],
)
def test_alpha_is_carried(
    tmp_path: Path,
    upscaler: Upscaler,
    source_codec: str,
    name: str,
    codec: str,
    suffix: str,
    stored: str,
) -> None:
    container = ".mov" if source_codec == "prores_ks" else ".mkv"
    source = _clip(tmp_path / f"a{container}", source_codec, name)
    notes = _upscale(source, tmp_path / f"out{suffix}", upscaler, codec)
    assert not any("alpha" in note for note in notes)
    stream = ffprobe(tmp_path / f"out{suffix}")
    assert (stream["pix_fmt"], stream["width"]) == (stored, 192)
    got = _alpha(tmp_path / f"out{suffix}")
    assert got.shape == (128, 192)
    assert np.abs(got[64, 8:-8] - np.linspace(0, 1, 192)[8:-8]).max() < 0.02


@pytest.mark.parametrize("codec", ["auto", "h264"])
def test_alpha_that_the_target_cannot_hold_is_said(
    tmp_path: Path, upscaler: Upscaler, codec: str
) -> None:
    source = _clip(tmp_path / "a.mkv", "ffv1", "yuva420p")
    assert _upscale(source, tmp_path / "out.mp4", upscaler, codec) == [f"a.mkv: {_LEFT_OUT}"]
    assert ffprobe(tmp_path / "out.mp4")["pix_fmt"] == "yuv420p"


def test_beside_the_input_alpha_is_left_out(tmp_path: Path, upscaler: Upscaler) -> None:
    source = _clip(tmp_path / "a.mkv", "ffv1", "yuva420p")
    options = ConvertOptions(compare=True)
    notes = _upscale(source, tmp_path / "out.mkv", upscaler, "ffv1", options)
    assert notes == ["a.mkv: beside the input, the alpha channel is left out"]
    assert ffprobe(tmp_path / "out.mkv")["pix_fmt"] == "bgr0"


def test_segments_have_alpha(tmp_path: Path, upscaler: Upscaler) -> None:
    source = _clip(tmp_path / "a.mkv", "ffv1", "yuva420p")
    options = ConvertOptions(resume="model", segment_frames=1)
    _upscale(source, tmp_path / "out.mov", upscaler, "prores", options)
    assert (
        np.abs(_alpha(tmp_path / "out.mov")[64, 8:-8] - np.linspace(0, 1, 192)[8:-8]).max() < 0.02
    )


def test_hidden_colours_do_not_leak(tmp_path: Path, upscaler: Upscaler) -> None:
    """White around a dark disc is transparent: its rim stays dark."""
    rows, columns = np.ogrid[:64, :96]
    disc = (rows - 32) ** 2 + (columns - 48) ** 2 < 20**2
    plain = [np.where(disc, np.uint8(40), np.uint8(255)) for _ in range(3)]
    picture = np.dstack([*plain, np.where(disc, np.uint8(255), np.uint8(0))])
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "bgra"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgra")))
        container.mux(stream.encode(None))
    assert _upscale(tmp_path / "a.mkv", tmp_path / "out.mkv", upscaler, "ffv1") == []
    with av.open(str(tmp_path / "out.mkv")) as container:
        made = next(container.decode(video=0)).to_ndarray(format="bgra")
    seen = made[..., 3] > 0
    assert int(made[seen][:, :3].max()) < 60


def _alpha_by_libvpx(path: Path) -> NDArray[np.float64]:
    """That of the second frame of VP9, from 0 to 1."""
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    with av.open(str(path)) as container:
        assert container.streams.video[0].metadata.get("alpha_mode") == "1"
        packets = list(container.demux(video=0))
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    assert isinstance(frames[1], av.VideoFrame)
    return planes_of(frames[1])[3] / 255


@pytest.mark.parametrize(
    ("codec", "suffix", "stored"),
    [("prores", ".mov", "yuva444p12le"), ("ffv1", ".mkv", "bgra"), ("auto", ".webm", "yuv420p")],
)
def test_alpha_of_vp9_is_carried(
    tmp_path: Path, upscaler: Upscaler, codec: str, suffix: str, stored: str
) -> None:
    source, target = _clip(tmp_path / "a.webm", "libvpx-vp9", "yuva420p"), tmp_path / f"o{suffix}"
    assert _upscale(source, target, upscaler, codec) == []
    assert ffprobe(target)["pix_fmt"] == stored
    got = _alpha_by_libvpx(target) if suffix == ".webm" else _alpha(target)
    assert got.shape == (128, 192)
    assert np.abs(got[64, 8:-8] - np.linspace(0, 1, 192)[8:-8]).max() < 0.04


@pytest.mark.parametrize(("name", "codec"), [("yuva444p10le", "ffv1"), ("yuva420p", "ffv1")])
def test_other_alpha_goes_into_webm(
    tmp_path: Path, upscaler: Upscaler, name: str, codec: str
) -> None:
    source, target = _clip(tmp_path / "a.mkv", codec, name), tmp_path / "out.webm"
    notes = _upscale(source, target, upscaler, "auto")
    assert not any("alpha" in note for note in notes)
    assert ffprobe(target)["codec_name"] == "vp9"
    got = _alpha_by_libvpx(target)[64, 8:-8]
    assert np.abs(got - np.linspace(0, 1, 192)[8:-8]).max() < 0.04


def test_alpha_of_odd_sizes_goes_into_webm(tmp_path: Path) -> None:
    source = _clip(tmp_path / "a.mkv", "ffv1", "yuva444p10le")
    with Upscaler.load("realtime-nano-x2", "onnx-cpu") as upscaler:
        encoder, options = EncoderOptions("vp9"), ConvertOptions(factor=Fraction(33, 32))
        upscale_video(source, tmp_path / "o.webm", upscaler, encoder, options, quiet=True)
    assert _alpha_by_libvpx(tmp_path / "o.webm").shape == (66, 100)


def test_vp9_in_mp4_has_no_alpha(tmp_path: Path, upscaler: Upscaler) -> None:
    source = _clip(tmp_path / "a.webm", "libvpx-vp9", "yuva420p")
    assert _upscale(source, tmp_path / "out.mp4", upscaler, "vp9") == [f"a.webm: {_LEFT_OUT}"]
    encoder = EncoderOptions("vp9", pixel_format="yuva420p")
    with pytest.raises(InputError, match=r"cannot be stored as yuva420p in \.mp4"):
        upscale_video(source, tmp_path / "other.mp4", upscaler, encoder, quiet=True)
    options = ConvertOptions(resume="model")
    with pytest.raises(OutputError, match=r"VP9 keeps alpha beside its frames"):
        _upscale(source, tmp_path / "out.webm", upscaler, "vp9", options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.webm", "out.mp4"]


def test_a_target_without_alpha_does_not_state_it(tmp_path: Path, upscaler: Upscaler) -> None:
    source = _clip(tmp_path / "a.webm", "libvpx-vp9", "yuva420p")
    _upscale(source, tmp_path / "out.mkv", upscaler, "h264")
    assert "alpha_mode" not in ffprobe(tmp_path / "out.mkv").get("tags", {})
