"""`Upscaler`: a model on a backend, called with frames."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np

from ..imaging.errors import BackendError, ConfigError, FrameError
from .backends.base import Frames, PipelinedSession, Session
from .backends.select import AUTO, open_backend
from .frames import as_batch, check_out
from .memory import is_out_of_memory
from .model_file import ModelSpec, read_spec
from .notes import Say, say_on_stderr
from .pending import Pending, PendingFrames
from .tiling import TileRunner, minimum_tile, plan_tiles
from .zoo import resolve

# What is run at once is cut so that its activations take at most this, whatever the frame size:
# 1920×1080 input pixels of a network with 32 channels at that resolution still run whole.
ACTIVATION_BUDGET_BYTES = 1280 << 20


class Upscaler:
    """Upscales uint8 BGR frames with a framelift model.

        with Upscaler.load("realtime-small-x4") as upscale:
            big = upscale(frame)

    One upscaler is used from one thread at a time; several may be open at once.
    """

    def __init__(
        self,
        spec: ModelSpec,
        session: Session,
        *,
        selection: str = "",
        tile: int | None = None,
        say: Say = say_on_stderr,
    ) -> None:
        """Put a model on an open session; `Upscaler.load` does both."""
        self._say = say
        self.spec = spec
        self.selection = selection
        self.tile = _checked_tile(spec, tile)
        self._session: Session | None = session
        self._pending = PendingFrames()
        per_pixel: int = getattr(session, "activation_bytes", spec.activation_bytes)
        self._max_pixels = ACTIVATION_BUDGET_BYTES // per_pixel
        self._tiles: TileRunner | None = None
        self._tiled_size = (0, 0)
        self._padded: Frames = np.empty((0, 0, 0, 3), np.uint8)
        self._padded_out: Frames = np.empty((0, 0, 0, 3), np.uint8)

    @classmethod
    def load(
        cls,
        model: str | Path,
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
            model: path of an .onnx file, or the name of a shipped model.
            backend: "auto" for the best that works, or a backend's name.
            threads: host threads that one frame uses; None is one per processor.
            device: number of the GPU, from 0, as its backend counts them (CUDA_VISIBLE_DEVICES
                renumbers them for NVIDIA's). With "auto", no backend of the processor is taken
                then. None is the first.
            cpu_model: what to load instead of `model` where it runs on the processor: the same
                network in int8, which is faster there.
            tile: largest side, in input pixels, of what is run at once; None cuts a frame only if
                it would take more than about 2 GB. Tiled and whole frames give the same result.
            say: takes the line that is said when memory runs out and tiles become smaller.

        Raises:
            ModelError: the model is missing or is no framelift model.
            BackendError: the backend is unknown or cannot run here.
            MissingDependencyError: no inference engine is installed.
            ConfigError: `threads`, `device` or `tile` makes no sense for this model or backend.
        """
        if threads is not None and threads < 1:
            raise ConfigError(f"threads is {threads}: use 1 or more")
        spec = read_spec(resolve(model))
        _checked_tile(spec, tile)
        on_cpu = None if cpu_model is None else read_spec(resolve(cpu_model))
        session, spec, selection = open_backend(spec, backend, threads, device, on_cpu)
        return cls(spec, session, selection=selection, tile=tile, say=say)

    @property
    def scale(self) -> int:
        """How many times larger the output is, along each side."""
        return self.spec.scale

    def __call__(self, frame: Frames, out: Frames | None = None) -> Frames:
        """Upscale one frame or a batch.

        Args:
            frame: uint8 H×W×3 BGR, or N×H×W×3; any size from 1×1. It is not changed.
            out: uint8 sH×sW×3, or N×sH×sW×3, C-contiguous; filled and returned. Without it, a new
                array is allocated.

        Raises:
            FrameError: `frame` or `out` is not such an array.
            BackendError: the engine failed, or the upscaler is closed.
        """
        session = self._require_session()
        batch = as_batch(frame)
        self._pending.collect_all()
        count, height, width, _ = batch.shape
        big = (count, height * self.scale, width * self.scale, 3)
        shape = big if frame.ndim == 4 else big[1:]
        result = np.empty(shape, np.uint8) if out is None else check_out(out, shape)
        self._run_padded(session, batch, result.reshape(big))
        return result

    def submit(self, frame: Frames, out: Frames) -> Pending:
        """Start to upscale one frame, and wait for it later, with `Pending.result`.

        On a GPU the next frame is copied while this one is computed. Two frames are under way at
        most: a third call waits for the first of them. Where a backend cannot do that, or the frame
        is run in tiles, the frame is done on return.

        Args:
            frame: uint8 H×W×3 BGR; it may be changed on return.
            out: uint8 sH×sW×3, C-contiguous; to be left alone until `result` returns it.

        Raises:
            FrameError: `frame` or `out` is not such an array.
            BackendError: the engine failed, or the upscaler is closed.
        """
        session = self._require_session()
        batch = as_batch(frame)
        if frame.ndim != 3:
            raise FrameError("submit takes one frame, H×W×3: call the upscaler with a batch")
        height, width, _ = frame.shape
        check_out(out, (height * self.scale, width * self.scale, 3))
        if isinstance(session, PipelinedSession) and self._runs_at_once(session, height, width):
            self._pending.make_room(batch.shape)
            alone = not self._pending
            try:
                return self._pending.submit(session, batch, out)
            except (BackendError, MemoryError) as error:
                if not alone or not is_out_of_memory(error):  # others would be lost with it
                    raise
        self._pending.collect_all()
        self._run_padded(session, batch, out[None])
        return Pending(out)

    def describe(self) -> dict[str, str | int]:
        """What really runs: model, precision, backend, provider, device, engine and version."""
        return {
            "model": self.spec.name,
            "scale": self.scale,
            "precision": self.spec.precision,
            **self._require_session().describe(),
        }

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Seconds spent in each stage since loading, for backends that tell; others give {}."""
        return dict(getattr(self._session, "stage_seconds", {}))

    @property
    def build_seconds(self) -> float | None:
        """Seconds that building the engines in use took, now or when they were put into the cache;
        None for backends that build none, or do not tell.
        """
        return getattr(self._session, "build_seconds", None)

    def close(self) -> None:
        """Free the model and its buffers. Closing twice is fine."""
        if self._session is not None:
            self._pending.drop()
            self._session.close()
            self._session = None
            self._tiles = None

    def __enter__(self) -> Upscaler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _require_session(self) -> Session:
        if self._session is None:
            raise BackendError("the upscaler is closed: load the model again")
        return self._session

    def _runs_at_once(self, session: PipelinedSession, height: int, width: int) -> bool:
        """Whether a frame goes to the session as it is, and that one works on meanwhile."""
        filled = _filling(self.spec, height) or _filling(self.spec, width)
        return (
            session.pipelined
            and not filled
            and self.spec.frame_shape[0] in (None, 1)
            and self._tiles_for(height, width) is None
        )

    def _run_padded(self, session: Session, batch: Frames, out: Frames) -> None:
        """Repeat the right and lower edges up to a size that the model takes; crop the result."""
        count, height, width, _ = batch.shape
        bottom, right = (_filling(self.spec, side) for side in (height, width))
        if not bottom and not right:
            self._run_whole(session, batch, out)
            return
        shape = (count, height + bottom, width + right, 3)
        if self._padded.shape != shape:
            self._padded = np.empty(shape, np.uint8)
            s = self.scale
            self._padded_out = np.empty((count, s * shape[1], s * shape[2], 3), np.uint8)
        self._padded[:, :height, :width] = batch
        self._padded[:, height:, :width] = batch[:, -1:]
        self._padded[:, :, width:] = self._padded[:, :, width - 1 : width]
        self._run_whole(session, self._padded, self._padded_out)
        out[...] = self._padded_out[:, : out.shape[1], : out.shape[2]]

    def _run_whole(self, session: Session, batch: Frames, out: Frames) -> None:
        """Upscale frames whose sides are multiples of the size multiple, cut as memory asks.

        What runs out of memory is run again in tiles of half the size, down to the smallest.
        """
        shape, before = batch.shape[:3], self._max_pixels
        while True:
            try:
                self._run_cut(session, batch, out)
                break
            except (BackendError, MemoryError) as error:
                if not is_out_of_memory(error) or not self._cut_smaller(*shape):
                    raise
        if self._max_pixels != before:
            tile = self._tiles.plan if self._tiles else None
            how = f"in tiles of {tile.width}×{tile.height}" if tile else "one by one"
            self._say(f"{self.spec.name}: out of memory; frames are now run {how}")

    def _cut_smaller(self, count: int, height: int, width: int) -> bool:
        """Halve what is run at once; False if that is not possible."""
        if any(self.spec.frame_shape):
            return False
        plan = self._tiles.plan if self._tiles else None
        if plan is None and count > 1 and self._max_pixels >= 2 * height * width:
            self._max_pixels = height * width
            return True
        pixels = plan.height * plan.width if plan else height * width
        self._max_pixels = min(self._max_pixels, pixels) // 2
        self.tile, self._tiled_size = None, (0, 0)
        smaller = self._tiles_for(height, width)
        return smaller is not None and smaller.plan.height * smaller.plan.width < pixels

    def _run_cut(self, session: Session, batch: Frames, out: Frames) -> None:
        count, height, width, _ = batch.shape
        tiles = self._tiles_for(height, width)
        if tiles is not None:
            for frame, big in zip(batch, out, strict=True):
                tiles.run(session, frame, big)
            return
        fixed_count = self.spec.frame_shape[0]
        if fixed_count and count % fixed_count:
            raise FrameError(
                f"{self.spec.name} takes {fixed_count} frames at a time, not {count}: export it "
                "with a dynamic batch"
            )
        together = fixed_count or max(1, self._max_pixels // (height * width))
        for start in range(0, count, together):
            part = slice(start, start + together)
            session.run(batch[part], out[part])

    def _tiles_for(self, height: int, width: int) -> TileRunner | None:
        """Tiles for this frame size, kept until the size changes; None if it is run whole."""
        if self._tiled_size != (height, width):
            self._check_fixed_size(height, width)
            fixed = any(self.spec.frame_shape[1:])
            plan = plan_tiles(
                height,
                width,
                self.spec.halo,
                self.spec.size_multiple,
                max_pixels=height * width if fixed else self._max_pixels,
                side=self.tile,
            )
            self._tiles = None if plan is None else TileRunner(plan, self.scale)
            self._tiled_size = (height, width)
        return self._tiles

    def _check_fixed_size(self, height: int, width: int) -> None:
        _, fixed_height, fixed_width = self.spec.frame_shape
        if (fixed_height or height, fixed_width or width) != (height, width):
            raise FrameError(
                f"{self.spec.name} takes only frames of {fixed_width or 'any'}×"
                f"{fixed_height or 'any'} pixels, not {width}×{height}: export it with dynamic "
                "sizes"
            )


def _filling(spec: ModelSpec, side: int) -> int:
    """How many pixels a side lacks."""
    least = max(side, spec.minimum_side)
    return least + -least % spec.size_multiple - side


def _checked_tile(spec: ModelSpec, tile: int | None) -> int | None:
    """`tile`, if the model can be run in tiles of that side."""
    if tile is None:
        return None
    if any(spec.frame_shape):
        raise ConfigError(f"{spec.name} has a fixed frame size: it cannot be tiled")
    if not spec.is_local:
        raise ConfigError(
            f"{spec.name} looks at the whole frame (instance norm or global pooling): tiles would "
            "show seams; leave the tile size out"
        )
    least = minimum_tile(spec.halo, spec.size_multiple)
    if tile < least:
        raise ConfigError(f"tile is {tile}, too small for {spec.name}: use {least} or more")
    return tile
