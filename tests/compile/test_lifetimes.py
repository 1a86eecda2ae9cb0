"""What the bindings keep alive, and that the builder does not count on more."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from framelift.runtime.models.zoo import resolve

from ..support.waiting import PATIENCE_S
from .conftest import Builder

pytestmark = pytest.mark.compile

_START = """
import gc, sys, weakref
from framelift.runtime.tensorrt.bindings.rtx import load_rtx
trt = load_rtx().trt
log = trt.Logger(trt.Logger.INTERNAL_ERROR)
builder = trt.Builder(log)
"""


def _run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _START + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_a_parser_does_not_keep_its_network() -> None:
    ended = _run(
        "network = builder.create_network(0); seen = weakref.ref(network)\n"
        "parser = trt.OnnxParser(network, log); del network; gc.collect()\n"
        "print(seen() is None, flush=True); import os; os._exit(0)"
    )
    assert ended.stdout == "True\n", ended.stderr


_KEPT = """
class Log(trt.ILogger):
    def __init__(self):
        trt.ILogger.__init__(self)
    def log(self, severity, msg):
        pass

class Monitor(trt.IProgressMonitor):
    def __init__(self):
        trt.IProgressMonitor.__init__(self)

def lives(made, keep):
    global kept
    one = made()
    seen, kept = weakref.ref(one), keep(one)
    del one
    gc.collect()
    return seen() is not None

config, network = builder.create_builder_config(), builder.create_network(0)
print(
    lives(Log, trt.Builder),
    lives(Log, trt.Runtime),
    lives(Log, lambda log: trt.OnnxParser(network, log)),
    lives(lambda: trt.OnnxParser(network, log), lambda parser: None),
    lives(lambda: trt.Builder(log), lambda builder: builder.create_network(0)),
    lives(lambda: trt.Builder(log), lambda builder: builder.create_builder_config()),
    lives(Monitor, lambda monitor: setattr(config, "progress_monitor", monitor)),
    lives(builder.create_optimization_profile, config.add_optimization_profile),
    flush=True,
)
import os; os._exit(0)
"""


def test_what_the_builder_counts_on_is_kept() -> None:
    """Logs by what writes to them, parsers by networks, monitors and profiles by configurations."""
    ended = _run(_KEPT)
    assert ended.stdout == "True True True True True True True True\n", ended.stderr


@pytest.mark.parametrize("question", ["parse", "supports_model_v2"])
def test_a_parser_whose_network_is_gone_ends_the_process(question: str) -> None:
    """Why `parse.Parsed` holds both: this is how framelift used to ask, before each build."""
    ended = _run(
        "data = open(sys.argv[1], 'rb').read()\n"
        "parser = trt.OnnxParser(builder.create_network(0), log)\n"
        f"parser.{question}(data, sys.argv[1])",
        str(resolve("realtime-nano-x4")),
    )
    assert ended.returncode == -signal.SIGSEGV, ended.stderr


def test_a_build_ends_well(builder: Builder) -> None:
    assert builder.build(resolve("realtime-nano-x4"))["size"] > 100_000


def test_a_refusal_ends_well(builder: Builder) -> None:
    """A refused model is asked about twice, with a network for each question."""
    refused = builder.build(resolve("realtime-nano-x4-int8"))
    assert refused["error"] == "ModelError"


def test_a_damaged_file_ends_well(builder: Builder, tmp_path: Path) -> None:
    whole = resolve("realtime-nano-x4").read_bytes()
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(whole[: len(whole) // 2])
    assert builder.build(damaged)["error"] == "ModelError"
