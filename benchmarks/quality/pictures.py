"""Pictures for a page: photographs shrunk, or frames of a video as they are, enlarged twice."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from ...common.libraries.opencv import load_cv2
from ...common.notes import silent
from ...imaging.quality import ImageU8, as_bgr, bicubic, crop_to_multiple, shrink
from ...runtime.video.reading.file_source import FileSource
from ..machine.facts import describe_machine
from ..report.documents import Pictures
from ..report.model import new_document
from ..report.quality_results import Picture, PicturesResults
from ..shared.settings import ANYWHERE, Placement
from .scores import originals, read_original

_MAX_WIDTH, _MAX_HEIGHT = 960, 540
_JPEG_QUALITY = 88
_PHOTOGRAPHS = 2
# The first frames of a video may be black.
_FRAME = 20


def make_pictures(
    model: str | Path,
    folders: Sequence[Path] = (),
    video: Path | None = None,
    placement: Placement = ANYWHERE,
) -> Pictures:
    """Enlarge by bicubic and by `model`: the first two photographs of each folder, shrunk before,
    and a frame of `video` as it is. The middle, at most 960×540, as data URIs `before` and `after`.

    Raises InputError, ModelError, BackendError, MissingDependencyError.
    """
    machine = describe_machine()
    with placement.load(model) as upscaler:
        scale, pictures = upscaler.scale, []
        for name, small in _inputs(folders, video, scale):
            after = upscaler(small)
            height, width = after.shape[:2]
            before = data_uri(bicubic(scale)(small))
            pictures.append(Picture(name, width, height, before, data_uri(after)))
        settings = {"files": [picture.name for picture in pictures], "backend": placement.backend}
        return new_document(Pictures, machine, settings, PicturesResults(pictures), [], upscaler)


def data_uri(image: ImageU8) -> str:
    """A JPEG of a uint8 BGR image, with colour at full resolution, for an <img>."""
    cv2 = load_cv2()
    parameters = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    parameters += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, data = cv2.imencode(".jpg", image, parameters)
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _inputs(
    folders: Sequence[Path], video: Path | None, scale: int
) -> Iterator[tuple[str, ImageU8]]:
    for folder in folders:
        for path in originals(folder)[:_PHOTOGRAPHS]:
            image = _middle(as_bgr(read_original(path)), _MAX_WIDTH, _MAX_HEIGHT)
            yield path.stem, shrink(crop_to_multiple(image, scale), scale)
    if video is not None:
        with FileSource(video, say=silent) as source:
            *_, frame = islice(source, _FRAME)
        small = _middle(frame.bgr, _MAX_WIDTH // scale, _MAX_HEIGHT // scale)
        yield f"frame of {video.name}", np.ascontiguousarray(small)


def _middle(image: ImageU8, max_width: int, max_height: int) -> ImageU8:
    height, width = image.shape[:2]
    top, left = max(0, (height - max_height) // 2), max(0, (width - max_width) // 2)
    return image[top : top + max_height, left : left + max_width]
