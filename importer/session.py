"""The foreign file as it stands, in plain ONNX Runtime on the processor: the judge of all else."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..imaging.errors import ModelError
from ..runtime.backends.engine import load_onnxruntime
from .convention import Convention, Frames, Values, levels
from .foreign import Foreign


class RunError(Exception):
    """The file cannot be run on this input; the message is ONNX Runtime's."""


class FileSession:
    """Runs the file on arrays of its own form."""

    def __init__(self, foreign: Foreign, window: int = 1) -> None:
        """`window` is the number of frames given at once. Raises ModelError if ONNX Runtime
        refuses the file.
        """
        ort = load_onnxruntime()
        options = ort.SessionOptions()
        options.log_severity_level = 4
        self._foreign = foreign
        self.window = window
        self.output_shape: tuple[int, ...] = ()
        """Of the last output, as the file gave it."""
        try:
            self._session: Any = ort.InferenceSession(
                str(foreign.path), options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # onnxruntime's own exception types share no public base
            raise ModelError(
                f"{foreign.path}: ONNX Runtime {ort.__version__} refuses it: {_short(error)}"
            ) from error

    def run(self, values: Values) -> Values:
        """One output, 1×C×sH×sW, of `window` frames, float window×C×H×W.

        Raises RunError: the file takes no such input, or gives something else than a picture.
        """
        given = values.reshape(1, -1, *values.shape[2:])
        if self._foreign.is_sequence:
            given = values[None]
        try:
            (output,) = self._session.run(
                [self._foreign.output],
                {self._foreign.input: given.astype(self._foreign.dtype, copy=False)},
            )
        except Exception as error:
            raise RunError(_short(error)) from error
        return self._picture(output)

    def runs_batches(self, height: int, width: int) -> bool:
        """Whether it runs two pictures at a time, N×C×H×W."""
        if self._foreign.is_sequence or self._foreign.batch is not None:
            return False
        shape = (2, self._foreign.channels, height, width)
        values = np.zeros(shape, self._foreign.dtype)
        try:
            (output,) = self._session.run([self._foreign.output], {self._foreign.input: values})
        except Exception:  # exported for one, whatever its interface says
            return False
        return bool(output.ndim == 4 and output.shape[0] == 2)

    def _picture(self, output: Any) -> Values:  # noqa: ANN401 - whatever the file gives
        if not isinstance(output, np.ndarray) or output.dtype.kind != "f":
            raise RunError("its output is no float tensor")
        self.output_shape = output.shape
        if output.ndim == 5 and output.shape[0] == 1:
            output = output[0]
        if output.ndim == 4 and self.window > 1 and output.shape[1] == 3 * self.window:
            output = output.reshape(self.window, 3, *output.shape[2:])
        if output.ndim != 4:
            raise RunError(f"its output is {'×'.join(map(str, output.shape))}, no pictures N×C×H×W")
        picture: Values = output.astype(np.float32)
        return picture


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


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
