"""What NVIDIA's released plug-in says to the backend `tensorrt-rtx`, without a GPU."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from framelift.runtime.backends import tensorrt_rtx
from framelift.runtime.backends.cpu.widen import widen
from framelift.runtime.gpu.shapes import parse_profile
from framelift.runtime.models.digest import KEY, PREFIX
from framelift.runtime.models.file import load, read_spec
from framelift.runtime.models.int8_form import form_problem
from framelift.runtime.models.zoo import resolve, shipped_models
from framelift.runtime.ort.plugins import plugin_problem

from ..support.frames import noise
from ..support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from .conftest import Compiler

pytestmark = [
    pytest.mark.compile,
    pytest.mark.skipif(
        plugin_problem(tensorrt_rtx.PLUGIN) is not None or platform.system() != "Linux",
        reason=f"{plugin_problem(tensorrt_rtx.PLUGIN)}, or this is not Linux",
    ),
]

UINT8 = 2
MODELS = [name for name, path in shipped_models().items() if not form_problem(read_spec(path))]


@pytest.mark.parametrize("name", MODELS)
def test_it_takes_every_node_of_every_shipped_model(compile_model: Compiler, name: str) -> None:
    answer = compile_model(resolve(name), shapes="136x240")
    assert answer["nodes"] == ["EPContext"], answer
    assert answer["input"] == answer["output"] == UINT8
    assert answer["engine_bytes"] > 10_000


@pytest.mark.parametrize("target", ["sm86", "sm89", "sm120"])
@pytest.mark.parametrize("shapes", ["270x480", "2x90x160", "1x90x160:1x270x480:4x540x960"])
def test_fixed_and_dynamic_sizes_for_each_generation(
    compile_model: Compiler, target: str, shapes: str
) -> None:
    answer = compile_model(resolve("realtime-nano-x4"), shapes=shapes, target=target)
    assert answer["nodes"] == ["EPContext"], answer


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_other_precisions(compile_model: Compiler, tmp_path: Path, precision: str) -> None:
    """int8 in the form for TensorRT."""
    _, model = load(resolve("realtime-nano-x4"))
    widen(model.graph)
    if precision == "int8":
        pytest.importorskip("torch")
        from framelift.export.int8.calibration import calibrate
        from framelift.export.int8.quantisation import quantise

        model = quantise(calibrate(model, [noise(1, 24, 24)]), 100.0, symmetric=True)
    del model.metadata_props[:]
    entries = load(resolve("realtime-nano-x4"))[1].metadata_props
    model.metadata_props.extend(entry for entry in entries if entry.key != PREFIX + KEY)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    for shapes in ("32x48", "1x16x16:1x32x32:2x64x64"):
        answer = compile_model(path, shapes=shapes)
        assert answer.get("nodes") == ["EPContext"], answer


def test_an_option_that_it_does_not_know_is_an_error(compile_model: Compiler) -> None:
    """So those of the backend, which the tests above give, are all known to it."""
    answer = compile_model(resolve("realtime-nano-x4"), options={"nv_no_such_option": "1"})
    assert answer["error"].endswith('Unknown provider option: "nv_no_such_option".')


def test_a_gpu_that_is_not_listed(compile_model: Compiler) -> None:
    answer = compile_model(resolve("realtime-nano-x4"), device=1)
    assert answer["error"] == ("tensorrt-rtx: there is no GPU 1: 1 can be seen, numbered from 0")


def test_its_sizes_are_in_the_profile_or_in_the_model(
    tiny_models: ModuleType, tmp_path: Path
) -> None:
    spec = read_spec(tiny_models.save(tiny_models.pixel_shuffle_model(), tmp_path / "m.onnx"))
    options = tensorrt_rtx.provider_options(parse_profile("1x90x160:1x270x480:4x540x960"), None)
    assert options == {
        "nv_profile_min_shapes": "frames:1x90x160x3",
        "nv_profile_opt_shapes": "frames:1x270x480x3",
        "nv_profile_max_shapes": "frames:4x540x960x3",
    }
    assert tensorrt_rtx.provider_options(parse_profile("8x8"), tmp_path) == {
        "enable_cuda_graph": "1",
        "nv_persistent_context_memory": "1",
        "nv_runtime_cache_path": str(tmp_path),
    }
    import onnx

    fixed = onnx.load_model_from_string(tensorrt_rtx.sized_model(spec, parse_profile("8x9")))
    sizes = [
        [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (fixed.graph.input[0], fixed.graph.output[0])
    ]
    assert sizes == [[1, 8, 9, 3], [1, 32, 36, 3]]


def in_child(script: str, *arguments: str) -> Any:  # noqa: ANN401 - what it prints, as JSON
    command = [sys.executable, "-c", script, *arguments]
    child = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return json.loads(child.stdout.splitlines()[-1])


_FAILURE = """
import json, pathlib
from framelift.common.errors import FrameliftError
from framelift.runtime.backends import tensorrt_rtx
from framelift.runtime.machine import nvidia
nvidia.device_nodes = lambda: [pathlib.Path("/dev/nvidia0")]
try:
    tensorrt_rtx.find_gpu(0)
except FrameliftError as error:
    print(json.dumps(str(error)))
"""


def test_without_a_driver_one_line_says_what_is_missing() -> None:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        pass
    else:
        pytest.skip("there is a driver")
    assert in_child(_FAILURE) == (
        "tensorrt-rtx cannot run on this machine: libcuda.so.1: cannot open shared object "
        "file: No such file or directory (that library comes with the NVIDIA driver: install it, "
        "or make it available in the container)"
    )


_LOADED = """
import ctypes, json, pathlib, sys
from framelift.runtime.backends import tensorrt_rtx
from framelift.runtime.machine import nvidia
from framelift.runtime.ort.plugins import devices
for name in ("libcuda.so.1.so", "libnvidia-ml.so.1.so"):
    ctypes.CDLL(f"{sys.argv[1]}/{name}")
found = devices(tensorrt_rtx.PLUGIN)
maps = pathlib.Path("/proc/self/maps").read_text()
print(json.dumps({
    "devices": len(found),
    "cudart": sorted({line.split()[-1] for line in maps.splitlines() if "libcudart" in line}),
    "global": hasattr(ctypes.CDLL(None), "createInferBuilder_INTERNAL"),
}))
"""


def test_the_cuda_runtime_beside_it_is_found_and_nothing_is_made_global(listed_gpu: Path) -> None:
    """The plug-in asks the loader for libcudart.so.13, which a machine with a driver alone lacks.

    TensorRT for RTX defines functions of the names of TensorRT's, whose bindings would call them.
    """
    facts = in_child(_LOADED, str(listed_gpu))
    spec = importlib.util.find_spec(tensorrt_rtx.PLUGIN.package)
    assert spec is not None
    (folder,) = spec.submodule_search_locations or []
    assert facts["devices"] == 0
    assert [Path(path).parent for path in facts["cudart"]] == [Path(folder)]
    assert facts["global"] is False
