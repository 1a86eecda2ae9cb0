"""The pixel shuffle of int8 models whose last convolution has its channels in another order.

ONNX Runtime computes int8 models with the channels of a pixel beside each other. If these are in
the order sub-row, sub-column, colour, each sub-row of a pixel is a few bytes that lie in the result
as they do there, and OpenCV copies them as words. Reading the channels as planes took 1 ms more of
the 31 ms of the small network at 480×270 (one thread of a Zen 5).

ONNX Runtime's fast integer convolution wants a multiple of 16 output channels. For others it copies
nine times the input and multiplies that: 12 channels, of small ×2, took 7.3 ms, and 16, four of
them zeros that nobody reads, take 2.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ....common.libraries.opencv import load_cv2
from ...models.graph import Array, Graph, attributes
from ...session.protocol import Frames
from ...session.scratch import Scratch
from .packed import PACKED
from .saturation import has_vnni

if TYPE_CHECKING:
    import onnx

_ROWS_AT_ONCE = 16
_FAST_CHANNELS = 16


def interleave_tail(model: onnx.ModelProto, scale: int) -> int:
    """Make the output `packed` of `pack_tail` N×H×W×C, in place.

    Channel (r·s + k)·3 + c is colour c of sub-row r and sub-column k. Others may follow.

    Returns:
        C, or 0, with the model unchanged, if it does not end in an int8 convolution.
    """
    import onnx

    graph = Graph(model.graph)
    last = graph.producer(PACKED, "Identity")
    quantise = None if last is None else graph.producer(last.input[0], "QuantizeLinear")
    conv = None if quantise is None else graph.producer(quantise.input[0], "Conv")
    if last is None or quantise is None or conv is None or len(conv.input) != 3:
        return 0
    found = [graph.producer(name, "DequantizeLinear") for name in conv.input[1:]]
    parameters = [node for node in found if node is not None]
    if len(parameters) != 2 or not all(
        graph.only_for(node.output[0], conv) and not graph.data_inputs(node) for node in parameters
    ):
        return 0
    steps = [graph.constants[node.input[1]] for node in parameters]
    if any(
        value.ndim and attributes(node).get("axis") != 0
        for node, value in zip(parameters, steps, strict=True)
    ):
        return 0
    order = np.arange(3 * scale**2).reshape(3, scale, scale).transpose(1, 2, 0).ravel()

    channels = len(order)
    if has_vnni():
        channels += -channels % _FAST_CHANNELS

    def ordered(name: str) -> str:
        value: Array = graph.constants[name]
        if not value.ndim or len(value) != len(order):  # one for all channels
            return name
        rest = np.zeros((channels - len(order), *value.shape[1:]), value.dtype)
        if value.dtype == np.float32:  # steps, which are above zero
            rest += 1
        value = np.concatenate((value[order], rest))
        return graph.set_constant(f"{name}.interleaved", value, value.dtype)

    for node in parameters:
        node.input[:] = [ordered(name) for name in node.input]
    graph.nodes.remove(last)
    transpose = onnx.helper.make_node("Transpose", [last.input[0]], [PACKED], perm=[0, 2, 3, 1])
    graph.nodes.append(transpose)
    dims = model.graph.output[0].type.tensor_type.shape.dim
    before = [type(dim).FromString(dim.SerializeToString()) for dim in dims]
    for dim, old in zip(dims, [before[0], before[2], before[3], before[1]], strict=True):
        dim.CopyFrom(old)
    dims[3].dim_value = channels
    graph.write_to(model.graph)
    return channels


class PixelRows:
    """Copies the sub-rows of pixels apart."""

    def __init__(self, scale: int, channels: int) -> None:
        """For pixels of that many channels, as of `interleave_tail`."""
        self.scale, self.channels = scale, channels
        size = next(size for size in (4, 2, 1) if 3 * scale % size == channels % size == 0)
        # OpenCV has no unsigned 32 bits; the values are copied only.
        self._word: np.dtype[Any] = np.dtype(np.int32 if size == 4 else f"u{size}")
        self._words = 3 * scale // size  # of one sub-row of a pixel
        numbers = range(self._words * scale)
        self._pairs = [channel for number in numbers for channel in (number, number)]

    def copy(self, pixels: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        """Write pixels, R·W·C, to rows of a picture, s·R·W·s·3."""
        rows = len(pixels)
        target = out.reshape(rows, self.scale, -1)
        self.part(pixels.reshape(rows, -1), [target[:, row] for row in range(self.scale)])

    def part(self, pixels: NDArray[np.uint8], parts: list[NDArray[np.uint8]]) -> None:
        """Write the sub-rows of pixels, R×(W·C), to s arrays R×(W·s·3)."""
        rows, word = len(pixels), self._word
        source = pixels.view(word).reshape(rows, -1, self.channels // word.itemsize)
        targets = [part.view(word).reshape(rows, -1, self._words) for part in parts]
        load_cv2().mixChannels([source], targets, self._pairs)


class Interleaved:
    """As `Reshuffle`, for the output of `interleave_tail`."""

    def __init__(self, scale: int, channels: int) -> None:
        self._rows = PixelRows(scale, channels)
        self._memory = Scratch()
        self._packed: Frames = np.empty((0, 0, 0, 0), np.uint8)

    def packed(self, count: int, height: int, width: int) -> Frames:
        """The buffer for the engine to write, N×H×W×C, of frames of H×W before scaling."""
        shape = count, height, width, self._rows.channels
        if self._packed.shape != shape:
            self._packed = self._memory.array(shape, np.dtype(np.uint8))
        return self._packed

    def into(self, out: Frames) -> None:
        """Write the reshuffled `packed` to `out`, N×(sH)×(sW)×3, C-contiguous."""
        s = self._rows.scale
        for pixels, big in zip(self._packed, out, strict=True):
            for start in range(0, len(pixels), _ROWS_AT_ONCE):
                stop = start + _ROWS_AT_ONCE
                self._rows.copy(pixels[start:stop], big[s * start : s * stop])
