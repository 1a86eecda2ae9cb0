"""What an int8 model loses against the float one it was made of, by the frame that loses most.

Both files run in ONNX Runtime unchanged, without what framelift's runtime changes when it loads
them: the verdict is on what everyone gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

import numpy as np
import onnx

from ...imaging.metrics import psnr
from ...imaging.quality import evaluate
from ..parity.comparison import RunFrames, fit, reference_photograph
from ..parity.patterns import flat_primaries, saturated
from ..parity.session import open_session, run_session
from ..parity.sizes import Sizes
from .calibration_frames import Frames, crop_to

VISIBLE_DB = 50.0
"""Beyond this PSNR two 8-bit pictures look alike: what is lost above it does not count."""
MAX_FLAT = 16
"""Code values that a frame of one colour may be off by, anywhere in it, its edges included."""
MIN_SATURATED_DB = 35.0
_SEED = 1  # of squares that the model was not calibrated on


@dataclass(frozen=True)
class Verdict:
    """PSNR are Y-PSNR against originals, of which each counts up to VISIBLE_DB."""

    quality_images: int
    psnr_fp32_db: float  # means over these
    psnr_int8_db: float
    worst_drop_db: float  # over these and the reference photograph
    worst_image: str
    flat_difference: int  # code values between int8 and float
    flat_colour: str
    saturated_db: float  # PSNR between int8 and float, at most VISIBLE_DB

    @property
    def drop_db(self) -> float:
        """How much lower the mean PSNR is."""
        return self.psnr_fp32_db - self.psnr_int8_db

    def record(self) -> dict[str, object]:
        """The numbers, for the metadata."""
        return {**asdict(self), "drop_db": self.drop_db}

    def failure(self, max_drop_db: float) -> str | None:
        """What the model loses too much of, or None."""
        if not self.worst_drop_db <= max_drop_db:
            return (
                f"int8 loses {self.worst_drop_db:.3f} dB on {self.worst_image} (limit "
                f"{max_drop_db:g}; {self.drop_db:.3f} in the mean of {self.quality_images})"
            )
        if self.flat_difference > MAX_FLAT:
            return (
                f"in int8 a frame that is all {self.flat_colour} is {self.flat_difference} codes "
                f"off (limit {MAX_FLAT})"
            )
        if self.saturated_db < MIN_SATURATED_DB:
            return (
                f"in int8, squares of full colours are at {self.saturated_db:.1f} dB (limit "
                f"{MIN_SATURATED_DB:g})"
            )
        return None


def judge(
    fp32: onnx.ModelProto,
    int8: onnx.ModelProto,
    images: Sequence[tuple[str, Frames]],
    scale: int,
    sizes: Sizes,
) -> Verdict:
    """Compare two contract-2 models on originals (`images`: H×W×3, BGR) and on the reference
    photograph, on flat frames and on squares of full colours. `sizes` says what they take.
    """
    run = [_plain(model) for model in (fp32, int8)]
    photograph = crop_to(reference_photograph(), None, scale * sizes.multiple)
    judged = [*images, ("the reference photograph", photograph)]
    scores = [
        [min(score.psnr_db, VISIBLE_DB) for score in evaluate(judged, _single(model), scale).images]
        for model in run
    ]
    drops = [before - after for before, after in zip(*scores, strict=True)]
    worst = int(np.argmax(drops))
    off = {
        colour: _most(*(model(fit(frames, sizes)) for model in run))
        for colour, frames in flat_primaries().items()
    }
    colour = max(off, key=off.__getitem__)
    squares = [model(fit(saturated(_SEED), sizes)) for model in run]
    return Verdict(
        quality_images=len(images),
        psnr_fp32_db=fmean(scores[0][: len(images)]),
        psnr_int8_db=fmean(scores[1][: len(images)]),
        worst_drop_db=drops[worst],
        worst_image=judged[worst][0],
        flat_difference=off[colour],
        flat_colour=colour,
        saturated_db=min(VISIBLE_DB, psnr(squares[0], squares[1])),
    )


def _plain(model: onnx.ModelProto) -> RunFrames:
    session = open_session(model)
    return lambda frames: run_session(session, frames)[0]


def _single(run: RunFrames) -> RunFrames:
    return lambda frame: run(frame[None])[0]


def _most(one: Frames, other: Frames) -> int:
    """The largest difference, code values."""
    return int(np.abs(one.astype(np.int16) - other).max())
