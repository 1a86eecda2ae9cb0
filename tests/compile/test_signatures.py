"""The simulated TensorRT has the methods and arguments of NVIDIA's own bindings."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from types import ModuleType

import pytest

pytestmark = pytest.mark.compile

# pybind11 puts each signature into the first lines of the documentation.
_DUMP = r"""
import inspect, json, re
from framelift.runtime.tensorrt.bindings.rtx import load_rtx

def arguments(text):
    found = []
    for line in text.splitlines():
        match = re.match(r"(?:\d+\. )?\w+\((.*)\) -> ", line)
        if match:
            names = re.findall(r"(?:^|, )\*{0,2}(\w+): ", match[1])
            found.append(names)
    return found

classes = {
    name: {
        method: arguments(function.__doc__ or "")
        for method, function in vars(kind).items()
        if not method.startswith("_") and callable(function)
    }
    for name, kind in vars(load_rtx().trt).items()
    if inspect.isclass(kind)
}
print(json.dumps(classes))
"""

_NAMES = {
    "Network": "INetworkDefinition",
    "Context": "IExecutionContext",
    "Inspector": "EngineInspector",
}


def test_simulation_has_the_signatures_of_the_bindings(simulated_gpu: ModuleType) -> None:
    child = subprocess.run(
        [sys.executable, "-c", _DUMP], check=True, capture_output=True, text=True
    )
    real: dict[str, dict[str, list[list[str]]]] = json.loads(child.stdout)
    module = simulated_gpu.tensorrt(simulated_gpu.Gpu(), "11.4.0")
    compared = 0
    for name, simulated in vars(module).items():
        wanted = real.get(_NAMES.get(name, name))
        if not inspect.isclass(simulated) or wanted is None:
            continue
        for method, function in vars(simulated).items():
            if not inspect.isfunction(function) or method.startswith("_"):
                continue
            names = list(inspect.signature(function).parameters)
            assert names in wanted[method], f"{name}.{method}: {names}, not {wanted[method]}"
            compared += 1
    assert compared >= 25
