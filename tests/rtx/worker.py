"""`python worker.py LISTED`: compiles models by NVIDIA's plug-in, which a fault of it may end.

LISTED is the folder of the libraries built from listed_gpu.c. Reads one JSON request a line and
answers each with one line.
"""

from __future__ import annotations

import ctypes
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import onnx

from framelift.common.errors import FrameliftError
from framelift.runtime.backends import tensorrt_rtx
from framelift.runtime.gpu.shapes import parse_profile
from framelift.runtime.machine import nvidia
from framelift.runtime.models.file import read_spec
from framelift.runtime.ort.library import load_onnxruntime


def compiled(request: dict[str, Any]) -> dict[str, Any]:
    """Compile a model as the backend opens it, for a named generation of GPUs."""
    ort = load_onnxruntime()
    spec, profile = read_spec(Path(request["model"])), parse_profile(request["shapes"])
    gpu = tensorrt_rtx.find_gpu(request.get("device", 0))
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.compile_only", "1")
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    with tempfile.TemporaryDirectory() as folder:
        given = tensorrt_rtx.provider_options(profile, Path(folder))
        given |= {"nv_target_sm": request["target"], **request.get("options", {})}
        options.add_provider_for_devices([gpu], given)
        model = tensorrt_rtx.sized_model(spec, profile)
        compiler = ort.ModelCompiler(options, model, embed_compiled_data_into_model=True)
        whole = onnx.load_model_from_string(compiler.compile_to_bytes())
    (engine,) = (
        onnx.helper.get_attribute_value(item)
        for node in whole.graph.node
        for item in node.attribute
        if item.name == "ep_cache_context"
    )
    return {
        "nodes": [node.op_type for node in whole.graph.node],
        "input": whole.graph.input[0].type.tensor_type.elem_type,
        "output": whole.graph.output[0].type.tensor_type.elem_type,
        "engine_bytes": len(engine),
    }


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """What was compiled, or the error in one line."""
    try:
        return compiled(request)
    except FrameliftError as error:
        return {"error": str(error)}
    except Exception as error:  # ONNX Runtime's own
        return {"error": str(error).strip().splitlines()[0]}


def main(listed: Path) -> None:
    """Serve requests until the input ends."""
    for library in sorted(listed.glob("*.so")):
        ctypes.CDLL(str(library))
    nvidia.device_nodes = lambda: [Path("/dev/nvidia0")]
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
