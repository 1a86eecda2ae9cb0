"""Runs a computation on the GPU on frames of one shape, whichever library does the computing.

Copies run beside the computation: one stream uploads, one computes and one downloads, ordered by
events. Frames on page-locked memory are copied from and to where they are. Others go through such
memory: while the next frames are computed, the last ones come back in bands, each returned as
soon as it is there.

    upload    |A|B|   |C|   |D|
    compute     |  A  |  B  |  C  |
    download          |A|   |B|   |C|

Import once cuda-python is loaded (`runtime.gpu.cuda_python`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Protocol

import numpy as np
from cuda.bindings import runtime

from ...common.errors import BackendError
from ..session.protocol import UNDER_WAY, Frames
from .cuda import call
from .limits import DEFAULT_LIMITS
from .memory import Resources, lies_pinned, pinned_array
from .shapes import FrameShape

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
    """Buffers of the frames of one `start`; two take turns.

    `host_input` and `host_output` are page-locked, made by `stage` where they are needed.
    """

    def __init__(
        self, resources: Resources, input_bytes: int, output_bytes: int, band_bytes: int
    ) -> None:
        self._sizes = input_bytes, output_bytes
        self.host_input = self.host_output = np.empty(0, np.uint8)
        self.device_input = resources.device(input_bytes)
        self.device_output = resources.device(output_bytes)
        self.begun = resources.event()
        self.uploaded = resources.event()
        self.ready = resources.event()
        self.computed = resources.event()
        self.downloaded = resources.event()
        edges = _band_edges(output_bytes, band_bytes)
        self.bands = [(band, resources.event()) for band in pairwise(edges)]

    def stage(self, input_is_pinned: bool, output_is_pinned: bool) -> None:
        """Make page-locked memory for what does not lie there."""
        if not input_is_pinned and not self.host_input.size:
            self.host_input = pinned_array((self._sizes[0],))
        if not output_is_pinned and not self.host_output.size:
            self.host_output = pinned_array((self._sizes[1],))


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
        band_bytes: int = DEFAULT_LIMITS.band_bytes,
    ) -> None:
        """Take over `computation`, which is closed with the runner.

        Of `window` frames it makes one. Results are returned in bands of `band_bytes` at least.

        What each `start` takes on the GPU is added to "copy in", "inference" and "copy out" of
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
        self._band_bytes = band_bytes
        self._stage_seconds = stage_seconds

    def run(self, frames: Frames, out: Frames) -> None:
        """Upscale N frames, N a multiple of the shape's count, into `out`; both C-contiguous.

        Nothing may be under way.
        """
        step = self._shape.frames
        parts = [slice(start, start + step) for start in range(0, len(frames), step)]
        self._turn = 0  # else one part at a time would need both slots
        self._make_slots(min(UNDER_WAY, len(parts)), frames, out)
        waits = [self._begin(frames[parts[0]], out[self._into(parts[0])])]
        for part in parts[1:]:
            waits.append(self._begin(frames[part], out[self._into(part)]))
            waits.pop(0)()
        waits[0]()

    def _into(self, part: slice) -> slice:
        return slice(part.start // self._window, part.stop // self._window)

    def start(self, frames: Frames, out: Frames) -> Callable[[], None]:
        """Start on frames of exactly the shape; with these, at most `UNDER_WAY` are under way.

        See `protocol.PipelinedSession.start`.
        """
        self._make_slots(UNDER_WAY, frames, out)
        return self._begin(frames, out)

    def drop(self) -> None:
        """Give up what is under way, so that no copy of it meets the next one's."""
        self._streams.drain()
        self._turn = 0

    def close(self) -> None:
        """Free the computation and the buffers; what is under way is lost."""
        self.drop()
        self.computation.close()
        self._slots.clear()
        self._resources.close()

    def _make_slots(self, count: int, frames: Frames, out: Frames) -> None:
        """Make so many, with all memory: if it is short, nothing is under way yet."""
        while len(self._slots) < count:
            self._slots.append(
                _Slot(self._resources, self._input_bytes, self._output_bytes, self._band_bytes)
            )
        for slot in self._slots:
            slot.stage(lies_pinned(frames), lies_pinned(out))

    def _begin(self, frames: Frames, out: Frames) -> Callable[[], None]:
        # A slot is used again two calls later, when its frames were waited for: see `UNDER_WAY`.
        slot = self._slots[self._turn]
        with self._dropped_on_error():
            self._launch(slot, frames)
            self._queue_download(slot, out)
        self._turn = (self._turn + 1) % UNDER_WAY
        return partial(self._dropped_on_error()(self._finish), slot, out)

    @contextlib.contextmanager
    def _dropped_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.drop()
            raise

    def _launch(self, slot: _Slot, frames: Frames) -> None:
        """Queue upload and computation; the slot's last frames must be finished."""
        streams, direct = self._streams, lies_pinned(frames)
        if direct:
            source = frames.ctypes.data
        else:
            np.copyto(slot.host_input, frames.reshape(-1))
            source = slot.host_input.ctypes.data
        call(runtime.cudaEventRecord, slot.begun, streams.upload)
        call(
            runtime.cudaMemcpyAsync,
            slot.device_input,
            source,
            self._input_bytes,
            runtime.cudaMemcpyKind.cudaMemcpyHostToDevice,
            streams.upload,
        )
        call(runtime.cudaEventRecord, slot.uploaded, streams.upload)
        call(runtime.cudaStreamWaitEvent, streams.compute, slot.uploaded, 0)
        # After the wait: the time until the upload ends does not count as that of inference.
        call(runtime.cudaEventRecord, slot.ready, streams.compute)
        self.computation.launch(slot.device_input, slot.device_output)
        call(runtime.cudaEventRecord, slot.computed, streams.compute)
        if direct:  # the caller may change the frames from now on
            call(runtime.cudaEventSynchronize, slot.uploaded)

    def _queue_download(self, slot: _Slot, out: Frames) -> None:
        """Queue the copy to where the result goes, or in bands to staging memory."""
        streams = self._streams
        call(runtime.cudaStreamWaitEvent, streams.download, slot.computed, 0)
        if lies_pinned(out):
            self._queue_copy(slot, out.ctypes.data, 0, self._output_bytes)
        else:
            target = slot.host_output.ctypes.data
            for (start, stop), arrived in slot.bands:
                self._queue_copy(slot, target, start, stop)
                call(runtime.cudaEventRecord, arrived, streams.download)
        call(runtime.cudaEventRecord, slot.downloaded, streams.download)

    def _queue_copy(self, slot: _Slot, target: int, start: int, stop: int) -> None:
        call(
            runtime.cudaMemcpyAsync,
            target + start,
            slot.device_output + start,
            stop - start,
            runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost,
            self._streams.download,
        )

    def _finish(self, slot: _Slot, out: Frames) -> None:
        """Wait for the result; copy each band when it has arrived, while the next is on its way."""
        if not lies_pinned(out):
            flat = out.reshape(-1)
            for (start, stop), arrived in slot.bands:
                call(runtime.cudaEventSynchronize, arrived)
                np.copyto(flat[start:stop], slot.host_output[start:stop])
        call(runtime.cudaEventSynchronize, slot.downloaded)
        self._take_times(slot)

    def _take_times(self, slot: _Slot) -> None:
        for stage, start, end in (
            ("copy in", slot.begun, slot.uploaded),
            ("inference", slot.ready, slot.computed),
            ("copy out", slot.computed, slot.downloaded),
        ):
            self._stage_seconds[stage] += call(runtime.cudaEventElapsedTime, start, end) / 1e3


def _band_edges(size_bytes: int, band_bytes: int) -> list[int]:
    """0, ..., `size_bytes`: where the bands of a buffer begin and end."""
    count = max(1, min(_MAX_BANDS, size_bytes // band_bytes))
    return [size_bytes * index // count for index in range(count + 1)]
