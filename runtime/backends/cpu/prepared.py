"""The graph of a model as ONNX Runtime's CPU provider runs it fast, and what is known of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from ...models.file import ModelSpec
from ...models.remembered import Facts, remembered
from . import saturation
from .grouped import group_pixels
from .interleaved import interleave_tail
from .packed import pack_tail
from .placeless import is_placeless
from .widen import has_half, widen, widened_bytes

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Prepared:
    """A model for `OnnxCpuSession`.

    Attributes:
        activation_bytes: what the network takes per input pixel as it is computed.
        exact_regions: whether all places have the same bits, see `placeless`.
        widened: whether it was fp16.
        held_channels: how many channels have a coarser step, see `saturation.hold_sums`.
        packed: whether it ends in packed whole numbers, see `packed.pack_tail`.
        interleaved: how many channels these have in the order of `interleaved.interleave_tail`, 0
            if they are not in it.
        model: serialised.
    """

    activation_bytes: int
    exact_regions: bool
    widened: bool
    held_channels: int
    packed: bool
    interleaved: int
    model: bytes


def prepared(spec: ModelSpec, *, pack: bool) -> Prepared:
    """The model for this processor; `pack` False leaves the graph's own pixel shuffle."""

    def make() -> tuple[Facts, bytes]:
        found = _prepare(spec, spec.model(), pack)
        facts = asdict(found)
        return facts, facts.pop("model")

    besides = (pack, spec.activation_bytes, saturation.has_vnni(), saturation.adds_in_16_bits())
    names = {one.name for one in fields(Prepared)} - {"model"}
    facts, model = remembered("cpu", spec.data, repr((*besides, spec.metadata)), names, make)
    return Prepared(**{**facts, "model": model})


def _prepare(spec: ModelSpec, model: onnx.ModelProto, pack: bool) -> Prepared:
    widened = has_half(model.graph)
    widen(model.graph)
    activation_bytes = widened_bytes(spec, model) if widened else spec.activation_bytes
    exact_regions = is_placeless(model.graph)
    held_channels = saturation.prepare_int8(model)
    if saturation.has_vnni():
        group_pixels(model)
    packed = pack and pack_tail(model, spec.scale)
    interleaved = interleave_tail(model, spec.scale) if packed else 0
    return Prepared(
        activation_bytes,
        exact_regions,
        widened,
        held_channels,
        packed,
        interleaved,
        model.SerializeToString(),
    )
