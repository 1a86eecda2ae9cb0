"""Frames of 16 bits on a simulated GPU, which sees them as twice as many bytes.

Its engines repeat bytes, so that they show the order of copies and waits; tests/compile/ builds the
real ones, and tests/gpu/ compares what they compute with the CPU.
"""

from __future__ import annotations

import gc
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.common.errors import FrameError
from framelift.runtime import Upscaler
from framelift.runtime.gpu.limits import GpuLimits
from framelift.runtime.models.byte_form import in_bytes
from framelift.runtime.models.depth import at_bits
from framelift.runtime.models.file import read_spec
from framelift.runtime.session.deep import as_bytes, for_deep_frames

from ...support.frames import upscaled

if TYPE_CHECKING:
    from tests.support.simulated_cuda import Gpu

Deep = NDArray[Any]


def _noise(height: int, width: int, seed: int) -> Deep:
    return np.random.default_rng(seed).integers(0, 65536, (height, width, 3)).astype(np.uint16)


def _expected(frame: Deep) -> Deep:
    """What an engine makes that repeats each byte's pixel four by four times."""
    height, width, _ = frame.shape
    big = upscaled(as_bytes(frame[None]))[0]
    return np.ascontiguousarray(big).reshape(4 * height, 4 * width, 6).view(np.uint16)


@pytest.mark.parametrize("seed", range(4))
def test_every_order_of_streams_gives_the_right_frames(
    monkeypatch: pytest.MonkeyPatch,
    simulated_gpu: ModuleType,
    shuffle_model_path: Path,
    tmp_path: Path,
    seed: int,
) -> None:
    from framelift.runtime.backends.tensorrt import TensorrtSession

    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "cache"))
    gpu = simulated_gpu.install(monkeypatch, simulated_gpu.Gpu(seed))
    spec = at_bits(read_spec(shuffle_model_path), 16)
    session = for_deep_frames(TensorrtSession(in_bytes(spec), limits=GpuLimits(band_bytes=500)))
    with Upscaler(spec, session) as deep:
        submitted = []
        for index, size in enumerate([(9, 7)] * 4 + [(6, 8)] * 2 + [(9, 7)] * 3):
            frame = deep.empty((*size, 3))
            assert frame.dtype == np.uint16
            frame[...] = _noise(*size, index)
            out = deep.empty((4 * size[0], 4 * size[1], 3))
            submitted.append((deep.submit(frame, out), _expected(frame)))
            frame[...] = 0  # as the source does, which uses its buffers again
        for pending, expected in submitted:
            assert np.array_equal(pending.result(), expected)
        assert deep.describe()["depth"] == 16
        with pytest.raises(FrameError, match="the frame is uint8, expected uint16"):
            deep.submit(np.zeros((9, 7, 3), np.uint8), np.empty((36, 28, 3), np.uint8))
    del frame, out, pending, submitted, deep, session  # which hold page-locked memory
    gc.collect()
    assert not gpu.live


def test_a_call_takes_any_array(gpu: Gpu, shuffle_model_path: Path) -> None:
    frame = _noise(9, 7, 1)
    with Upscaler.load(shuffle_model_path, "tensorrt") as upscale:
        assert np.array_equal(upscale(frame), _expected(frame))
        assert np.array_equal(upscale(frame[::-1]), _expected(np.ascontiguousarray(frame[::-1])))
        small = (frame >> 8).astype(np.uint8)
        assert np.array_equal(upscale(small), upscaled(small))
