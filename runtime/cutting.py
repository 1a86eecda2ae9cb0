"""Runs frames of any size on a session: padded to what the model takes, cut to fit the memory."""

from __future__ import annotations

import gc
from collections.abc import Callable

import numpy as np

from ..common.errors import BackendError, ConfigError, FrameError
from ..common.libraries.memory import is_out_of_memory
from ..common.notes import Say
from .models.file import ModelSpec
from .session.protocol import Frames, PipelinedSession, Session
from .tiling import TilePlan, TileRunner, minimum_tile, plan_fixed_tiles, plan_tiles


class Cutter:
    """Frames of one model and session; used from one thread at a time."""

    def __init__(
        self,
        spec: ModelSpec,
        session: Session,
        *,
        max_pixels: int,
        tile: int | None,
        allocate: Callable[[tuple[int, ...]], Frames],
        say: Say,
        proceed: Callable[[], None],
    ) -> None:
        """Run what has up to `max_pixels` input pixels at once.

        Args:
            spec: the model.
            session: what runs it.
            max_pixels: of what is run at once; halved when memory runs out.
            tile: largest side of a tile, as of `checked_tile`; None leaves it to `max_pixels`.
            allocate: makes an uninitialised array of the model's type, best where the session reads
                and writes.
            say: takes the line that is printed when memory runs out.
            proceed: called between the parts of a frame; what it raises ends the work.
        """
        self.spec = spec
        self.tile = tile
        self._session = session
        self._max_pixels = max_pixels
        self._allocate = allocate
        self._say = say
        self._proceed = proceed
        self._tiles: TileRunner | None = None
        self._tiled_size = (0, 0)
        self._seams_said = False
        self._padded: Frames = np.empty((0, 0, 0, 3), np.uint8)
        self._padded_out: Frames = np.empty((0, 0, 0, 3), np.uint8)

    def run(self, batch: Frames, out: Frames) -> None:
        """Upscale N×H×W×3 of any size into `out`, of its type, N×sH×sW×3.

        Of a model of several frames N is its window, or several windows one behind the other, and
        `out` has one frame for each.

        What the model cannot take is filled by repeating the right and lower edges, and cut off
        the result. What is larger than a fixed size is run in tiles of that size.

        Raises:
            FrameError: the model has a fixed number of frames, and these are others.
            BackendError: the engine failed.
        """
        count, height, width, _ = batch.shape
        if count % self.spec.window:
            raise FrameError(f"{self.spec.name} takes windows of {self.spec.window} frames")
        bottom, right = self._filling(height, width)
        if not bottom and not right:
            self._run_whole(batch, out)
            return
        shape = (count, height + bottom, width + right, 3)
        if self._padded.shape != shape:
            self._padded = self._allocate(shape)
            s = self.spec.scale
            self._padded_out = self._allocate((len(out), s * shape[1], s * shape[2], 3))
        # Edges are repeated, because black would shine into the picture. The rows below come first,
        # so that the columns on the right fill the corner, too.
        self._padded[:, :height, :width] = batch
        self._padded[:, height:, :width] = batch[:, -1:]
        self._padded[:, :, width:] = self._padded[:, :, width - 1 : width]
        self._run_whole(self._padded, self._padded_out)
        out[...] = self._padded_out[:, : out.shape[1], : out.shape[2]]

    def pipelined(self, height: int, width: int) -> PipelinedSession | None:
        """The session, if it takes a frame of that size whole and returns before it is finished."""
        session = self._session
        if not isinstance(session, PipelinedSession) or not session.pipelined:
            return None
        return session if self.whole(height, width) else None

    def whole(self, height: int, width: int) -> bool:
        """Whether a single frame of that size goes to the session as it is."""
        if any(self._filling(height, width)) or not self._takes_one:
            return False
        return self._tiles_for(height, width) is None

    def clear(self) -> None:
        """Free the buffers."""
        self._tiles, self._tiled_size = None, (0, 0)
        self._padded = self._padded_out = np.empty((0, 0, 0, 3), np.uint8)

    @property
    def _takes_one(self) -> bool:
        """Whether one frame, or the window of one, can be run alone."""
        return self.spec.frame_shape[0] in (None, self.spec.window)

    def _filling(self, height: int, width: int) -> tuple[int, int]:
        """How many pixels each side lacks."""

        def lack(side: int, fixed: int | None) -> int:
            least = max(side, self.spec.minimum_side, fixed or 1)
            return least + -least % self.spec.size_multiple - side

        _, fixed_height, fixed_width = self.spec.frame_shape
        return lack(height, fixed_height), lack(width, fixed_width)

    def _run_whole(self, batch: Frames, out: Frames) -> None:
        """Upscale frames whose sides are multiples of the size multiple, cut to fit the memory.

        What runs out of memory is run again in tiles of half the size, down to the smallest.
        """
        shape, before = batch.shape[:3], self._max_pixels
        while True:
            try:
                self._run_cut(batch, out)
                break
            except (BackendError, MemoryError) as error:
                if not is_out_of_memory(error) or not self._cut_smaller(*shape):
                    raise
            # What the failed call took may lie in a cycle with its traceback (Python 3.13).
            gc.collect()
        if self._max_pixels != before:
            tile = self._tiles.plan if self._tiles else None
            how = f"in tiles of {tile.width}×{tile.height}" if tile else "one by one"
            self._say(f"{self.spec.name}: out of memory; frames are now run {how}")

    def _cut_smaller(self, count: int, height: int, width: int) -> bool:
        """Halve what is run at once; False if that is not possible."""
        if self.spec.has_fixed_size or not self._takes_one:
            return False
        plan = self._tiles.plan if self._tiles else None
        # First the frames of a batch one by one, which costs least; then tiles, smaller each time.
        if plan is None and count > 1 and self._max_pixels >= 2 * height * width:
            self._max_pixels = height * width
            return True
        pixels = plan.height * plan.width if plan else height * width
        self._max_pixels = min(self._max_pixels, pixels) // 2
        self.tile, self._tiled_size = None, (0, 0)  # a side that the user chose was too large
        smaller = self._tiles_for(height, width)
        return smaller is not None and smaller.plan.height * smaller.plan.width < pixels

    def _run_cut(self, batch: Frames, out: Frames) -> None:
        count, height, width, _ = batch.shape
        tiles = self._tiles_for(height, width)
        fixed_count, window = self.spec.frame_shape[0], self.spec.window
        if tiles is not None and not self._takes_one:
            raise FrameError(
                f"{self.spec.name} takes {fixed_count} frames of a fixed size at a time, and these "
                "are larger: export it with dynamic sizes"
            )
        if tiles is not None:
            for index, big in enumerate(out):
                part = slice(index * window, (index + 1) * window)
                tiles.run(self._session, batch[part], big, self._proceed)
            return
        if fixed_count and count % fixed_count:
            raise FrameError(
                f"{self.spec.name} takes {fixed_count} frames at a time, not {count}: export it "
                "with a dynamic batch"
            )
        together = fixed_count or max(1, self._max_pixels // (height * width))
        for start in range(0, count, together):
            self._proceed()
            part = slice(start, start + together)
            into = slice(start // window, (start + together) // window)
            self._session.run(batch[part], out[into])

    def _tiles_for(self, height: int, width: int) -> TileRunner | None:
        """Tiles for this frame size, kept until the size changes; None if it is run whole."""
        if self._tiled_size != (height, width):
            plan = self._plan(height, width)
            self._tiles = (
                None
                if plan is None
                else TileRunner(plan, self.spec.scale, self._allocate, self.spec.window)
            )
            self._tiled_size = (height, width)
        return self._tiles

    def _plan(self, height: int, width: int) -> TilePlan | None:
        spec = self.spec
        if not spec.has_fixed_size:
            return plan_tiles(
                height,
                width,
                spec.halo,
                spec.size_multiple,
                max_pixels=self._max_pixels,
                side=self.tile,
                minimum_side=spec.minimum_side,
            )
        fixed = spec.frame_shape[1:]
        plan = plan_fixed_tiles(height, width, spec.halo, spec.size_multiple, fixed)
        if plan is not None and not spec.is_local and not self._seams_said:
            self._seams_said = True
            self._say(
                f"{spec.name} looks at the whole frame but takes {plan.width}×{plan.height} pixels "
                "only: it is run in tiles of that size, whose seams may show"
            )
        return plan


def checked_tile(spec: ModelSpec, tile: int | None) -> int | None:
    """`tile`. Raises ConfigError if the model cannot be run in tiles of that side."""
    if tile is None:
        return None
    if spec.has_fixed_size:
        raise ConfigError(
            f"{spec.name} has a fixed frame size, in tiles of which it is run: leave the tile size "
            "out"
        )
    if spec.frame_shape[0] not in (None, spec.window):
        raise ConfigError(
            f"{spec.name} takes {spec.frame_shape[0]} frames at a time: it cannot be tiled"
        )
    if not spec.is_local:
        raise ConfigError(
            f"{spec.name} looks at the whole frame (instance norm or global pooling): tiles would "
            "show seams; leave the tile size out"
        )
    least = minimum_tile(spec.halo, spec.size_multiple, spec.minimum_side)
    if tile < least:
        raise ConfigError(f"tile is {tile}, too small for {spec.name}: use {least} or more")
    return tile
