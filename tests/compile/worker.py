"""`python worker.py`: builds engines in a process that a fault of a native library may end.

Reads one JSON request a line and answers each with one line; see `Builder` in conftest.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from framelift.imaging.errors import FrameliftError
from framelift.runtime.engine import build, parse
from framelift.runtime.engine.key import BuilderOptions
from framelift.runtime.engine.library import Library
from framelift.runtime.engine.phases import BuildProgress
from framelift.runtime.engine.rtx import load_rtx
from framelift.runtime.engine.shapes import parse_profile
from framelift.runtime.model_file import read_spec


class Cancelled(BuildProgress):
    """Is cancelled at the first report of the build."""

    def phase_start(self, name: str, parent: str | None, steps: int) -> None:
        self.cancel()
        super().phase_start(name, parent, steps)


def answer(library: Library, request: dict[str, Any]) -> dict[str, Any]:
    """Build what is asked for; what the network is and how large the engine, or the error."""
    networks: list[dict[str, Any]] = []

    def described(*arguments: Any) -> parse.Parsed:  # noqa: ANN401
        parsed = parse.parse(*arguments)
        networks.append(describe(library, parsed))
        return parsed

    try:
        job = build.Job(
            read_spec(Path(request["model"])),
            parse_profile(request["shapes"]),
            BuilderOptions(**request["options"]),
            request["gpu"],
            request["timings"].encode(),
        )
        progress = (Cancelled if request["cancel"] else BuildProgress)("test", quiet=True)
        with mock.patch.object(build, "parse", described):  # networks do not leave the build
            built = build.build_engine(library, job, progress)
    except FrameliftError as error:
        return {"error": type(error).__name__, "message": str(error)}
    return {"size": len(built.plan), "timings": len(built.timings), "network": networks[-1]}


def describe(library: Library, parsed: parse.Parsed) -> dict[str, Any]:
    """What the parser made: the flag of strong typing, and the ends as name, type and shape."""
    network = parsed.network
    typed = library.trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    ends = {
        "inputs": [network.get_input(index) for index in range(network.num_inputs)],
        "outputs": [network.get_output(index) for index in range(network.num_outputs)],
    }
    return {
        "strongly_typed": network.get_flag(typed),
        "layers": network.num_layers,
        **{
            side: [[tensor.name, tensor.dtype.name, list(tensor.shape)] for tensor in tensors]
            for side, tensors in ends.items()
        },
    }


def main() -> None:
    library = load_rtx()
    for line in sys.stdin:
        print(json.dumps(answer(library, json.loads(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
