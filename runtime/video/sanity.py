"""Checks that an output resembles its input: damaged models and drivers make black frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...common.errors import BackendError
from ...common.libraries.opencv import load_cv2
from .clip.frame import Image

_GRID = 24
"""Both are averaged to so many fields a side at most: noise and fine texture do not count."""
_LEAST_INPUT = 6.0
"""Standard deviation of the input's fields, of 255, below which it shows too little to judge by."""
_LEAST_OUTPUT = 1.0
_LEAST_LIKENESS = 0.15
"""Correlation of the fields. Measured on photographs, a ramp, squares and noise: johnson-x4 has
0.97 and more, the styles 0.50 and more."""


def has_structure(image: Image) -> bool:
    """Whether a frame shows enough to judge the output by."""
    return float(_fields(image, _grid(image)).std()) >= _LEAST_INPUT


def refuse_nonsense(image: Image, output: Image, model: str) -> None:
    """Raise BackendError if the output of a model has nothing of its input."""
    fault = fault_of_output(image, output)
    if fault:
        raise BackendError(
            f"{model}: its output does not resemble the input, it is {fault}; the model is "
            "damaged, "
            "or is computed wrongly here: try another --model or --backend onnx-cpu"
        )


def fault_of_output(image: Image, output: Image) -> str:
    """What an output that has nothing of its input, uint8 or uint16 H×W×3, is instead, or ""."""
    grid = _grid(image)
    before, after = _fields(image, grid), _fields(output, grid)
    if before.std() < _LEAST_INPUT:
        return ""
    if after.std() < _LEAST_OUTPUT:
        mean = float(after.mean())
        return "black" if mean < 2 else "white" if mean > 253 else "of one colour"
    likeness = float(np.corrcoef(before.ravel(), after.ravel())[0, 1])
    if likeness >= _LEAST_LIKENESS:
        return ""
    return "inverted" if likeness < -0.5 else "another picture"


def _grid(image: Image) -> tuple[int, int]:
    """How many fields there are, in width and height."""
    return min(_GRID, image.shape[1]), min(_GRID, image.shape[0])


def _fields(image: Image, grid: tuple[int, int]) -> NDArray[np.float64]:
    """Averages of luma over the fields of a grid, from 0 to 255."""
    cv2 = load_cv2()
    small = cv2.resize(image, grid, interpolation=cv2.INTER_AREA)
    luma: NDArray[np.float64] = small.astype(np.float64) @ np.array([0.114, 0.587, 0.299])
    return luma / (257 if image.dtype == np.uint16 else 1)
