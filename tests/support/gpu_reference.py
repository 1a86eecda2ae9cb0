"""What the GPU's frames are compared with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framelift.runtime import Upscaler

Frames = NDArray[Any]


def on_the_cpu(model: Path, frames: Frames) -> Frames:
    """The frames by ONNX Runtime's CPU provider."""
    with Upscaler.load(model, "onnx-cpu") as upscale:
        return upscale(frames)


def assert_same_within_one(got: Frames, expected: Frames) -> None:
    """Another order of summation may move a value over a rounding edge, and no further."""
    difference = np.abs(got.astype(np.int16) - expected)
    assert difference.max() <= 1
    assert (difference == 0).mean() >= 0.99


def assert_deep_frames_are_right(model: Path, backend: str) -> None:
    """uint16 frames, one after the other and under way, are the CPU's within one code of 10 bits:
    half precision there, float32 here.
    """
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 65536, (4, 37, 53, 3)).astype(np.uint16)
    expected = on_the_cpu(model, frames)
    with Upscaler.load(model, backend) as upscale:
        called = upscale(frames)
        deep = upscale.at_depth(16)
        outs = deep.empty(expected.shape)
        pairs = zip(frames, outs, strict=True)
        for pending in [deep.submit(frame, out) for frame, out in pairs]:
            pending.result()
    assert called.dtype == outs.dtype == np.uint16
    for got in (called, outs):
        difference = np.abs(got.astype(np.int32) - expected)
        assert difference.max() <= 257
        assert (difference <= 65).mean() >= 0.99


def assert_frames_under_way_are_right(model: Path, backend: str, *, pinned: bool) -> None:
    """Frames that were submitted, the next before the last was waited for, come out right; on
    page-locked memory, too.
    """
    frames = np.random.default_rng(0).integers(0, 256, (9, 96, 128, 3), np.uint8)
    expected = on_the_cpu(model, frames)
    with Upscaler.load(model, backend) as upscale:
        upscale(frames[0])  # builds what has to be built
        outs = upscale.empty(expected.shape) if pinned else np.empty_like(expected)
        source = upscale.empty(frames[0].shape) if pinned else frames[0].copy()
        pendings = []
        for frame, out in zip(frames, outs, strict=True):
            source[...] = frame
            pendings.append(upscale.submit(source, out))
            source[...] = 0
        assert not pendings[-1].done
        pendings[-1].result()
    assert all(pending.done for pending in pendings)
    assert_same_within_one(outs, expected)


def assert_threads_get_their_own_frames(model: Path, backend: str) -> None:
    """Two upscalers, each called by two threads, record their graphs beside each other."""
    frames = np.random.default_rng(1).integers(0, 256, (12, 64, 96, 3), np.uint8)
    expected = on_the_cpu(model, frames)
    with (
        Upscaler.load(model, backend) as one,
        Upscaler.load(model, backend) as other,
        ThreadPoolExecutor(4) as threads,
    ):
        upscalers = [(one, other)[index % 2] for index in range(len(frames))]
        for _ in range(3):
            got = list(threads.map(lambda upscale, frame: upscale(frame), upscalers, frames))
            assert_same_within_one(np.stack(got), expected)
        for upscale in (one, other):
            assert upscale.describe().get("cuda_graph", "yes") == "yes"  # WebGPU has none
