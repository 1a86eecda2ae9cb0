"""When `tensorrt-rtx` records CUDA graphs: alone in the process, or not at all.

The plug-in records in CUDA's global mode. What it does itself is in tests/rtx/.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from framelift.runtime.backends import tensorrt_rtx
from framelift.runtime.backends.tensorrt_rtx import TensorrtRtxSession
from framelift.runtime.gpu.cuda_gate import GATE
from framelift.runtime.models.file import read_spec
from framelift.runtime.session.protocol import Frames

from ...support.waiting import PATIENCE_S


class Ort:
    """Stands for `OrtSession`: keeps its options, and does in a run what the test wants."""

    engine = "onnxruntime"
    opened: list[Ort]
    during_run: Callable[[], object]

    def __init__(self, *_: object, provider_options: dict[str, str], **__: Any) -> None:  # noqa: ANN401
        self.options = provider_options
        self.opened.append(self)

    def infer(self, frames: Frames, output: str, target: Frames) -> None:
        Ort.during_run()

    def close(self) -> None:
        pass


@pytest.fixture
def session(
    shuffle_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TensorrtRtxSession:
    Ort.opened, Ort.during_run = [], lambda: None
    gpu = SimpleNamespace(device=SimpleNamespace(metadata={"Description": "a GPU"}))
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path))
    monkeypatch.setattr(tensorrt_rtx, "OrtSession", Ort)
    monkeypatch.setattr(tensorrt_rtx, "find_gpu", lambda number: gpu)
    return TensorrtRtxSession(read_spec(shuffle_model_path))


def run(session: TensorrtRtxSession, side: int = 8) -> None:
    frames = np.zeros((1, side, side, 3), np.uint8)
    session.run(frames, np.empty((1, 4 * side, 4 * side, 3), np.uint8))


def others_may_use_cuda() -> bool:
    """Whether another thread gets through the gate now."""
    through = threading.Event()

    def use() -> None:
        with GATE.using():
            through.set()

    threading.Thread(target=use, daemon=True).start()
    if GATE.is_free():
        assert through.wait(PATIENCE_S)
    return through.wait(0.05)


def test_nobody_else_calls_cuda_in_the_runs_that_may_record(session: TensorrtRtxSession) -> None:
    seen: list[bool] = []
    Ort.during_run = lambda: seen.append(others_may_use_cuda())
    for _ in range(5):
        run(session)
    assert seen == [False, False, False, True, True]
    assert Ort.opened[0].options["enable_cuda_graph"] == "1"
    assert session.describe()["cuda_graph"] == "yes"


def test_no_graph_beside_what_uses_cuda_all_the_time(session: TensorrtRtxSession) -> None:
    seen: list[bool] = []
    Ort.during_run = lambda: seen.append(others_may_use_cuda())
    with GATE.using_all_the_time("NVENC encodes"):
        run(session)
    assert seen == [True]
    assert set(Ort.opened[0].options) == {"nv_runtime_cache_path"}
    assert session.describe()["cuda_graph"] == "no: NVENC encodes"


def test_no_graph_where_sizes_vary(session: TensorrtRtxSession) -> None:
    run(session)
    run(session, 12)
    assert "enable_cuda_graph" not in Ort.opened[1].options
    assert session.describe()["cuda_graph"] == "no: sizes vary"
