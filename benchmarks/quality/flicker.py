"""Temporal flicker: how much more a model's output changes from frame to frame than its input.

The mean absolute difference of successive frames, in 8-bit codes, over whole frames and where
nothing moves. Where nothing moves there is nothing to follow, and what changes is flicker: Gupta et
al. 2017, "Characterizing and improving stability in neural style transfer", show that feed-forward
styles turn invisible noise into visible changes there, the more the larger the trace of the style's
Gram matrix. Other measures (Ruder et al. 2016, "Artistic style transfer for videos"; Lai et al.
2018, "Learning blind video temporal consistency") warp along an optical flow, and so also measure
the flow; this one needs none, and says nothing about what moves.

A pixel is static between two frames when no value of its surroundings, that many pixels around it,
changes by more than `still` codes after a blur that takes sensor noise out. What is static in the
input is static in the output, whatever the scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ...common.libraries.opencv import load_cv2
from ...common.notes import silent
from ...runtime.video.reading.file_source import FileSource
from ..machine.facts import describe_machine
from ..report.documents import Flicker
from ..report.model import new_document
from ..report.quality_results import Change, FlickerResults, MeanChange
from ..shared.settings import ANYWHERE, Placement, require_frames, require_least

ImageU8 = NDArray[np.uint8]

STILL = 3
"""Codes: the largest change of a blurred value that is taken for noise."""
AROUND = 8
"""Pixels: the surroundings that must not change, either, since networks look at them."""
_BLUR = 1.5  # σ, pixels
_LEAST_STATIC = 0.01  # of the frame; less is too little to draw conclusions from
_MIN_FRAMES = 3


def measure_flicker(
    model: str | Path,
    clip: Path,
    frames: int = 60,
    placement: Placement = ANYWHERE,
    progress: Callable[[int, int], None] | None = None,
) -> Flicker:
    """Run a model on the first `frames` frames of a video and compare how both change.

    `progress` is called with (done, total) after each frame. Raises ConfigError for fewer than 3
    frames, asked for or there, InputError, ModelError, BackendError.
    """
    require_least("frames", frames, _MIN_FRAMES)
    machine = describe_machine()
    times_ms: list[float] = []
    with (
        placement.load(model) as upscaler,
        FileSource(clip, say=silent) as source,
    ):

        def both() -> Iterator[tuple[ImageU8, ImageU8]]:
            for frame in islice(source, frames):
                started = perf_counter()
                output = upscaler(frame.bgr)
                times_ms.append((perf_counter() - started) * 1000)
                if progress is not None:
                    progress(len(times_ms), frames)
                yield frame.bgr, output

        pairs = [change_between(before, after) for before, after in pairwise(both())]
        require_frames(clip, len(times_ms), _MIN_FRAMES)
        mean = mean_of(pairs)
        warnings = [] if mean.static_share >= _LEAST_STATIC else [_nothing_static(mean)]
        settings = {
            "file": clip.name,
            "frames": len(times_ms),
            "backend": placement.backend,
            "still_codes": STILL,
            "surroundings_px": AROUND,
        }
        results = FlickerResults(
            pairs=pairs,
            mean=mean,
            # The first call warms up.
            seconds_per_frame=median(times_ms[1:]) / 1000,
        )
        return new_document(Flicker, machine, settings, results, warnings, upscaler)


def change(before: ImageU8, after: ImageU8) -> NDArray[np.float32]:
    """H×W: the absolute difference of two H×W×3 frames in codes, mean of the channels."""
    difference: NDArray[np.float32] = load_cv2().absdiff(before, after).mean(2, dtype=np.float32)
    return difference


def static_mask(before: ImageU8, after: ImageU8) -> NDArray[np.bool_]:
    """H×W, true where nothing moves between two H×W×3 frames; see the module docstring."""
    cv2 = load_cv2()
    smooth = [cv2.GaussianBlur(frame, (0, 0), _BLUR) for frame in (before, after)]
    moved = (cv2.absdiff(*smooth).max(2) > STILL).astype(np.uint8)
    around = np.ones((2 * AROUND + 1, 2 * AROUND + 1), np.uint8)
    mask: NDArray[np.bool_] = cv2.dilate(moved, around) == 0
    return mask


def mean_of(pairs: list[Change]) -> MeanChange:
    """The mean of each value over the pairs, each pair's static regions weighted by their area."""
    area = math.fsum(pair.static_share for pair in pairs)

    def of_static(values: list[float | None]) -> float | None:
        weighted = (
            (value or 0.0) * pair.static_share for value, pair in zip(values, pairs, strict=True)
        )
        return math.fsum(weighted) / area if area else None

    static_input = of_static([pair.static_input for pair in pairs])
    static_output = of_static([pair.static_output for pair in pairs])
    whole_input, whole_output = (
        math.fsum(values) / len(pairs)
        for values in zip(*((pair.input, pair.output) for pair in pairs), strict=True)
    )
    return MeanChange(
        input=whole_input,
        output=whole_output,
        static_share=area / len(pairs),
        static_input=static_input,
        static_output=static_output,
        ratio=ratio(whole_output, whole_input),
        static_ratio=ratio(static_output, static_input),
    )


def ratio(output: float | None, given: float | None) -> float | None:
    """How many times more the output changes; None if the input does not change at all."""
    return output / given if given and output is not None else None


def change_between(before: tuple[ImageU8, ImageU8], after: tuple[ImageU8, ImageU8]) -> Change:
    """How much one pair of (input, output) changes; without a static region its values are None."""
    given, made = (change(old, new) for old, new in zip(before, after, strict=True))
    mask = static_mask(before[0], after[0])
    scale = made.shape[0] // given.shape[0]
    big = np.repeat(np.repeat(mask, scale, 0), scale, 1)
    return Change(
        input=float(given.mean()),
        output=float(made.mean()),
        static_share=float(mask.mean()),
        static_input=_mean_at(given, mask),
        static_output=_mean_at(made, big),
    )


def _mean_at(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> float | None:
    return float(values[mask].mean()) if mask.any() else None


def _nothing_static(mean: MeanChange) -> str:
    return (
        f"only {mean.static_share:.1%} of the clip is static: its static figures say little; "
        "measure a clip of a camera that does not move"
    )
