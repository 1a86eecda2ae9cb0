"""A model's graph with the types of its values, as the rules of `framelift check` look at it."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ...runtime.models.graph import attributes
from ...runtime.models.int8_form import is_for_processors
from ...runtime.models.tensors import all_nodes


class TypedGraph:
    """A graph whose values' types were inferred, with the graphs inside its nodes."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = list(all_nodes(model.graph))
        inner = [item.g for node in self.nodes for item in node.attribute if item.HasField("g")]
        graphs = [model.graph, *inner]
        self.constants = {tensor.name: tensor for graph in graphs for tensor in graph.initializer}
        for node in self.nodes:
            value = attributes(node).get("value") if node.op_type == "Constant" else None
            if isinstance(value, onnx.TensorProto):
                self.constants[node.output[0]] = value
        self.inputs = {value.name for value in model.graph.input} - set(self.constants)
        self.outputs = {value.name for value in model.graph.output}
        inferred = [value for graph in graphs for value in graph.value_info]
        ends = [value for graph in graphs for value in (*graph.input, *graph.output)]
        self.types = {value.name: value.type.tensor_type.elem_type for value in (*ends, *inferred)}
        self.types |= {name: tensor.data_type for name, tensor in self.constants.items()}
        self.computed = self._reached(())
        """The values that depend on the inputs in any way."""
        self.varying = self._reached(("Shape", "Size"))
        """Those that depend on what is in the inputs, not only on their shapes."""
        self.for_processors = is_for_processors(model)
        self.unranked = {
            value.name for value in inferred if not value.type.tensor_type.HasField("shape")
        }

    def _reached(self, ending: tuple[str, ...]) -> set[str]:
        """The values that depend on the inputs otherwise than through the operators `ending`."""
        reached = set(self.inputs)
        for node in self.nodes:
            if node.op_type not in ending and reached.intersection(node.input):
                reached.update(node.output)
        return reached - {""}

    def array(self, name: str) -> NDArray[np.generic] | None:
        """A constant's values, if they are in the file."""
        tensor = self.constants.get(name)
        if tensor is None or tensor.data_location == onnx.TensorProto.EXTERNAL:
            return None
        values: NDArray[np.generic] = numpy_helper.to_array(tensor)
        return values
