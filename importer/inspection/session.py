"""The foreign file, unchanged, in plain ONNX Runtime on the processor: the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...common.errors import ModelError
from ...common.text import one_line
from ...runtime.ort.library import load_onnxruntime
from .convention import Convention, Frames, Values, levels
from .foreign import Foreign

_SAME = 1e-3
"""Share of the largest value by which a picture may differ alone and among others."""


def refused(path: Path, release: str, reason: str) -> ModelError:
    """The error of a file that this release of ONNX Runtime does not open."""
    return ModelError(f"{path}: ONNX Runtime {release} refuses it: {reason}")


class RunError(Exception):
    """The file cannot be run on this input; the message is ONNX Runtime's."""


class FileSession:
    """Runs the file on arrays of its own form."""

    def __init__(self, foreign: Foreign, window: int = 1, border: int = 0) -> None:
        """`window` is the number of frames given at once, `border` how many pixels are put around
        them. Raises ModelError if ONNX Runtime refuses the file.
        """
        ort = load_onnxruntime()
        options = ort.SessionOptions()
        options.log_severity_level = 4
        self._foreign = foreign
        self.window = window
        self._border = [(0, 0), (0, 0), (border, border), (border, border)]
        self.output_shape: tuple[int, ...] = ()
        """Of the last output, as the file gave it."""
        try:
            self._session: Any = ort.InferenceSession(
                str(foreign.path), options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # onnxruntime's own exception types share no public base
            reason = one_line(error, 200)
            raise refused(foreign.path, ort.__version__, reason) from error

    def run(self, values: Values) -> Values:
        """One output, 1×C×sH×sW, of `window` frames, float window×C×H×W.

        Raises RunError: the file takes no such input, or gives something else than a picture.
        """
        if any(self._border[2]):
            values = np.pad(values, self._border, mode="edge")
        given = values.reshape(1, -1, *values.shape[2:])
        if self._foreign.is_sequence:
            given = values[None]
        try:
            (output,) = self._session.run(
                [self._foreign.output],
                {self._foreign.input: given.astype(self._foreign.dtype, copy=False)},
            )
        except Exception as error:
            raise RunError(one_line(error, 200)) from error
        return self._picture(output)

    def runs_batches(self, height: int, width: int) -> bool:
        """Whether it runs several pictures at a time, N×C×H×W, as it runs each of them.

        Networks of windows are often exported for the batch of one that they were traced with, and
        mix up the pictures of another.
        """
        if self._foreign.is_sequence or self._foreign.batch is not None:
            return False
        shape = (3, self._foreign.channels, height, width)
        values = np.random.default_rng(0).random(shape, np.float32).astype(self._foreign.dtype)
        try:
            outputs = [
                self._session.run([self._foreign.output], {self._foreign.input: part})[0]
                for part in (values, values[:1], values[1:2], values[2:])
            ]
        except Exception:  # exported for one, whatever its interface says
            return False
        together, alone = outputs[0], np.concatenate(outputs[1:])
        largest = float(np.abs(alone).max())
        return together.shape == alone.shape and bool(
            np.allclose(together, alone, rtol=0, atol=_SAME * max(largest, 1e-6))
        )

    def _picture(self, output: Any) -> Values:  # noqa: ANN401 - whatever the file gives
        if not isinstance(output, np.ndarray) or output.dtype.kind != "f":
            raise RunError("its output is not a float tensor")
        self.output_shape = output.shape
        shape = picture_shape(output.shape, self.window)
        if shape is None:
            raise RunError(no_pictures(output.shape))
        output = output.reshape(shape)
        picture: Values = output.astype(np.float32)
        return picture


def no_pictures(shape: tuple[int, ...]) -> str:
    """What is wrong with an output of which `picture_shape` is None."""
    return f"its output is {'×'.join(map(str, shape))}, no pictures N×C×H×W"


def picture_shape(shape: tuple[int, ...], window: int) -> tuple[int, int, int, int] | None:
    """Pictures×C×H×W of an output of that shape, None if it holds no pictures.

    Several come as 1×T×C×H×W, as T×C×H×W or stacked, 1×3·T×H×W.
    """
    if len(shape) == 5 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) != 4:
        return None
    count, channels, height, width = shape
    if window > 1 and count == 1 and channels == 3 * window:
        count, channels = window, 3
    return count, channels, height, width


class Reading:
    """A file read by a convention: frames in, pictures out, all arithmetic on the host."""

    def __init__(self, session: FileSession, convention: Convention, picture: int = 0) -> None:
        """`picture` is which of several output pictures is taken."""
        self.convention = convention
        self._session = session
        self._picture = picture

    def values(self, frames: Frames) -> Values:
        """BGR code values sH×sW×3, not clamped, of uint8 window×H×W×3 BGR frames.

        Raises RunError.
        """
        output = self._session.run(self.convention.give(frames))
        middle = len(frames) // 2
        chosen = slice(self._picture, self._picture + 1)
        values: Values = self.convention.take(output[chosen], frames[middle : middle + 1])[0]
        return values

    def levels(self, frames: Frames) -> Frames:
        """As uint8."""
        return levels(self.values(frames))
