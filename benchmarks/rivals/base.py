"""What all rivals have in common."""

from __future__ import annotations

from pathlib import Path

import onnx

from ...runtime.backends.cpu.saturation import prepare_int8
from ...runtime.machine.host import available_processors, processor_name
from ...runtime.models.file import ModelSpec, load
from ...runtime.models.zoo import resolve
from ..shared.float_network import float_network
from ..shared.frames import Frames
from ..shared.graph_cost import fix_shape
from ..shared.settings import LatencySettings


class Rival:
    """Runs a network on frames of one shape; see `contender.Contender`."""

    def __init__(self, name: str, scale: int, precision: str, case: LatencySettings) -> None:
        self.name = name
        self.scale = scale
        self.precision = precision
        self.engine = ""
        self.device = processor_name()
        self.threads = case.threads or available_processors()

    def __call__(self, frame: Frames, out: Frames | None = None) -> Frames:
        """uint8 [N×]H×W×3 BGR of the case's shape to a new array; `out` is not used."""
        raise NotImplementedError

    def describe(self) -> dict[str, str | int]:
        """What runs."""
        return {
            "backend": self.name,
            "engine": self.engine,
            "device": self.device,
            "precision": self.precision,
            "threads": self.threads,
        }

    def close(self) -> None:
        """Free what it holds."""


def plain_network(model: str | Path, case: LatencySettings) -> tuple[ModelSpec, onnx.ModelProto]:
    """The float network of a framelift model, at the case's fixed shape. Raises ModelError."""
    spec, proto = load(resolve(model))
    prepare_int8(proto)  # where the model is int8: the form that this CPU is fast and right with
    network = float_network(proto, spec.name)
    fix_shape(network, (case.batch, 3, case.height, case.width))
    return spec, onnx.shape_inference.infer_shapes(network)
