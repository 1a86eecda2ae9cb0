"""TensorRT, simulated on `simulated_cuda` as far as framelift uses it.

Engines upscale by repeating pixels, whatever the model. What is said of the simulation there holds
here too. It stays for what the real library does not show without a GPU: running an engine, GPUs of
this machine, timing caches, the inspector; tests/compile/ has the rest.
"""

# ruff: noqa: ANN401 - handles and messages of TensorRT have no common types

from __future__ import annotations

import ctypes
import enum
import json
import sys
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

from framelift.runtime.machine import nvidia

from .simulated_cuda import Gpu, cuda_runtime, install_cuda

__all__ = ["Gpu", "ParserError", "cuda_runtime", "install", "tensorrt"]


class ErrorCode(enum.Enum):
    UNSUPPORTED_NODE = 7


@dataclass
class ParserError:
    """One complaint of the simulated parser."""

    name: str
    operator: str
    text: str

    def node_name(self) -> str:
        return self.name

    def node_operator(self) -> str:
        return self.operator

    def desc(self) -> str:
        return self.text

    def code(self) -> enum.Enum:
        return ErrorCode.UNSUPPORTED_NODE


def tensorrt(gpu: Gpu, version: str) -> ModuleType:
    """`tensorrt` of that version."""
    module = ModuleType("tensorrt")
    module.__spec__ = ModuleSpec("tensorrt", None)

    class ILogger:
        Severity = enum.Enum("Severity", ["INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"])

        def log(self, severity: Any, msg: str) -> None:
            raise NotImplementedError

    class IProgressMonitor:
        pass

    loggers: list[ILogger] = []

    def refused(call: str) -> bool:
        """Whether the test wants this call to fail; it is then in the log, as in TensorRT's."""
        if call not in gpu.refuses:
            return False
        loggers[-1].log(ILogger.Severity.ERROR, f"IExecutionContext::{call}: Error Code 4")
        return True

    class Network:
        def __init__(self, flags: int) -> None:
            self.flags = flags
            self.model: onnx.ModelProto | None = None
            self.parsers: list[OnnxParser] = []

    class OnnxParser:
        """Kept by its network and not keeping it, as the bindings do it."""

        def __init__(self, network: Network, logger: ILogger) -> None:
            self._network = weakref.ref(network)
            network.parsers.append(self)

        @property
        def network(self) -> Network:
            network = self._network()
            assert network is not None, "the network is gone: TensorRT ends the process here"
            return network

        def supports_model_v2(self, model: bytes, path: str | None = None) -> bool:
            return self.parse(model, path)

        def parse(self, model: bytes, path: str | None = None) -> bool:
            assert self.network.model is None, "the network is not empty"
            self.network.model = onnx.load_model_from_string(model)
            return not gpu.parser_errors

        @property
        def num_errors(self) -> int:
            return len(gpu.parser_errors)

        def get_error(self, index: int) -> ParserError:
            error: ParserError = gpu.parser_errors[index]
            return error

    class IOptimizationProfile:
        def set_shape(
            self,
            input: str,
            min: Sequence[int],
            opt: Sequence[int],
            max: Sequence[int],
        ) -> None:
            self.shapes = {input: (tuple(min), tuple(opt), tuple(max))}

    class Memory(bytes):
        pass

    class ITimingCache:
        def __init__(self, data: bytes) -> None:
            self.data = data

        def serialize(self) -> Memory:
            return Memory(self.data + b"+")

    class IBuilderConfig:
        progress_monitor: Any
        builder_optimization_level = 3
        max_aux_streams = -1
        profiling_verbosity = "layer names only"

        def __init__(self) -> None:
            self.flags = {"TF32"}
            self.profiles: list[IOptimizationProfile] = []

        def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
            self.profiles.append(profile)
            return len(self.profiles) - 1

        def set_flag(self, flag: str) -> None:
            self.flags.add(flag)

        def clear_flag(self, flag: str) -> None:
            self.flags.discard(flag)

        def set_preview_feature(self, feature: str, enable: bool) -> None:
            self.preview = {feature: enable}

        def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
            return ITimingCache(serialized_timing_cache)

        def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
            if cache.data and gpu.refuse_timings:
                return False
            self.cache = cache
            return True

        def get_timing_cache(self) -> ITimingCache:
            return self.cache

    class Builder:
        def __init__(self, logger: ILogger) -> None:
            if gpu.devices == 0:
                logger.log(ILogger.Severity.ERROR, "CUDA initialization failure with error: 35")
                raise TypeError("pybind11::init(): factory function returned nullptr")
            self.logger = logger

        def create_network(self, flags: int = 0) -> Network:
            return Network(flags)

        def create_builder_config(self) -> IBuilderConfig:
            return IBuilderConfig()

        def create_optimization_profile(self) -> IOptimizationProfile:
            return IOptimizationProfile()

        def build_serialized_network(
            self, network: Network, config: IBuilderConfig
        ) -> Memory | None:
            assert network.model is not None
            scale = next(
                int(p.value) for p in network.model.metadata_props if p.key == "framelift.scale"
            )
            nodes = [
                node.name or f"node_of_{node.output[0]}"
                for node in network.model.graph.node
                if node.op_type == "Conv"
            ]
            (profile,) = config.profiles
            gpu.builds.append(
                {
                    "device": gpu.current_device,
                    "network_flags": network.flags,
                    "tf32": "TF32" in config.flags,
                    "level": config.builder_optimization_level,
                    "aux_streams": config.max_aux_streams,
                    "detailed": config.profiling_verbosity == "detailed",
                    "timings": config.cache.data,
                    "shapes": profile.shapes["frames"],
                }
            )
            monitor = config.progress_monitor
            monitor.phase_start("Building Engine", None, 2)
            monitor.step_complete("Building Engine", 0)
            gpu.during_build()
            go_on = monitor.step_complete("Building Engine", 1)
            monitor.phase_finish("Building Engine")
            if not go_on:
                return None
            low, _, high = profile.shapes["frames"]
            plan = {"scale": scale, "low": low, "high": high, "convolutions": nodes}
            return Memory(json.dumps(plan).encode())

    class Context:
        shape: tuple[int, ...] = ()
        active_optimization_profile = -1

        def __init__(self, engine: ICudaEngine) -> None:
            self.engine = engine
            self.addresses: dict[str, int] = {}
            self.memory = 0

        def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
            if refused("set_optimization_profile_async"):
                return False
            assert stream_handle in gpu.streams
            self.active_optimization_profile = profile_index
            return True

        def set_input_shape(self, name: str, shape: Sequence[int]) -> bool:
            assert self.active_optimization_profile == 0
            if refused("set_input_shape"):
                return False
            low, high = self.engine.plan["low"], self.engine.plan["high"]
            self.shape = tuple(shape)
            return all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True))

        def update_device_memory_size_for_shapes(self) -> int:
            assert self.shape
            return 0 if refused("update_device_memory_size_for_shapes") else 64

        def set_device_memory(self, memory: int, size: int) -> None:
            assert len(gpu.live[memory]) >= size
            self.memory = memory

        def set_tensor_address(self, name: str, memory: int) -> bool:
            if refused("set_tensor_address"):
                return False
            self.addresses[name] = memory
            return True

        def execute_async_v3(self, stream_handle: int) -> bool:
            if refused("execute_async_v3"):
                return False
            source, target = self.addresses["frames"], self.addresses["upscaled"]
            shape, scale, scratch = self.shape, self.engine.plan["scale"], self.memory

            def work() -> None:
                assert scratch in gpu.live
                size = int(np.prod(shape))
                block = (ctypes.c_uint8 * size).from_address(source)
                frames = np.ctypeslib.as_array(block).reshape(shape)
                big = frames.repeat(scale, 1).repeat(scale, 2)
                ctypes.memmove(target, np.ascontiguousarray(big).ctypes.data, big.size)

            stream = gpu.streams[stream_handle]
            gpu.launches.append("capture" if stream.capture is not None else "enqueue")
            if stream.capture is not None:
                gpu.during_capture()
            gpu.queue(stream, work)
            return True

    class Inspector:
        def __init__(self, engine: ICudaEngine) -> None:
            self.engine = engine

        def get_engine_information(self, format: str) -> str:
            kind = gpu.inspected_type
            tensor = {"DataType": kind} if version.startswith("11") else {"Format/Datatype": kind}
            return json.dumps(
                {
                    "Layers": [
                        {
                            "Name": "conv",
                            "LayerType": "CaskConvolution",
                            "Inputs": [tensor],
                            "Outputs": [tensor],
                            "Metadata": f"[ONNX Layer: {name}]",
                        }
                        for name in self.engine.plan["convolutions"]
                    ]
                }
            )

    class ICudaEngine:
        device_memory_size_v2 = 64

        def __init__(self, plan: dict[str, Any]) -> None:
            self.plan = plan

        def get_tensor_dtype(self, name: str) -> str:
            return "uint8"

        def create_engine_inspector(self) -> Inspector:
            return Inspector(self)

        def create_execution_context(self, strategy: str) -> Context | None:
            assert strategy == "user managed"
            return None if refused("create_execution_context") else Context(self)

    class Runtime:
        def __init__(self, logger: ILogger) -> None:
            self.logger = logger
            loggers.append(logger)
            if refused("create_runtime"):
                raise TypeError("pybind11::init(): factory function returned nullptr")

        def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
            try:
                return ICudaEngine(json.loads(serialized_engine))
            except ValueError:
                self.logger.log(ILogger.Severity.ERROR, "Magic tag does not match")
                return None

    for value in list(locals().values()):
        if isinstance(value, type):
            setattr(module, value.__name__, value)
    NetworkDefinitionCreationFlag = enum.IntEnum(  # noqa: N806
        "NetworkDefinitionCreationFlag", {"STRONGLY_TYPED": 1}
    )
    for name, members in {
        "BuilderFlag": {"TF32": "TF32"},
        "DataType": {"UINT8": "uint8"},
        "ExecutionContextAllocationStrategy": {"USER_MANAGED": "user managed"},
        "LayerInformationFormat": {"JSON": "json"},
        "PreviewFeature": {"RUNTIME_ACTIVATION_RESIZE_10_10": "resize"},
        "ProfilingVerbosity": {"DETAILED": "detailed"},
    }.items():
        setattr(module, name, type(name, (), members))
    module.__dict__.update(
        {"__version__": version, "NetworkDefinitionCreationFlag": NetworkDefinitionCreationFlag}
    )
    return module


def install(monkeypatch: pytest.MonkeyPatch, gpu: Gpu, version: str = "11.4.0.106") -> Gpu:
    """Put both libraries where `import` finds them, and a GPU where framelift looks for one."""
    install_cuda(monkeypatch, gpu)
    monkeypatch.setitem(sys.modules, "tensorrt", tensorrt(gpu, version))
    monkeypatch.setattr(nvidia, "device_nodes", lambda: ["/dev/nvidia0"])
    return gpu
