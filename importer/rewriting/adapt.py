"""Makes a foreign graph take and return float RGB in 0–1, N×3×H×W, as exports do.

`export/graph/contract.py` then puts the frame contract around it and folds what it can. What
differs is folded into the network's own convolutions where that is exact, and is a 1×1 convolution
elsewhere.
Half precision begins and ends inside: all arithmetic on code values is in float32.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ...runtime.models.graph import Graph, attributes
from ...runtime.models.tensors import all_nodes
from ..inspection.convention import CHROMA_BORDER, FROM_YCC, TO_YCC, Convention, enlarged
from ..inspection.foreign import Foreign
from .names import prefix_names

_INPUT, _OUTPUT = "rgb", "rgb_upscaled"
_PREFIX = "net."
_RGB_FROM_YCC = FROM_YCC[::-1]
Matrix = NDArray[np.float64]


def as_core(
    foreign: Foreign,
    convention: Convention,
    scale: int,
    *,
    window: int,
    picture: int,
    output_shape: tuple[int, ...],
    border: int = 0,
) -> onnx.ModelProto:
    """The network as a core for the frame contract.

    `output_shape` is one that the file gave. The frame is put into a `border` of repeated edges. Of
    a `window` above 1 the core takes as many frames, window×3×H×W, and returns one, `picture` of
    those that come out should they be several.
    """
    core = _Core(foreign)
    core.enter(convention, window, border)
    core.leave(convention, scale, window, picture, output_shape)
    return helper.make_model(
        helper.make_graph(
            core.nodes,
            "core",
            [helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, ["n", 3, "h", "w"])],
            [helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, ["n", 3, "sh", "sw"])],
            core.used_tensors(),
        ),
        opset_imports=foreign.model.opset_import,
        ir_version=foreign.model.ir_version,
    )


class _Core(Graph):
    def __init__(self, foreign: Foreign) -> None:
        graph = onnx.GraphProto()
        graph.CopyFrom(foreign.model.graph)
        stored = {tensor.name for tensor in graph.initializer}
        for value in [value for value in graph.input if value.name in stored]:
            graph.input.remove(value)  # as files of the first ONNX versions list their weights
        prefix_names(graph, _PREFIX)
        super().__init__(graph)
        self._is_half = foreign.dtype is np.float16
        self._gives_half = graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT16
        self._is_sequence = foreign.is_sequence
        self._is_nested = len(list(all_nodes(graph))) > len(graph.node)
        self._head: list[onnx.NodeProto] = []

    def enter(self, convention: Convention, window: int, border: int) -> None:
        """From RGB in 0–1 to the network's input."""
        matrix, offset = convention.entry()
        matrix = matrix[:, ::-1] * 255
        if border or not self._fold_entry(matrix, offset, window):
            value = _INPUT
            if border:
                self.constants["border"] = np.array([0, 0, border, border] * 2, np.int64)
                value = self._head_node(
                    helper.make_node("Pad", [value, "border"], ["bordered"], mode="edge")
                )
            if not _is_identity(matrix, offset):
                value = self._head_node(_affine(self, value, "given", matrix, offset))
            value = self._stacked(value, len(matrix), window)
            if self._is_half:
                value = self._head_node(
                    helper.make_node("Cast", [value], ["given_half"], to=TensorProto.FLOAT16)
                )
            self._head_node(helper.make_node("Identity", [value], [self.input], "to_network"))
        self.nodes[:0] = self._head
        self.input = _INPUT

    def leave(
        self,
        convention: Convention,
        scale: int,
        window: int,
        picture: int,
        output_shape: tuple[int, ...],
    ) -> None:
        """From the network's output to RGB in 0–1."""
        matrix, offset = convention.exit()
        matrix, offset = matrix[::-1] / 255, offset[::-1] / 255
        if self._gives_half:
            self._to_single()
        value = self._chosen(picture, window, output_shape)
        if not _is_identity(matrix, offset):
            value = self._turned(value, matrix, offset)
        if convention.channels == 1:
            value = self._with_chroma(value, scale)
        self.nodes.append(helper.make_node("Identity", [value], [_OUTPUT], "from_network"))
        self.output = _OUTPUT
        self._drop_identities()

    def _head_node(self, node: onnx.NodeProto) -> str:
        self._head.append(node)
        return str(node.output[0])

    def _tail_node(self, node: onnx.NodeProto) -> str:
        self.nodes.append(node)
        return str(node.output[0])

    def _fold_entry(self, matrix: Matrix, offset: Matrix, window: int) -> bool:
        """Whether the matrix could go into the convolutions that read the input.

        Padding with zeros is black before and after, which holds without an offset alone.
        """
        readers = self.consumers(self.input)
        foldable = not (offset.any() or self._is_half or self._is_sequence or self._is_nested)
        if window > 1 or not foldable or self.output == self.input:
            return False
        if not all(self._is_plain_conv(node) and node.input[0] == self.input for node in readers):
            return False
        for conv in readers:
            weight, bias = self.conv_parameters(conv)
            self.set_conv_parameters(conv, np.einsum("ochw,ck->okhw", weight, matrix), bias)
        self.replace_uses(self.input, _INPUT)
        return True

    def _is_plain_conv(self, node: onnx.NodeProto) -> bool:
        if node.op_type != "Conv" or attributes(node).get("group", 1) != 1:
            return False
        stored = [self.constants.get(name) for name in node.input[1:] if name]
        return all(tensor is not None and tensor.dtype == np.float32 for tensor in stored)

    def _stacked(self, value: str, channels: int, window: int) -> str:
        """N×C×H×W as the network's N×C×H×W, 1×(T·C)×H×W or 1×T×C×H×W."""
        if self._is_sequence:
            self.constants["axis_0"] = np.array([0], np.int64)
            return self._head_node(helper.make_node("Unsqueeze", [value, "axis_0"], ["sequence"]))
        if window == 1:
            return value
        self.constants["stacked.shape"] = np.array([1, window * channels, 0, 0], np.int64)
        return self._head_node(helper.make_node("Reshape", [value, "stacked.shape"], ["stacked"]))

    def _to_single(self) -> None:
        """Let the output be float32; a pixel shuffle that is last comes after the conversion."""
        last = self.producer(self.output)
        source = self.output
        if last is not None and last.op_type == "DepthToSpace" and not self._is_nested:
            source = last.input[0]
        cast = helper.make_node("Cast", [source], ["single"], to=TensorProto.FLOAT)
        if last is not None and source != self.output:
            last.input[0] = "single"
            self.nodes.insert(self.nodes.index(last), cast)
        else:
            self.nodes.append(cast)
            self.output = "single"

    def _chosen(self, picture: int, window: int, shape: tuple[int, ...]) -> str:
        """The one picture of an output of that shape, N×C×H×W."""
        if len(shape) == 5:
            self.constants["picture"] = np.array(picture, np.int64)
            return self._tail_node(
                helper.make_node("Gather", [self.output, "picture"], ["chosen"], axis=1)
            )
        if window == 1 or (shape[0] == 1 and shape[1] <= 4):
            return self.output
        axis, step = (0, 1) if shape[0] == window else (1, shape[1] // window)
        bounds = {"from": picture * step, "to": (picture + 1) * step, "axis": axis}
        names = []
        for name, number in bounds.items():
            names.append(f"chosen.{name}")
            self.constants[names[-1]] = np.array([number], np.int64)
        return self._tail_node(helper.make_node("Slice", [self.output, *names], ["chosen"]))

    def _turned(self, value: str, matrix: Matrix, offset: Matrix) -> str:
        """`matrix` and `offset` on the channels of a value, before a last pixel shuffle."""
        last = self.producer(value)
        shuffle = last if last is not None and self._shuffles(last) else None
        if shuffle is not None:
            repeats = int(attributes(shuffle)["blocksize"]) ** 2
            matrix = np.asarray(np.kron(matrix, np.eye(repeats)), np.float64)
            offset = np.repeat(offset, repeats)
        source = value if shuffle is None else shuffle.input[0]
        conv = self.producer(source)
        readers = [] if shuffle is None else [shuffle]
        read_once = self.consumers(source) == readers and not self._is_nested
        if conv is not None and self._is_plain_conv(conv) and read_once:
            weight, bias = self.conv_parameters(conv)
            turned: Matrix = np.einsum("oc,cihw->oihw", matrix, weight.astype(np.float64))
            self.set_conv_parameters(conv, turned, matrix @ bias + offset)
            return value
        node = _affine(self, source, "taken", matrix, offset)
        if shuffle is None:
            return self._tail_node(node)
        self.nodes.insert(self.nodes.index(shuffle), node)
        shuffle.input[0] = node.output[0]
        return value

    def _shuffles(self, node: onnx.NodeProto) -> bool:
        if node.op_type != "DepthToSpace" or attributes(node).get("mode", b"DCR") != b"CRD":
            return False
        return not self.consumers(node.output[0]) and not self._is_nested

    def _with_chroma(self, luma: str, scale: int) -> str:
        """RGB of a network's luma and of the frame's colours, enlarged bicubically."""
        chroma = self._tail_node(_affine(self, _INPUT, "chroma", TO_YCC[1:, ::-1], np.zeros(2)))
        if scale > 1:
            border = [0, 0, CHROMA_BORDER, CHROMA_BORDER]
            self.constants["chroma.border"] = np.array(border * 2, np.int64)
            self.set_constant("chroma.bicubic", _bicubic(scale))
            for node in (
                helper.make_node("Pad", [chroma, "chroma.border"], ["chroma_padded"], mode="edge"),
                helper.make_node(
                    "Conv", ["chroma_padded", "chroma.bicubic"], ["chroma_phases"], group=2
                ),
                helper.make_node(
                    "DepthToSpace", ["chroma_phases"], ["chroma_big"], blocksize=scale, mode="CRD"
                ),
            ):
                chroma = self._tail_node(node)
        joined = self._tail_node(helper.make_node("Concat", [luma, chroma], ["ycc"], axis=1))
        return self._tail_node(_affine(self, joined, "to_colour", _RGB_FROM_YCC, np.zeros(3)))

    def _drop_identities(self) -> None:
        """Remove the two at the ends where nothing needs the names that they keep."""
        if self._is_nested:
            return
        for node in [n for n in self.nodes if n.name in ("to_network", "from_network")]:
            source, output = node.input[0], node.output[0]
            producer = self.producer(source)
            if node.name == "to_network":
                self.nodes.remove(node)
                self.replace_uses(output, source)
            elif producer is not None and self.consumers(source) == [node]:
                self.nodes.remove(node)
                producer.output[list(producer.output).index(source)] = output


def _affine(graph: Graph, value: str, name: str, matrix: Matrix, offset: Matrix) -> onnx.NodeProto:
    """A 1×1 convolution that makes channels by a matrix and an offset."""
    inputs = [value, graph.set_constant(f"{name}.weight", matrix[:, :, None, None])]
    if offset.any():
        inputs.append(graph.set_constant(f"{name}.bias", offset))
    return helper.make_node("Conv", inputs, [f"{name}_values"], name, kernel_shape=[1, 1])


def _is_identity(matrix: Matrix, offset: Matrix) -> bool:
    square = matrix.shape[0] == matrix.shape[1]
    return square and not offset.any() and np.allclose(matrix, np.eye(len(matrix)))


def _bicubic(scale: int) -> Matrix:
    """Kernels (2·s²)×1×5×5 that give the s² pixels of each input pixel, for two channels."""
    side = 2 * CHROMA_BORDER + 1
    middle = 2 * side // 2
    step = np.zeros((1, 2 * side, 2 * side, 1))
    step[0, middle] = 1
    response = enlarged(step, scale)[0, :, scale * middle, 0]
    taps = np.array(
        [
            [
                response[scale * (middle - d) + phase]
                for d in range(-CHROMA_BORDER, CHROMA_BORDER + 1)
            ]
            for phase in range(scale)
        ]
    )
    kernels = np.einsum("rh,kw->rkhw", taps, taps).reshape(scale**2, 1, side, side)
    return np.tile(kernels, (2, 1, 1, 1))
