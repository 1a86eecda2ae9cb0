"""Render a short clip from a photograph, upscale it ×4 and show the result beside bicubic.

Writes into demo/: input.mp4 (240×136), upscaled.mp4 (960×544) and side-by-side.png.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from framelift.imaging.metrics import psnr
from framelift.imaging.resize import imresize
from framelift.runtime import Upscaler
from framelift.runtime.video.whole_file import upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

MODEL = "realtime-small-x4"
SCALE = 4
WIDTH, HEIGHT = 960, 544
FRAMES, FPS = 75, 25
EXAMPLES = Path(__file__).parent
OUT = EXAMPLES.parent / "demo"

Image = NDArray[np.uint8]


def camera(photo: Image, step: int) -> Image:
    """The view of one frame: the camera moves slowly, by fractions of a pixel."""
    progress = step / (FRAMES - 1)
    left = progress * (photo.shape[1] - WIDTH)
    top = (1 - progress) * (photo.shape[0] - HEIGHT)
    shift = np.array([[1, 0, -left], [0, 1, -top]])
    view = cv2.warpAffine(photo, shift, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
    return view.astype(np.uint8, copy=False)


def write_clip(path: Path, frames: list[Image]) -> None:
    """Encode BGR frames as H.264 of high quality."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", FPS, options={"crf": "8"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in frames:
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def frame_of(path: Path, index: int) -> Image:
    """One frame of a clip, as OpenCV reads it."""
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_POS_FRAMES, index)
    read, frame = capture.read()
    capture.release()
    if not read:
        raise SystemExit(f"{path}: frame {index} cannot be read")
    return frame.astype(np.uint8, copy=False)


def captioned(image: Image, text: str) -> Image:
    """A copy with a caption in a corner."""
    marked = image.copy()
    cv2.rectangle(marked, (0, 0), (12 * len(text) + 16, 34), (0, 0, 0), -1)
    cv2.putText(
        marked, text, (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.65, (255, 255, 255), 1, cv2.LINE_AA
    )
    return marked


def main() -> None:
    """Run the demonstration."""
    OUT.mkdir(exist_ok=True)
    decoded = cv2.imread(str(EXAMPLES / "raccoon.jpg"))
    assert decoded is not None
    photo = decoded.astype(np.uint8, copy=False)
    source, target = OUT / "input.mp4", OUT / "upscaled.mp4"
    originals = [camera(photo, step) for step in range(FRAMES)]
    write_clip(source, [imresize(image, Fraction(1, SCALE)) for image in originals])

    with Upscaler.load(MODEL) as upscaler:
        print(upscaler.selection)
        options = EncoderOptions(preset="veryfast")
        result = upscale_video(source, target, upscaler, options, overwrite=True)
        small = frame_of(source, FRAMES // 2)
        sharp = upscaler(small)
    bicubic = imresize(small, SCALE)
    window = np.s_[HEIGHT // 6 : HEIGHT // 6 + 400, 330:730]
    pair = captioned(bicubic[window], "bicubic"), captioned(sharp[window], "framelift")
    cv2.imwrite(str(OUT / "side-by-side.png"), np.hstack(pair))

    original = originals[FRAMES // 2]
    print(f"{source.name} {WIDTH // SCALE}×{HEIGHT // SCALE} -> {target.name} {WIDTH}×{HEIGHT}:")
    print(f"{FRAMES} frames, {result.stats.fps:.1f} fps with decoding and encoding")
    print(
        f"PSNR of the middle frame: bicubic {psnr(bicubic, original):.2f} dB, "
        f"framelift {psnr(sharp, original):.2f} dB"
    )
    print(f"look at {OUT / 'side-by-side.png'}")


if __name__ == "__main__":
    main()
