"""The parity gate: an exported model must compute what the PyTorch network computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from ..imaging.errors import ExportError, MissingDependencyError
from ..imaging.metrics import psnr

Frames = NDArray[np.uint8]
RunFrames = Callable[[Frames], Frames]

REFERENCE = Path(__file__).parent / "reference.png"

MAX_OFF_SHARE = 1e-3
"""Share of values that may be off by more than one code value (design invariant 1, fp32)."""


@dataclass(frozen=True)
class Parity:
    """How far an exported model is from its PyTorch network on one batch of frames."""

    frames: str  # what the frames show: "photograph" or "noise"
    shape: tuple[int, ...]  # N, H, W, 3
    max_difference: int  # code values
    off_share: float  # share of values off by more than 1
    psnr_db: float | None  # None when equal everywhere

    def label(self) -> str:
        """Kind and shape of the frames, N×H×W."""
        return f"{self.frames} {'×'.join(map(str, self.shape[:3]))}"

    def record(self) -> dict[str, float | None]:
        """The numbers, for the metadata."""
        return {
            "max_difference": self.max_difference,
            "off_share": self.off_share,
            "psnr_db": self.psnr_db,
        }

    def passes(self) -> bool:
        """Whether the fp32 limit holds."""
        return self.off_share <= MAX_OFF_SHARE


def reference_frames() -> list[tuple[str, Frames]]:
    """Frames of four shapes, odd sizes and a batch included: a photograph and uniform noise."""
    photo = cv2.imread(str(REFERENCE), cv2.IMREAD_COLOR)
    if photo is None:
        raise ExportError(f"{REFERENCE}: missing from this installation; reinstall framelift")
    image = photo.astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (2, 33, 47, 3), np.uint8)
    return [
        ("photograph", image[None]),
        ("photograph", image[None, 40:105, 60:131]),
        ("photograph", np.stack((image[:64, :48], image[64:128, 48:96], image[99:163, 99:147]))),
        ("noise", noise),
    ]


def torch_frames(network: nn.Module) -> RunFrames:
    """`network` (float RGB in [0, 1]) on frames, with the contract's clamp and rounding.

    The returned function raises ExportError if the network's output is not finite.
    """

    def run(frames: Frames) -> Frames:
        rgb = torch.from_numpy(np.ascontiguousarray(frames[..., ::-1])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            output = network(rgb.float() / 255)
        if not bool(torch.isfinite(output).all()):
            raise ExportError("the network's output holds NaN or infinity: train it again")
        levels = (output * 255 + 0.5).clamp(0, 255).floor().byte()
        bgr: Frames = levels.permute(0, 2, 3, 1).numpy()[..., ::-1]
        return np.ascontiguousarray(bgr)

    return run


def onnx_frames(model: onnx.ModelProto) -> RunFrames:
    """A contract-2 model on frames, by ONNX Runtime's CPU provider as the file stands."""
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "export checks every model with ONNX Runtime: pip install 'framelift[cpu]'"
        ) from error
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own exception types share no public base
        raise ExportError(
            f"ONNX Runtime refuses the model: {str(error).splitlines()[0]}"
        ) from error

    def run(frames: Frames) -> Frames:
        upscaled: Frames = session.run(["upscaled"], {"frames": np.ascontiguousarray(frames)})[0]
        return upscaled

    return run


def measure(name: str, frames: Frames, wanted: RunFrames, got: RunFrames) -> Parity:
    """Compare two implementations on one batch of frames."""
    a, b = wanted(frames), got(frames)
    if a.shape != b.shape:
        raise ExportError(f"parity: the model gives shape {b.shape}, PyTorch gives {a.shape}")
    difference = np.abs(a.astype(np.int16) - b)
    ratio = psnr(a, b)
    return Parity(
        name,
        frames.shape,
        int(difference.max()),
        float((difference > 1).mean()),
        round(ratio, 2) if np.isfinite(ratio) else None,
    )


def require_parity(network: nn.Module, model: onnx.ModelProto) -> list[Parity]:
    """Measure parity on all reference frames.

    Raises ExportError with the numbers of the first batch beyond the limit.
    """
    wanted, got = torch_frames(network), onnx_frames(model)
    measured = []
    for name, frames in reference_frames():
        parity = measure(name, frames, wanted, got)
        if not parity.passes():
            raise ExportError(
                f"parity failed on {parity.label()}: "
                f"{parity.off_share:.3%} of values are off by more than 1 (limit "
                f"{MAX_OFF_SHARE:.1%}), at most by {parity.max_difference}, "
                f"PSNR {parity.psnr_db} dB; nothing was written"
            )
        measured.append(parity)
    return measured
