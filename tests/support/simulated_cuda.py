"""A GPU and cuda-python, simulated as far as framelift uses them.

It proves the order of calls, copies and waits, not speed and not the libraries' behaviour. Work
queued on streams is done as late as possible and, between streams, in a random order that only
events restrain: a copy that does not wait for what it needs gives wrong frames.
"""

# ruff: noqa: ANN401, N802, N803, N815 - CUDA's names, and handles without a common type

from __future__ import annotations

import ctypes
import enum
import itertools
import random
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

Work = Callable[[], object]


class CudaError(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorInvalidDevice = 101
    cudaErrorIllegalState = 401
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901


OK = CudaError.cudaSuccess


class _Handle:
    """What cuda-python returns for a stream, event or graph: convertible to int."""

    _numbers = itertools.count(1)

    def __init__(self) -> None:
        self.number = next(self._numbers)

    def __int__(self) -> int:
        return self.number


class CaptureMode(enum.IntEnum):
    cudaStreamCaptureModeGlobal = 0
    cudaStreamCaptureModeThreadLocal = 1
    cudaStreamCaptureModeRelaxed = 2


class Capture:
    """A stream that is being recorded, by which thread and how much it forbids."""

    def __init__(self, mode: int) -> None:
        self.mode = CaptureMode(mode)
        self.thread = threading.get_ident()
        self.works: list[Work] = []
        self.is_broken = False

    def forbids(self) -> bool:
        """Whether it ends when the calling thread takes or frees memory."""
        if self.mode is CaptureMode.cudaStreamCaptureModeThreadLocal:
            return threading.get_ident() == self.thread
        return self.mode is CaptureMode.cudaStreamCaptureModeGlobal


class Stream(_Handle):
    def __init__(self) -> None:
        super().__init__()
        self.queue: deque[tuple[str, Any]] = deque()
        self.capture: Capture | None = None


class Event(_Handle):
    def __init__(self) -> None:
        super().__init__()
        self.recorded = 0
        self.reached = 0


class Graph(_Handle):
    def __init__(self, works: list[Work]) -> None:
        super().__init__()
        self.works = works


@dataclass
class Gpu:
    """The state that both simulated libraries share, and what the tests set and look at."""

    seed: int = 0
    memory_limit: int = 1 << 40
    devices: int = 1
    parser_errors: list[Any] = field(default_factory=list)
    inspected_type: str = "Float"
    captures_fail: bool = False
    refuse_timings: bool = False
    refuses: set[str] = field(default_factory=set)
    """Calls of TensorRT that report a failure."""
    during_build: Callable[[], None] = lambda: None
    during_capture: Callable[[], object] = lambda: None
    """Called while TensorRT's work is being recorded."""
    live: dict[int, Any] = field(default_factory=dict)
    streams: dict[int, Stream] = field(default_factory=dict)
    launches: list[str] = field(default_factory=list)
    builds: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.current_device = 0
        self.working = threading.RLock()

    def used(self) -> int:
        return sum(len(block) for block in self.live.values() if isinstance(block, ctypes.Array))

    def others_allocate(self) -> CudaError:
        """What another thread of the process gets that takes memory now."""

        def take() -> CudaError:
            status, address = self.allocate(1)
            return self.free(address)[0] if address is not None else status

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(take).result()

    def allocate(self, size: int) -> tuple[CudaError, int | None]:
        if self.breaks_a_capture():
            return CudaError.cudaErrorStreamCaptureUnsupported, None
        if self.used() + size > self.memory_limit:
            return CudaError.cudaErrorMemoryAllocation, None
        block = (ctypes.c_uint8 * size)(*b"\xcd" * min(size, 16))
        address = ctypes.addressof(block)
        self.live[address] = block
        return OK, address

    def keep(self, handle: Any) -> tuple[CudaError, Any]:
        self.live[id(handle)] = handle
        return OK, handle

    def free(self, key: int) -> tuple[CudaError]:
        if self.breaks_a_capture():
            return (CudaError.cudaErrorStreamCaptureUnsupported,)
        del self.live[key]  # KeyError: freed twice, or never allocated
        return (OK,)

    def breaks_a_capture(self) -> bool:
        """A call that some capture forbids: it fails, and the capture with it."""
        captures = [stream.capture for stream in list(self.streams.values())]
        forbidding = [capture for capture in captures if capture and capture.forbids()]
        for capture in forbidding:
            capture.is_broken = True
        return bool(forbidding)

    def begin_capture(self, stream: Stream, mode: int) -> None:
        assert stream.capture is None, "it is being recorded already"
        stream.capture = Capture(mode)

    def end_capture(self, stream: Stream) -> tuple[CudaError, list[Work]]:
        capture, stream.capture = stream.capture, None
        if capture is None:
            return CudaError.cudaErrorIllegalState, []
        assert capture.thread == threading.get_ident(), "recorded by another thread"
        if self.captures_fail:
            return CudaError.cudaErrorStreamCaptureUnsupported, []
        if capture.is_broken:
            return CudaError.cudaErrorStreamCaptureInvalidated, []
        return OK, capture.works

    def queue(self, stream: Stream, work: Work) -> None:
        if stream.capture is not None:
            stream.capture.works.append(work)
        else:
            stream.queue.append(("work", work))

    def work_until(self, done: Callable[[], bool]) -> None:
        while True:
            with self.working:  # else another thread does meanwhile what is waited for
                if done():
                    return
                self._work()

    def _work(self) -> None:
        ready = [stream for stream in self.streams.values() if self._is_ready(stream)]
        assert ready, "waits for what was never queued: a deadlock"
        kind, item = self.random.choice(ready).queue.popleft()
        if kind == "work":
            item()
        elif kind == "record":
            event, stamp = item
            event.reached = max(event.reached, stamp)

    def _is_ready(self, stream: Stream) -> bool:
        if not stream.queue:
            return False
        kind, item = stream.queue[0]
        return kind != "wait" or item[0].reached >= item[1]


def cuda_runtime(gpu: Gpu) -> ModuleType:
    """`cuda.bindings.runtime`."""
    module = ModuleType("cuda.bindings.runtime")

    def cudaGetDeviceCount() -> tuple[CudaError, int | None]:
        return (OK, gpu.devices) if gpu.devices else (CudaError.cudaErrorNoDevice, None)

    def cudaSetDevice(device: int) -> tuple[CudaError]:
        gpu.current_device = device
        return (OK,)

    def cudaGetDeviceProperties(device: int) -> tuple[CudaError, Any]:
        properties = ModuleType("cudaDeviceProp")
        properties.name, properties.major, properties.minor = b"Simulated GPU\0\0", 9, 0  # type: ignore[attr-defined]
        return OK, properties

    def cudaDriverGetVersion() -> tuple[CudaError, int]:
        return OK, 13010

    def cudaGetErrorString(error: int) -> tuple[CudaError, bytes]:
        return OK, CudaError(error).name.encode()

    def cudaGetLastError() -> tuple[CudaError]:
        return (OK,)

    def cudaMalloc(size: int) -> tuple[CudaError, int | None]:
        return gpu.allocate(size)

    def cudaMemGetInfo() -> tuple[CudaError, int, int]:
        return OK, gpu.memory_limit - gpu.used(), gpu.memory_limit

    def cudaMallocHost(size: int) -> tuple[CudaError, int | None]:
        return gpu.allocate(size)

    def cudaFree(devPtr: int) -> tuple[CudaError]:
        return gpu.free(devPtr)

    def cudaFreeHost(ptr: int) -> tuple[CudaError]:
        return gpu.free(ptr)

    def cudaStreamCreateWithFlags(flags: int) -> tuple[CudaError, Stream]:
        stream = Stream()
        gpu.streams[int(stream)] = stream
        return gpu.keep(stream)

    def cudaStreamDestroy(stream: Stream) -> tuple[CudaError]:
        assert not stream.queue
        del gpu.streams[int(stream)]
        return gpu.free(id(stream))

    def cudaStreamSynchronize(stream: Stream) -> tuple[CudaError]:
        assert stream.capture is None, "what is being recorded cannot be waited for"
        gpu.work_until(lambda: not stream.queue)
        return (OK,)

    def cudaStreamWaitEvent(stream: Stream, event: Event, flags: int) -> tuple[CudaError]:
        stream.queue.append(("wait", (event, event.recorded)))
        return (OK,)

    def cudaEventCreateWithFlags(flags: int) -> tuple[CudaError, Event]:
        assert flags == 1, "waiting would keep a processor busy"
        return gpu.keep(Event())

    def cudaEventDestroy(event: Event) -> tuple[CudaError]:
        return gpu.free(id(event))

    def cudaEventRecord(event: Event, stream: Stream) -> tuple[CudaError]:
        event.recorded += 1
        stream.queue.append(("record", (event, event.recorded)))
        return (OK,)

    def cudaEventSynchronize(event: Event) -> tuple[CudaError]:
        stamp = event.recorded
        gpu.work_until(lambda: event.reached >= stamp)
        return (OK,)

    def cudaEventElapsedTime(start: Event, end: Event) -> tuple[CudaError, float]:
        assert start.reached == start.recorded
        assert end.reached == end.recorded
        return OK, 2.0

    def cudaMemcpyAsync(
        dst: int, src: int, count: int, kind: int, stream: Stream
    ) -> tuple[CudaError]:
        gpu.queue(stream, lambda: ctypes.memmove(dst, src, count))
        return (OK,)

    def cudaStreamBeginCapture(stream: Stream, mode: int) -> tuple[CudaError]:
        gpu.begin_capture(stream, mode)
        return (OK,)

    def cudaStreamEndCapture(stream: Stream) -> tuple[CudaError, Graph | None]:
        status, works = gpu.end_capture(stream)
        return (status, None) if status else gpu.keep(Graph(works))

    def cudaGraphInstantiate(graph: Graph, flags: int) -> tuple[CudaError, Graph]:
        return gpu.keep(Graph(graph.works))

    def cudaGraphDestroy(graph: Graph) -> tuple[CudaError]:
        return gpu.free(id(graph))

    def cudaGraphExecDestroy(graphExec: Graph) -> tuple[CudaError]:
        return gpu.free(id(graphExec))

    def cudaGraphLaunch(graphExec: Graph, stream: Stream) -> tuple[CudaError]:
        gpu.launches.append("graph")
        for work in graphExec.works:
            gpu.queue(stream, work)
        return (OK,)

    for name, value in list(locals().items()):
        if name.startswith("cuda"):
            setattr(module, name, value)
    constants = {
        "cudaError_t": CudaError,
        "cudaStreamNonBlocking": 1,
        "cudaEventBlockingSync": 1,
        "cudaMemcpyKind": enum.IntEnum(
            "cudaMemcpyKind", {"cudaMemcpyHostToDevice": 1, "cudaMemcpyDeviceToHost": 2}
        ),
        "cudaStreamCaptureMode": CaptureMode,
    }
    for name, value in constants.items():
        setattr(module, name, value)
    return module


def install_cuda(monkeypatch: pytest.MonkeyPatch, gpu: Gpu) -> None:
    """Put cuda-python where `import` finds it; modules that hold another one are loaded again."""
    runtime = cuda_runtime(gpu)
    bindings = ModuleType("cuda.bindings")
    bindings.runtime = runtime  # type: ignore[attr-defined]
    cuda = ModuleType("cuda")
    cuda.bindings = bindings  # type: ignore[attr-defined]
    cuda.__path__ = []
    bindings.__path__ = []
    for module in (cuda, bindings, runtime):
        module.__spec__ = ModuleSpec(module.__name__, None)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in (
        "tensorrt.context",
        "gpu.cuda",
        "gpu.device_runner",
        "gpu.memory",
        "gpu.runner",
        "tensorrt.start",
        "ort.computation",
    ):
        monkeypatch.delitem(sys.modules, f"framelift.runtime.{name}", raising=False)
