"""Importing a file, and what plain ONNX Runtime makes of the same file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from framelift.export.parity.comparison import REFERENCE
from framelift.importer import Imported, ImportOptions, import_model
from framelift.runtime import Upscaler

Frames = NDArray[np.uint8]
ROOT = Path(__file__).resolve().parents[2]


def photo(height: int = 60, width: int = 81) -> Frames:
    image = cv2.imread(str(REFERENCE))
    assert image is not None
    return image[:height, :width].astype(np.uint8)


def by_file(path: Path, frame: Frames, order: str, black: float, white: float) -> NDArray[Any]:
    """What the file makes of a frame, by plain ONNX Runtime: BGR in code values."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    pixels = frame[..., ::-1] if order == "rgb" else frame
    values = (pixels.transpose(2, 0, 1)[None] / 255 * (white - black) + black).astype(np.float32)
    if session.get_inputs()[0].type == "tensor(float16)":
        values = values.astype(np.float16)
    (output,) = session.run(None, {session.get_inputs()[0].name: values})
    picture = (output[0].astype(np.float64) - black) / (white - black) * 255
    picture = picture[::-1] if order == "rgb" else picture
    picture = picture.transpose(1, 2, 0).clip(0, 255)
    return np.asarray(picture, np.float64)


def upscaled(path: Path, frame: Frames) -> NDArray[np.float64]:
    with Upscaler.load(path, "onnx-cpu") as upscaler:
        return upscaler(frame).astype(np.float64)


def imported(path: Path, options: ImportOptions | None = None) -> tuple[Imported, list[str]]:
    notes: list[str] = []
    return import_model(path, path.with_name("out.onnx"), options, notes.append), notes
