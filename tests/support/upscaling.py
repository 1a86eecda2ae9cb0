"""`framelift upscale` in this process, and a clip for it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from click.testing import CliRunner, Result

from framelift.cli.upscale.command import upscale
from framelift.common.errors import FrameliftError

ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(upscale, [str(argument) for argument in arguments])


def fail(*arguments: str | Path) -> str:
    """The one line with which the command ends; it must be a user's error."""
    return one_line_of(run(*arguments))


def one_line_of(result: Result) -> str:
    """The line of a user's error, with which a command must have ended."""
    assert isinstance(result.exception, FrameliftError), result.exception
    assert result.exception.exit_code == 1
    message = str(result.exception)
    assert "\n" not in message
    return message


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
