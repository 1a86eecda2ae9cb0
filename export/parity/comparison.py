"""How near what two implementations make of the same frames is, and the limits for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray

from ...common.errors import ExportError
from ...imaging.metrics import psnr
from .patterns import flat, saturated
from .session import open_session, run_session
from .sizes import Sizes

Frames = NDArray[Any]
"""uint8, or uint16 of the full range."""
RunFrames = Callable[[Frames], Frames]

REFERENCE = Path(__file__).parent / "reference.png"

MAX_OFF_SHARE = 1e-3
"""Share of values that may be off by more than one code value (design invariant 1, fp32)."""
FP16_MIN_PSNR_DB = 50.0
ALLOWED = {8: 1, 16: 16}
"""Code values that a value may be off, by the depth of the frames; 16 is one of 12 bits."""


@dataclass(frozen=True)
class Parity:
    """How far an exported model is from its PyTorch network on one batch of frames."""

    frames: str  # what the frames show, as `reference_frames` names them
    shape: tuple[int, ...]  # N, H, W, 3
    max_difference: int  # code values
    off_share: float  # share of values off by more than is allowed at this depth
    psnr_db: float | None  # None when equal everywhere
    depth: int = 8

    def label(self) -> str:
        """Kind and shape of the frames, N×H×W."""
        return f"{self.frames} {'×'.join(map(str, self.shape[:3]))}"

    @property
    def allowed(self) -> int:
        """How many code values a value may be off."""
        return ALLOWED[self.depth]

    def record(self) -> dict[str, float | None]:
        """The numbers, for the metadata."""
        return {
            "max_difference": self.max_difference,
            "off_share": self.off_share,
            "psnr_db": self.psnr_db,
        }

    def failure(self, precision: str) -> str | None:
        """What breaks the precision's limit, or None. int8 is judged by quality, not here."""
        numbers = (
            f"{self.off_share:.3%} of values are off by more than {self.allowed}, at most by "
            f"{self.max_difference}, PSNR {self.psnr_db} dB"
        )
        if precision == "fp32" and self.off_share > MAX_OFF_SHARE:
            return f"{numbers} (limit {MAX_OFF_SHARE:.1%} of values)"
        if precision == "fp16" and self.psnr_db is not None and self.psnr_db < FP16_MIN_PSNR_DB:
            return f"{numbers} (limit {FP16_MIN_PSNR_DB:.0f} dB)"
        return None


def reference_frames(sizes: Sizes | None = None) -> list[tuple[str, Frames]]:
    """A photograph, uniform noise, white, black and saturated squares in sizes the model takes.

    Where nothing is fixed: five shapes, with odd sizes and more than one frame.
    """
    sizes = sizes or Sizes()
    image = reference_photograph()
    noise = np.random.default_rng(0).integers(0, 256, (2, 33, 47, 3), np.uint8)
    batches = [
        ("photograph", image[None]),
        ("photograph", image[None, 40:105, 60:131]),
        ("photograph", np.stack((image[:64, :48], image[64:128, 48:96], image[99:163, 99:147]))),
        ("noise", noise),
        ("white", flat(255)),
        ("black", flat(0)),
        ("saturated", saturated()),
    ]
    fitted = [(name, fit(frames, sizes)) for name, frames in batches]
    # Fixed sizes make some of them alike.
    return list({(name, frames.shape): (name, frames) for name, frames in fitted}.values())


def deep_reference_frames(sizes: Sizes | None = None) -> list[tuple[str, Frames]]:
    """The same as uint16, with levels between those of 8 bits, and a ramp of all 65,536 levels."""
    sizes = sizes or Sizes()
    rng = np.random.default_rng(1)
    batches = []
    for name, frames in reference_frames(sizes):
        deep = frames.astype(np.int32) * 257
        if name in ("photograph", "noise"):
            deep += rng.integers(-128, 129, deep.shape)
        batches.append((name, deep.clip(0, 65535).astype(np.uint16)))
    ramp = np.arange(65536, dtype=np.uint16).reshape(1, 256, 256, 1).repeat(3, -1)
    return [*batches, ("ramp", fit(ramp, sizes))]


@cache
def reference_photograph() -> Frames:
    """The photograph, uint8 H×W×3 BGR; not to be written to."""
    photo = cv2.imread(str(REFERENCE), cv2.IMREAD_COLOR)
    if photo is None:
        raise ExportError(f"{REFERENCE}: missing from this installation; reinstall framelift")
    return photo.astype(np.uint8)


def fit(frames: Frames, sizes: Sizes) -> Frames:
    """Repeat edges and frames, or cut, until the shape is one that the model takes."""
    count, height, width, _ = frames.shape
    wanted = [
        fixed or -(-max(side, sizes.minimum) // sizes.multiple) * sizes.multiple
        for fixed, side in ((sizes.height, height), (sizes.width, width))
    ]
    count = sizes.batch or count
    index = np.arange(count) % len(frames)
    rows, columns = (
        np.arange(side) % full for side, full in zip(wanted, (height, width), strict=True)
    )
    return np.ascontiguousarray(frames[index][:, rows][:, :, columns])


def onnx_frames(model: onnx.ModelProto) -> RunFrames:
    """A contract-2 model on frames, by ONNX Runtime's CPU provider, unchanged.

    The returned function raises ExportError if what is clamped at the end contains NaN or infinity.
    """
    unclamped = [node.input[0] for node in model.graph.node if node.name == "clamp"]
    session = open_session(model, outputs=[model.graph.output[0].name, *unclamped])

    def run(frames: Frames) -> Frames:
        upscaled, *floats = run_session(session, frames)
        if not all(np.isfinite(values).all() for values in floats):
            raise ExportError("the model's output contains NaN or infinity; nothing was written")
        return upscaled

    return run


def compare(name: str, shape: tuple[int, ...], wanted: Frames, got: Frames) -> Parity:
    """Compare what two implementations made of one batch of frames of that shape."""
    if (wanted.shape, wanted.dtype) != (got.shape, got.dtype):
        raise ExportError(
            f"parity: the model returns {got.dtype} of shape {got.shape}, PyTorch {wanted.dtype} "
            f"of shape {wanted.shape}"
        )
    depth = 8 * wanted.itemsize
    difference = np.abs(wanted.astype(np.int32) - got)
    ratio = psnr(wanted, got, np.iinfo(wanted.dtype).max)
    return Parity(
        name,
        shape,
        int(difference.max()),
        float((difference > ALLOWED[depth]).mean()),
        round(ratio, 2) if np.isfinite(ratio) else None,
        depth,
    )
