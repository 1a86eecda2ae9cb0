"""Keeps int8 models right on processors that add pairs of products in 16 bits.

x86 without VNNI multiplies uint8 activations by int8 weights in pairs (`vpmaddubsw`) and cuts each
sum of two products at 16 bits. Where two neighbouring weights add up to more than 128, bright
activations run into that: single values were wrong by 111 codes. What `framelift export` writes
stays below (`export.int8.rounding`). In other files, channels whose weights could do it get a
coarser step here, which loses 0.03 to 0.2 dB. ONNX Runtime's own remedy, unsigned weights, takes as
long as fp32 (0.95 of it).
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...models.graph import Graph
from .integer import INT8_LIMIT, run_in_integers

if TYPE_CHECKING:
    import onnx

_VNNI = {"avx512_vnni", "avx_vnni", "amx_int8"}
_NONE = np.empty(0)
_LARGEST_SUM = 128  # 255 · 128 = 32640, the last below 2¹⁵


def prepare_int8(model: onnx.ModelProto) -> int:
    """Give an int8 model the form that this processor is fast and right with, in place.

    Other models are left alone.

    Returns:
        How many output channels got a coarser step.
    """
    run_in_integers(model)
    return hold_sums(model) if adds_in_16_bits() else 0


def adds_in_16_bits(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this processor may cut off sums of two products: x86 that is not known to have VNNI.

    Args:
        cpuinfo: what the kernel says of the processors.
    """
    return _is_x86() and not has_vnni(cpuinfo)


def has_vnni(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this is an x86 processor that is known to have VNNI."""
    if not _is_x86():
        return False
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not _VNNI.isdisjoint(flags.split())


def _is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


def hold_sums(model: onnx.ModelProto) -> int:
    """Give weights a coarser step where two neighbours could exceed 16 bits, in place.

    Convolutions of uint8 activations by int8 weights with a step for each output channel and an
    int32 bias are looked at; others are left alone, and so are those of activations that end at
    127, as `integer.run_in_integers` makes them: 127 · (127 + 127) is below 2¹⁵.

    Returns:
        How many output channels were changed.
    """
    graph = Graph(model.graph)
    values = dict(graph.constants)
    shares_of: dict[str, NDArray[np.float64]] = {}
    for conv in graph.nodes:
        sources = [graph.producer(name, "DequantizeLinear") for name in conv.input]
        found = [list(node.input) for node in sources if node is not None and len(node.input) == 3]
        if conv.op_type != "Conv" or len(found) != 3 or _limited(graph, found[0][0]):
            continue
        weight, bias = found[1:]
        codes, steps, offsets, units = (values.get(n, _NONE) for n in (*weight[:2], *bias[:2]))
        zero = values.get(found[0][2], _NONE)
        if zero.dtype != np.uint8 or codes.dtype != np.int8 or offsets.dtype != np.int32:
            continue
        if not len(codes) == steps.size == offsets.size == units.size:
            continue
        shares = shares_of.setdefault(weight[0], pair_shares(codes))
        # From the old values always, should convolutions share their weights.
        column = shares[:, None, None, None]
        graph.set_constant(weight[0], np.rint(codes * column), np.int8)
        graph.set_constant(weight[1], steps / shares)
        graph.set_constant(bias[0], np.rint(offsets * shares), np.int32)
        graph.set_constant(bias[1], units / shares)
    if shares_of:
        graph.write_to(model.graph)
    return sum(int((shares < 1).sum()) for shares in shares_of.values())


def _limited(graph: Graph, codes: str) -> bool:
    """Whether these codes end where int8 ends."""
    clip = graph.producer(codes, "Clip")
    limit = graph.constants.get(clip.input[2]) if clip and len(clip.input) == 3 else None
    return limit is not None and limit.size == 1 and int(limit.item()) <= INT8_LIMIT


def pair_shares(codes: NDArray[Any]) -> NDArray[np.float64]:
    """By what each output channel's weights are to be multiplied, at most 1.

    Neighbours are those that ONNX Runtime may multiply together: along input channels, in the order
    in which it runs on processors (channels last), or along the kernel's columns.
    """
    whole = codes.astype(np.int64)
    worst = np.zeros(len(whole))
    for order in (whole, whole.transpose(0, 2, 3, 1)):
        row = order.reshape(len(whole), -1)
        row = np.pad(row, ((0, 0), (0, row.shape[1] % 2)))
        worst = np.maximum(worst, np.abs(row[:, 0::2] + row[:, 1::2]).max(1))
    # Rounding may add one to a sum.
    return np.where(worst > _LARGEST_SUM, (_LARGEST_SUM - 1) / np.maximum(worst, 1), 1.0)
