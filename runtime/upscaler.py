"""`Upscaler`: a model on a backend, called with frames."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from ..common.errors import ConfigError, FrameError
from ..common.notes import Say, say_on_stderr
from .backends.select import AUTO, open_named
from .execution import Execution
from .loading import load_model
from .models.contract import DEEP_BITS
from .models.file import ModelSpec
from .reuse import ReusingSequence
from .session.frames import as_batch, check_out, dtype_of
from .session.grey import make_grey, stays_grey
from .session.pending import Pending
from .session.protocol import Frames, KeptLayers, Session
from .sibling import Sibling
from .temporal import Sequence, run_sequence

_LONGEST_CALL_SECONDS = 60.0
_INTERRUPTED_CALL_SECONDS = 0.5


class Upscaler:
    """Upscales BGR frames of 8 or 16 bits per channel with a Framelift model.

        with Upscaler.load("realtime-small-x4") as upscale:
            big = upscale(frame)

    uint8 frames become uint8 frames. Models in fp32 and fp16 also take uint16 frames (0 to 65535)
    and return uint16 frames; int8 models do not (see `at_depth`).

    Several threads may call one upscaler: their calls run one after the other. Several upscalers
    run at the same time.
    """

    def __init__(
        self,
        spec: ModelSpec,
        session: Session,
        *,
        selection: str = "",
        tile: int | None = None,
        sibling: Sibling[Upscaler] | None = None,
        say: Say = say_on_stderr,
    ) -> None:
        """Use `Upscaler.load`, which opens the session as well."""
        self.spec = spec
        self.depth = spec.depth
        """Bits per channel of the frames that its model takes and returns, 8 or 16."""
        self.selection = selection
        self._say = say
        self._session = session
        self._sibling = sibling or Sibling(spec)
        self._execution = Execution(spec, session, tile=tile, say=say, free_too=self._sibling.close)

    @classmethod
    def load(
        cls,
        model: str | Path | ModelSpec,
        backend: str = AUTO,
        *,
        threads: int | None = None,
        device: int | None = None,
        cpu_model: str | Path | None = None,
        tile: int | None = None,
        say: Say = say_on_stderr,
    ) -> Upscaler:
        """Load a model on a backend.

        Args:
            model: path of an .onnx file, the name of a bundled model, or what was read of a file.
            backend: "auto" for the best one that works, or the name of a backend.
            threads: host threads for one frame; None uses one per processor.
            device: number of the GPU, from 0, as its backend counts them (CUDA_VISIBLE_DEVICES
                renumbers NVIDIA's). With a number, "auto" does not use the CPU. None uses the
                first GPU.
            cpu_model: model to load instead of `model` on a CPU: the same network in int8, which
                is faster there.
            tile: largest side of a tile, in input pixels. None cuts a frame only if it would take
                more than half of the GPU's free memory, or on a CPU a quarter of the machine's
                memory, at most 4 and 1.25 GiB. Tiled and whole frames have the same result.
            say: called with a message when memory runs out and tiles become smaller.

        Raises:
            ModelError: the model is missing or is not a Framelift model.
            BackendError: the backend is unknown or cannot run on this machine.
            MissingDependencyError: no inference engine is installed.
            ConfigError: `threads`, `device` or `tile` makes no sense for this model or backend.
        """
        loaded = load_model(
            model, backend, threads=threads, device=device, cpu_model=cpu_model, tile=tile
        )
        selection = loaded.selection

        def open_sibling(spec: ModelSpec) -> Upscaler:
            session = open_named(spec, loaded.session.name, threads, device)
            return cls(spec, session, selection=selection, tile=tile, say=say)

        sibling = Sibling(loaded.spec, loaded.source, open_sibling, say)
        return cls(
            loaded.spec, loaded.session, selection=selection, tile=tile, sibling=sibling, say=say
        )

    @property
    def scale(self) -> int:
        """How many times larger the output is along each side."""
        return self.spec.scale

    @property
    def window(self) -> int:
        """Number of frames that the model sees for each output frame; 1 for most models."""
        return self.spec.window

    @property
    def lookahead(self) -> int:
        """Number of frames in the window that come after the output frame."""
        return self.spec.lookahead

    @property
    def deep_problem(self) -> str | None:
        """Why it cannot take frames of 16 bits, or None if it can."""
        return None if self.depth == DEEP_BITS else self._sibling.problem

    def at_depth(self, depth: int) -> Upscaler:
        """The upscaler for frames of 8 or 16 bits per channel: this one, or one that it keeps.

        That one runs the same network on the same device, is loaded when it is first asked for, and
        is closed with this one. If this one is an int8 model that was chosen for the CPU, the other
        is the model that it was chosen for.

        Raises:
            ConfigError: the model does not have that depth.
            BackendError: it cannot be loaded.
        """
        if depth == self.depth:
            return self
        if depth not in (8, DEEP_BITS):
            raise ConfigError(f"frames have 8 or {DEEP_BITS} bits per channel, not {depth}")
        return self._sibling.get(self._execution.check)

    def __call__(
        self, frame: Frames, out: Frames | None = None, *, grey: bool | None = None
    ) -> Frames:
        """Upscale one frame or a batch.

        A model of several frames takes one frame as a still, and a batch as a sequence (see
        `sequence`). A grey frame, with three equal channels, becomes a grey one: super-resolution
        does not tint it.

        Args:
            frame: uint8 or uint16 H×W×3 BGR, or N×H×W×3; any size from 1×1. It is not changed.
            out: of the same type, sH×sW×3 or N×sH×sW×3, C-contiguous; filled and returned. Without
                it, a new array is allocated.
            grey: whether the result is made grey, for a frame that is a part of a picture; None
                looks at the frame.

        Raises:
            FrameError: `frame` or `out` is not such an array, or the model has 8 bits only.
            BackendError: the engine failed, or the upscaler is closed.
        """
        if (other := self._for_depth_of(frame)) is not None:
            return other(frame, out, grey=grey)
        batch = as_batch(frame, self.depth)
        count, height, width, _ = batch.shape
        big = (count, height * self.scale, width * self.scale, 3)
        shape = big if frame.ndim == 4 else big[1:]
        self._execution.check()
        result = np.empty(shape, dtype_of(self.depth)) if out is None else out
        check_out(result, shape, self.depth)
        if self.window > 1 and count > 1:
            run_sequence(self, batch, result)
            return result
        self._execution.run(self._windowed(batch), result.reshape(big))
        for before, after in zip(batch, result.reshape(big), strict=True):
            if self.stays_grey(before) if grey is None else grey:
                make_grey(after)
        return result

    def sequence(self) -> Sequence | ReusingSequence:
        """Start a sequence of frames that follow each other in time, for instance of a video.

        Submit the frames one after the other. Use one sequence for each clip.

        With a model of one frame, what did not change since the last frame is not computed again.
        The results are the same bits.

        With a model of several frames, a result is ready when the frames that the model looks
        ahead to have been submitted. Scenes are kept apart, and nothing is reused.
        """
        return Sequence(self) if self.window > 1 else ReusingSequence(self, self._say)

    @property
    def exact_regions(self) -> bool:
        """Whether a part of a frame, run alone with `halo` pixels around it, gives the same bits
        as within the frame, wherever it lies and whatever its size.
        """
        return self._execution.exact_regions

    def keep_layers(self, height: int, width: int) -> KeptLayers[Any] | None:
        """Memory to compute what changed from frame to frame layer by layer, for one sequence.

        Its methods are called inside `turn`. None if the backend cannot do that with this model,
        for frames of that size.

        Raises BackendError: the engine failed, or the upscaler is closed.
        """
        return self._execution.keep_layers(height, width)

    def turn(self) -> AbstractContextManager[None]:
        """Keep calls of other threads waiting, and finish what was submitted.

        Raises BackendError: the engine failed, or the upscaler is closed.
        """
        return self._execution.turn()

    def submit(self, frame: Frames, out: Frames) -> Pending:
        """Start to upscale one frame, and wait for it later with `Pending.result`.

        On a GPU the next frame is copied while this one is computed. At most two frames are in
        progress: a third call waits for the first of them. If a backend cannot do that, or the
        frame is run in tiles, the frame is finished on return.

        Args:
            frame: uint8 or uint16 H×W×3 BGR; it may be changed on return.
            out: of the same type, sH×sW×3, C-contiguous; do not touch it until `result` returns it.

        Raises:
            FrameError: `frame` or `out` is not such an array.
            BackendError: the engine failed, or the upscaler is closed.
        """
        if (other := self._for_depth_of(frame)) is not None:
            return other.submit(frame, out)
        batch = as_batch(frame, self.depth)
        if frame.ndim != 3:
            raise FrameError("submit takes one frame, H×W×3: call the upscaler with a batch")
        return self.submit_window(self._windowed(batch), out)

    def submit_window(self, frames: Frames, out: Frames) -> Pending:
        """Like `submit`, with the frames that a model of several frames needs for one output frame.

        `frames` is window×H×W×3 and `out` is sH×sW×3. A `sequence` makes these windows from single
        frames.
        """
        if (other := self._for_depth_of(frames)) is not None:
            return other.submit_window(frames, out)
        batch = as_batch(frames, self.depth)
        if frames.ndim != 4 or len(batch) != self.window:
            raise FrameError(f"{self.spec.name} takes windows of {self.window} frames")
        _, height, width, _ = batch.shape
        check_out(out, (height * self.scale, width * self.scale, 3), self.depth)
        finish = make_grey if self.stays_grey(batch[-1 - self.lookahead]) else None
        return self._execution.start(batch, out, finish)

    def empty(self, shape: tuple[int, ...]) -> Frames:
        """Return an uninitialised array of any shape, for frames that are used repeatedly.

        It is of type uint8, or of an upscaler of 16 bits uint16.

        With the backends tensorrt, onnx-cuda and onnx-tensorrt, the array is page-locked memory,
        which the GPU reads and writes directly. Other arrays are copied once more by the CPU.
        Making such an array takes milliseconds. It stays valid when the upscaler is closed.
        """
        return self._execution.empty(shape)

    def describe(self) -> dict[str, str | int]:
        """Describe what runs: model, precision, backend, provider, device, engine and version.

        Raises BackendError: the upscaler is closed.
        """
        self._execution.check()
        return {
            "model": self.spec.name,
            "scale": self.scale,
            "precision": self.spec.precision,
            **({"depth": self.depth} if self.depth != 8 else {}),
            **self._session.describe(),
        }

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Seconds spent in each stage since loading; {} for backends that do not report them."""
        return dict(getattr(self._session, "stage_seconds", {}))

    @property
    def build_seconds(self) -> float | None:
        """Seconds that building the engines in use took, now or when they were put into the cache.

        None for backends that build no engines or do not report the time.
        """
        return getattr(self._session, "build_seconds", None)

    def close(self) -> None:
        """Free the model and its buffers, after any call that still runs in another thread.

        Frames that were submitted but not waited for are lost. A call that takes more than another
        minute frees them itself at its end. You can close an upscaler twice.
        """
        self._execution.close(_LONGEST_CALL_SECONDS)

    def __enter__(self) -> Upscaler:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # What was interrupted ends soon.
        self._execution.close(_LONGEST_CALL_SECONDS if kind is None else _INTERRUPTED_CALL_SECONDS)

    def stays_grey(self, frame: Frames) -> bool:
        """Whether the result of a frame, H×W×3, has no colour; a style or a colouriser adds it."""
        return stays_grey(self.spec, frame)

    def _for_depth_of(self, frame: Frames) -> Upscaler | None:
        """The upscaler of the other depth, if the frame has that; None if this one takes it."""
        return self._sibling.for_frame(frame, self._execution.check)

    def _windowed(self, still: Frames) -> Frames:
        """One frame 1×H×W×3, or a batch for a model of one frame, as the model takes it."""
        return still if self.window == 1 else still.repeat(self.window, 0)
