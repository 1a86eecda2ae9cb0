"""`python worker.py`: builds engines in a process that a fault of a native library may end.

Reads one JSON request a line and answers each with one line; see `Builder` in conftest.py.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from framelift.common.errors import FrameliftError
from framelift.runtime.gpu.shapes import parse_profile
from framelift.runtime.models.file import read_spec
from framelift.runtime.tensorrt import build
from framelift.runtime.tensorrt.bindings.entry import Entry
from framelift.runtime.tensorrt.bindings.library import Library
from framelift.runtime.tensorrt.bindings.rtx import load_rtx
from framelift.runtime.tensorrt.cache.key import BuilderOptions
from framelift.runtime.tensorrt.parse import Parsed, parse, parse_model
from framelift.runtime.tensorrt.phases import BuildProgress


class Counted(BuildProgress):
    """Counts the phases of a build, and may be cancelled at the first."""

    def __init__(self, *, cancelled: bool) -> None:
        super().__init__("test", quiet=True)
        self.phases = 0
        self._cancel_at_once = cancelled

    def phase_start(self, name: str, parent: str | None, steps: int) -> None:
        self.phases += 1
        if self._cancel_at_once:
            self.cancel()
        super().phase_start(name, parent, steps)


def parsed(library: Library, model: Path) -> dict[str, Any]:
    """What the parser does not take of any ONNX file, in its words."""
    entry = Entry(library)
    problems = parse(entry, entry.builder(), model, model.read_bytes()).problems
    return {"problems": [problem.line() for problem in problems]}


def built(library: Library, request: dict[str, Any]) -> dict[str, Any]:
    """Build what is asked for; what the network is and how large the engine, or the error."""
    networks: list[dict[str, Any]] = []

    def described(*arguments: Any) -> Parsed:  # noqa: ANN401
        parsed = parse_model(*arguments)
        networks.append(describe(library, parsed))
        return parsed

    progress = Counted(cancelled=request["cancel"])
    try:
        job = build.Job(
            read_spec(Path(request["model"])),
            parse_profile(request["shapes"]),
            BuilderOptions(**request["options"]),
            request["gpu"],
            request["timings"].encode(),
        )
        with mock.patch.object(build, "parse_model", described):  # networks do not leave the build
            engine = build.build_engine(library, job, progress)
    except FrameliftError as error:
        answered = {"error": type(error).__name__, "message": str(error)}
        return answered | {"phases": progress.phases} if request["cancel"] else answered
    return {
        "size": len(engine.plan),
        "sha256": hashlib.sha256(engine.plan).hexdigest(),
        "timings": len(engine.timings),
        "phases": progress.phases,
        "network": networks[-1],
    }


def describe(library: Library, parsed: Parsed) -> dict[str, Any]:
    """What the parser made.

    The flag of strong typing, the ends as name, type and shape, and the types that convolutions
    and quantisers give.
    """
    network = parsed.network
    trt = library.trt
    typed = trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    ends = {
        "inputs": [network.get_input(index) for index in range(network.num_inputs)],
        "outputs": [network.get_output(index) for index in range(network.num_outputs)],
    }
    return {
        "strongly_typed": network.get_flag(typed),
        "convolutions": _given(layers, trt.LayerType.CONVOLUTION),
        "quantisers": _given(layers, trt.LayerType.QUANTIZE),
        **{
            side: [[tensor.name, tensor.dtype.name, list(tensor.shape)] for tensor in tensors]
            for side, tensors in ends.items()
        },
    }


def _given(layers: list[Any], kind: object) -> list[str]:
    return [layer.get_output(0).dtype.name for layer in layers if layer.type == kind]


def main() -> None:
    library = load_rtx()
    earlier = Entry(library).runtime()  # as of a session that runs already, which TensorRT logs to
    for line in sys.stdin:
        request = json.loads(line)
        answer = (
            parsed(library, Path(request["parse"]))
            if "parse" in request
            else built(library, request)
        )
        print(json.dumps(answer), flush=True)  # noqa: T201
    del earlier


if __name__ == "__main__":
    main()
