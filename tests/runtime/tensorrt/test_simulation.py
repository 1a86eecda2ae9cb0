"""The simulated libraries have the signatures of the real ones, which the other tests rely on."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import ModuleType

import pytest


def _stub_classes(stub: Path) -> dict[str, dict[str, list[list[str]]]]:
    """Class name to method name to the argument names of each overload."""
    classes: dict[str, dict[str, list[list[str]]]] = {}
    for item in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(item, ast.ClassDef):
            methods = classes.setdefault(item.name, {})
            for function in item.body:
                if isinstance(function, ast.FunctionDef):
                    names = [argument.arg for argument in function.args.args]
                    methods.setdefault(function.name, []).append(names)
    return classes


@pytest.mark.parametrize("version", ["10.16", "11.4"])
def test_simulation_has_tensorrt_s_signatures(
    shared: Path, simulated_gpu: ModuleType, version: str
) -> None:
    stub = shared / "typings" / f"tensorrt-{version}" / "tensorrt.pyi"
    if not stub.is_file():
        pytest.skip(f"no stubs at {stub}")
    classes = _stub_classes(stub)
    module = simulated_gpu.tensorrt(simulated_gpu.Gpu(), f"{version}.0")
    names = {"Network": "INetworkDefinition", "Context": "IExecutionContext"}
    names |= {"Inspector": "EngineInspector"}
    compared = 0
    for name, simulated in vars(module).items():
        if not inspect.isclass(simulated) or names.get(name, name) not in classes:
            continue
        for method, function in vars(simulated).items():
            if not inspect.isfunction(function) or method.startswith("_"):
                continue
            wanted = classes[names.get(name, name)][method]
            assert list(inspect.signature(function).parameters) in wanted, f"{name}.{method}"
            compared += 1
    assert compared >= 25


def test_simulated_parsers_do_not_keep_their_networks(simulated_gpu: ModuleType) -> None:
    """tests/compile/test_lifetimes.py shows it of the real ones."""
    trt = simulated_gpu.tensorrt(simulated_gpu.Gpu(), "11.4.0")
    builder = trt.Builder(trt.ILogger())
    network = builder.create_network(0)
    kept = trt.OnnxParser(network, builder.logger)
    gone = trt.OnnxParser(builder.create_network(0), builder.logger)
    assert kept.network is network
    with pytest.raises(AssertionError, match="TensorRT ends the process here"):
        gone.parse(b"")


def test_simulation_has_cuda_python_s_signatures(simulated_gpu: ModuleType) -> None:
    real = pytest.importorskip("cuda.bindings.runtime", exc_type=ImportError)
    module = simulated_gpu.cuda_runtime(simulated_gpu.Gpu())
    functions = {name: item for name, item in vars(module).items() if inspect.isfunction(item)}
    assert len(functions) >= 20
    for name, function in functions.items():
        line = getattr(real, name).__doc__.strip().splitlines()[0]
        wanted = [part for part in line.partition("(")[2].rstrip(")").split(",") if part]
        assert len(inspect.signature(function).parameters) == len(wanted), line


def test_simulation_has_cuda_python_s_constants(simulated_gpu: ModuleType) -> None:
    real = pytest.importorskip("cuda.bindings.runtime", exc_type=ImportError)
    module = simulated_gpu.cuda_runtime(simulated_gpu.Gpu())
    for name in ("cudaStreamNonBlocking", "cudaEventBlockingSync"):
        assert int(getattr(real, name)) == getattr(module, name)
    for name in ("cudaError_t", "cudaMemcpyKind", "cudaStreamCaptureMode"):
        for member in getattr(module, name):
            assert int(getattr(getattr(real, name), member.name)) == member
