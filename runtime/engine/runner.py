"""Runs a computation on the GPU on frames of one shape, whichever library does the computing.

Host memory is page-locked, and copies run beside the computation: one stream uploads, one computes
and one downloads, ordered by events. While the next frames are computed, the last ones come back in
bands, each handed over as soon as it is there.

Import once cuda-python is loaded (`library.cuda_python_problem`).
"""

from __future__ import annotations

import contextlib
from collections import deque
from itertools import pairwise
from typing import Protocol

import numpy as np
from cuda.bindings import runtime

from ...imaging.errors import BackendError
from ..backends.base import UNDER_WAY, Frames
from .cuda import call
from .memory import Resources
from .shapes import FrameShape

# A band is large enough that starting its copy costs little, and small enough to overlap.
_BAND_BYTES = 4 << 20
_MAX_BANDS = 8


class Computation(Protocol):
    """What happens to frames of one shape between their upload and their download."""

    graph_problem: str
    """Why it does not run as a CUDA graph and will not; "" while that is not known."""

    @property
    def uses_graph(self) -> bool:
        """Whether it runs as a CUDA graph by now."""
        ...

    def launch(self, source: int, target: int) -> None:
        """Queue it on the compute stream.

        Args:
            source: address of the uploaded frames on the GPU, uint8 N×H×W×3.
            target: address of as many frames, `scale` times as large, to be written.

        At most two pairs of addresses come, the same ones all the time.
        """
        ...

    def close(self) -> None:
        """Free what it holds; nothing is under way."""
        ...


class Streams:
    """The three streams that all runners of a session share."""

    def __init__(self, resources: Resources) -> None:
        self.upload = resources.stream()
        self.compute = resources.stream()
        self.download = resources.stream()

    def drain(self) -> None:
        """Wait until nothing is under way, whatever has failed."""
        for stream in (self.upload, self.compute, self.download):
            with contextlib.suppress(BackendError):
                call(runtime.cudaStreamSynchronize, stream)


class _Slot:
    """Buffers of the frames of one `submit`; two take turns."""

    def __init__(self, resources: Resources, input_bytes: int, output_bytes: int) -> None:
        self.host_input_address, self.host_input = resources.pinned(input_bytes)
        self.host_output_address, self.host_output = resources.pinned(output_bytes)
        self.device_input = resources.device(input_bytes)
        self.device_output = resources.device(output_bytes)
        self.begun = resources.event()
        self.uploaded = resources.event()
        self.ready = resources.event()
        self.computed = resources.event()
        self.bands = [(band, resources.event()) for band in pairwise(_band_edges(output_bytes))]


class ShapeRunner:
    """A computation and the memory of its frames. Used from one thread at a time."""

    def __init__(
        self,
        computation: Computation,
        shape: FrameShape,
        scale: int,
        streams: Streams,
        stage_seconds: dict[str, float],
        window: int = 1,
    ) -> None:
        """Take over `computation`, which is closed with the runner.

        Of `window` frames it makes one.

        What each `submit` takes on the GPU is added to "copy in", "inference" and "copy out" of
        `stage_seconds`; of several under way they overlap.
        """
        self.computation = computation
        self._shape = shape
        self._streams = streams
        self._resources = Resources()
        self._input_bytes = 3 * shape.frames * shape.height * shape.width
        self._output_bytes = self._input_bytes // window * scale * scale
        self._window = window
        self._slots: list[_Slot] = []
        self._turn = 0
        self._under_way: deque[_Slot] = deque()
        self._stage_seconds = stage_seconds

    def run(self, frames: Frames, out: Frames) -> None:
        """Upscale N frames, N a multiple of the shape's count, into `out`; both C-contiguous.

        Nothing may be under way.
        """
        step = self._shape.frames
        parts = [slice(start, start + step) for start in range(0, len(frames), step)]
        self._turn = 0  # else one part at a time would need both slots
        self._make_slots(min(UNDER_WAY, len(parts)))
        for index, part in enumerate(parts):
            self._begin(frames[part])
            if index:
                self.collect(out[self._into(parts[index - 1])])
        self.collect(out[self._into(parts[-1])])

    def _into(self, part: slice) -> slice:
        return slice(part.start // self._window, part.stop // self._window)

    def submit(self, frames: Frames) -> None:
        """Start on frames of exactly the shape; with these, at most `UNDER_WAY` are under way."""
        self._make_slots(UNDER_WAY)  # all at once: if memory is short, nothing is under way yet
        self._begin(frames)

    def collect(self, out: Frames) -> None:
        """Wait for the frames that were submitted first and write them to `out`."""
        try:
            self._finish(self._under_way.popleft(), out)
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Give up what is under way, so that no copy of it meets the next one's."""
        self._streams.drain()
        self._under_way.clear()
        self._turn = 0

    def close(self) -> None:
        """Free the computation and the buffers; what is under way is lost."""
        self.drop()
        self.computation.close()
        self._slots.clear()
        self._resources.close()

    def _make_slots(self, count: int) -> None:
        while len(self._slots) < count:
            self._slots.append(_Slot(self._resources, self._input_bytes, self._output_bytes))

    def _begin(self, frames: Frames) -> None:
        slot = self._slots[self._turn]
        try:
            self._start(slot, frames)
        except BaseException:
            self.drop()
            raise
        self._under_way.append(slot)
        self._turn = (self._turn + 1) % UNDER_WAY

    def _start(self, slot: _Slot, frames: Frames) -> None:
        """Queue upload, computation and download; the slot's last frames must be finished."""
        streams = self._streams
        np.copyto(slot.host_input, frames.reshape(-1))
        call(runtime.cudaEventRecord, slot.begun, streams.upload)
        call(
            runtime.cudaMemcpyAsync, slot.device_input, slot.host_input_address, self._input_bytes,
            runtime.cudaMemcpyKind.cudaMemcpyHostToDevice, streams.upload,
        )  # fmt: skip
        call(runtime.cudaEventRecord, slot.uploaded, streams.upload)
        call(runtime.cudaStreamWaitEvent, streams.compute, slot.uploaded, 0)
        call(runtime.cudaEventRecord, slot.ready, streams.compute)
        self.computation.launch(slot.device_input, slot.device_output)
        call(runtime.cudaEventRecord, slot.computed, streams.compute)
        call(runtime.cudaStreamWaitEvent, streams.download, slot.computed, 0)
        for (start, stop), arrived in slot.bands:
            call(
                runtime.cudaMemcpyAsync, slot.host_output_address + start,
                slot.device_output + start, stop - start,
                runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost, streams.download,
            )  # fmt: skip
            call(runtime.cudaEventRecord, arrived, streams.download)

    def _finish(self, slot: _Slot, out: Frames) -> None:
        """Copy each band to `out` when it has arrived, while the next is on its way."""
        flat = out.reshape(-1)
        for (start, stop), arrived in slot.bands:
            call(runtime.cudaEventSynchronize, arrived)
            np.copyto(flat[start:stop], slot.host_output[start:stop])
        self._take_times(slot)

    def _take_times(self, slot: _Slot) -> None:
        _, last = slot.bands[-1]
        for stage, start, end in (
            ("copy in", slot.begun, slot.uploaded),
            ("inference", slot.ready, slot.computed),
            ("copy out", slot.computed, last),
        ):
            self._stage_seconds[stage] += call(runtime.cudaEventElapsedTime, start, end) / 1e3


def _band_edges(size_bytes: int) -> list[int]:
    """0, ..., `size_bytes`: where the bands of a buffer begin and end."""
    count = max(1, min(_MAX_BANDS, size_bytes // _BAND_BYTES))
    return [size_bytes * index // count for index in range(count + 1)]
