"""A camera, by OpenCV, which knows those of every system."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from ....common.errors import InputError
from ....common.libraries.opencv import load_cv2, quiet_cv2
from ...video.clip.colour_tags import complete_colour
from ...video.clip.frame import ClipFacts, Image
from ...video.clip.pool import FramePool
from .address import Source
from .clock import TIME_BASE
from .network import TakeSound


class CameraConnection:
    """See `connection.Connection`. Frames count from when they arrive.

    A camera that stops is noticed by OpenCV's own limit, ten seconds under Linux.
    """

    def __init__(self, source: Source, pool: FramePool) -> None:
        """Open the camera and take a first picture.

        Raises:
            InputError: there is no such camera, it is in use, or it gives no picture.
        """
        cv2 = load_cv2()
        self._shown = source.shown
        self._pool = pool
        with quiet_cv2(cv2):
            self._capture = cv2.VideoCapture(int(source.text))
        if not self._capture.isOpened():
            raise InputError(f"{source.shown}: cannot be opened{_hint()}")
        # Only the newest picture is used, not a queue of old ones.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        done, image = self._capture.read()
        if not done:
            self.close()
            raise InputError(f"{source.shown}: returns no picture; is another program using it?")
        self._first: Image = image
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        height, width = image.shape[:2]
        self.facts = ClipFacts(
            width_px=width,
            height_px=height,
            time_base=TIME_BASE,
            average_rate=Fraction(rate).limit_denominator(1001) if rate > 0 else None,
            sample_aspect_ratio=Fraction(1),
            colour=complete_colour(lines=height, is_rgb=True),
        )

    def frames(self, on_sound: TakeSound | None = None) -> Iterator[tuple[Image, float | None]]:
        yield self._first, None
        shape = self._first.shape
        while True:
            done, image = self._capture.read(self._pool.take(shape))
            if not done:
                raise InputError(f"{self._shown}: stopped sending pictures")
            shape = image.shape
            yield image, None

    def close(self) -> None:
        self._capture.release()


def _hint() -> str:
    found = sorted(path.name for path in Path("/dev").glob("video[0-9]*"))
    return (
        f"; there is {', '.join('/dev/' + name for name in found)}"
        if found
        else ("; the system shows no camera")
    )
