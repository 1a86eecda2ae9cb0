"""From file to file: what a clip takes with no sink, NVENC where it works, and software.

python -m hardware.parts.video CLIP [--dry-run]
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from framelift.benchmarks.speed.video import NULL, measure_video
from framelift.common.errors import FrameliftError
from framelift.imaging.resize import imresize
from framelift.runtime.video.writing.encoders import EncoderOptions

from .. import results
from ..plan import ROOT

_MODEL, _SCALE, _FPS = "realtime-small-x4", 4, 30
_SIZE, _FRAMES = (960, 540), 96
_SMALL_SIZE, _FEW_FRAMES = (64, 48), 12
_CODECS = ("h264-nvenc", "hevc-nvenc", "h264")


def main(clip: Path, dry_run: bool) -> int:
    """Measure each codec; one that cannot run is a row that says why."""
    size, frames = (_SMALL_SIZE, _FEW_FRAMES) if dry_run else (_SIZE, _FRAMES)
    _write_clip(clip, *size, frames)
    measured = 0
    for codec in _CODECS:
        options = EncoderOptions(codec)
        try:
            options.check_available()
            document = measure_video(_MODEL, clip, options, frames, rounds=1)
        except FrameliftError as error:
            results.add(
                "run", model=_MODEL, backend="", sink=codec, fps=None, share=None, note=str(error)
            )
            continue
        measured += 1
        backend = document.runtime["backend"]
        for sink, run in document.results.runs.items():
            if sink != NULL or measured == 1:
                results.add(
                    "run",
                    model=_MODEL,
                    backend=backend,
                    sink=sink,
                    fps=run.fps,
                    share=run.share_of_inference_rate,
                    size=f"{size[0]}×{size[1]}",
                    bottleneck=run.bottleneck,
                    note="",
                )
    return 0 if measured else 1


def _write_clip(path: Path, width: int, height: int, frames: int) -> None:
    """A camera that moves over a photograph, in H.264 of high quality."""
    decoded = cv2.imread(str(ROOT / "examples" / "raccoon.jpg"))
    assert decoded is not None
    photo = decoded.astype(np.uint8, copy=False)
    large = imresize(photo, Fraction(max(1, -(-2 * width // photo.shape[1]))))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", _FPS, options={"crf": "12", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            progress = index / max(1, frames - 1)
            left = progress * (large.shape[1] - width)
            top = (1 - progress) * max(0, large.shape[0] - height)
            shift = np.array([[1, 0, -left], [0, 1, -top]])
            view = cv2.warpAffine(large, shift, (width, height), flags=cv2.INTER_LINEAR)
            frame = av.VideoFrame.from_ndarray(view.astype(np.uint8, copy=False), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "--dry-run" in sys.argv[2:]))
