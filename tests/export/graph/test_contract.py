"""Any float RGB network is given the frame contract, the cheap way if there is one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from framelift.common.errors import ExportError
from framelift.export.graph.cleanup import clean_up
from framelift.export.graph.contract import apply_frame_contract
from framelift.export.graph.half import to_half
from framelift.export.parity.gate import Gate
from framelift.export.parity.sizes import Sizes
from framelift.export.reach.halo import graph_halo
from framelift.export.torch_export import export_core

FAST_TAIL = ["Clip", "Floor", "DepthToSpace", "Transpose", "Cast"]


class Compute(nn.Module):
    """A network of two convolutions put together by `wiring`."""

    def __init__(self, wiring: Callable[[Compute, Tensor], Tensor], outputs: int = 12) -> None:
        super().__init__()
        self.wiring = wiring
        self.first = nn.Conv2d(3, outputs, 3, padding=1)
        self.second = nn.Conv2d(3, outputs, 1)
        self.unshuffled = nn.Conv2d(12, 48, 3, padding=1)
        self.norm = nn.InstanceNorm2d(outputs, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.wiring(self, x)


def compact(net: Compute, x: Tensor) -> Tensor:
    return F.pixel_shuffle(F.relu(net.first(x)), 2) + F.interpolate(x, scale_factor=2)


def folded(net: Compute, x: Tensor) -> Tensor:
    return F.pixel_shuffle(net.first(x) + net.second(x), 2)


def preprocessed(net: Compute, x: Tensor) -> Tensor:
    return F.pixel_shuffle(net.first(x - 0.4), 2)


def gated(net: Compute, x: Tensor) -> Tensor:
    return F.pixel_shuffle(net.first(x) * torch.sigmoid(net.second(x)), 2)


def bilinear(net: Compute, x: Tensor) -> Tensor:
    return F.interpolate(F.pixel_shuffle(net.first(x), 2), scale_factor=0.5, mode="bilinear")


def unshuffled(net: Compute, x: Tensor) -> Tensor:
    return F.pixel_shuffle(net.unshuffled(F.pixel_unshuffle(x, 2)), 4)


def normed(net: Compute, x: Tensor) -> Tensor:
    return F.pixel_shuffle(net.norm(net.first(x)), 2)


def seeded(wiring: Callable[[Compute, Tensor], Tensor]) -> nn.Module:
    torch.manual_seed(0)
    return Compute(wiring).eval()


@cache
def core(
    wiring: Callable[[Compute, Tensor], Tensor], sizes: Sizes | None = None
) -> onnx.ModelProto:
    return export_core(seeded(wiring), 20, sizes)


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def assert_equal(network: nn.Module, model: onnx.ModelProto, sizes: Sizes | None = None) -> None:
    for parity in Gate(network, sizes).require(model):
        assert parity.max_difference <= 1


@pytest.mark.parametrize(
    ("wiring", "scale", "halo"),
    [
        (compact, 2, 1),
        (folded, 2, 1),
        (preprocessed, 2, 1),
        (gated, 2, 1),
        (bilinear, 1, 1),
    ],
)
def test_networks_of_any_wiring_are_wrapped(
    wiring: Callable[[Compute, Tensor], Tensor], scale: int, halo: int
) -> None:
    network = seeded(wiring)
    model = clean_up(apply_frame_contract(core(wiring), scale))
    onnx.checker.check_model(model, full_check=True)
    assert_equal(network, model)
    assert graph_halo(model, scale) == halo
    if wiring is not bilinear:
        assert operators(model)[-5:] == FAST_TAIL


def test_a_sum_of_convolutions_takes_the_conversion_into_its_weights() -> None:
    model = apply_frame_contract(core(folded), 2)
    assert operators(model) == ["Cast", "Transpose", "Conv", "Conv", "Add", *FAST_TAIL]


def test_a_nearest_skip_is_added_before_the_shuffle() -> None:
    model = apply_frame_contract(core(compact), 2)
    assert "Resize" not in operators(model)


def test_a_size_multiple_leaves_no_shape_computation() -> None:
    network, sizes = seeded(unshuffled), Sizes(multiple=2)
    model = clean_up(apply_frame_contract(core(unshuffled, sizes), 2))
    assert set(operators(model)) == {"Cast", "Transpose", "Conv", *FAST_TAIL}
    assert_equal(network, model, sizes)
    assert graph_halo(model, 2, 2) == 3


@pytest.mark.parametrize("sizes", [Sizes(None, 32, 48), Sizes(2, 32, 48), Sizes(1)])
def test_fixed_sizes_are_in_the_interface(sizes: Sizes) -> None:
    network = seeded(bilinear)
    model = clean_up(apply_frame_contract(core(bilinear, sizes), 1, sizes.shape))
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert tuple(dim.dim_value or None for dim in dims)[:3] == sizes.shape
    assert not {"Shape", "Gather", "Concat"} & set(operators(model))
    assert_equal(network, model, sizes)


@pytest.mark.parametrize(
    ("wiring", "scale", "multiple"), [(compact, 2, 1), (unshuffled, 2, 2), (bilinear, 1, 1)]
)
def test_the_halo_is_what_a_changed_pixel_reaches(
    wiring: Callable[[Compute, Tensor], Tensor], scale: int, multiple: int
) -> None:
    network = seeded(wiring)
    halo = graph_halo(
        core(wiring, Sizes(multiple=multiple) if multiple > 1 else None), scale, multiple
    )
    assert halo is not None
    rng = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 24, 24, generator=rng)
    reach = 0
    with torch.no_grad():
        for place in range(12, 12 + multiple):
            other = image.clone()
            other[..., place, place] += 1
            changed = (network(other) != network(image)).any(dim=1).nonzero()[:, 1:] // scale
            reach = max(reach, int((changed - place).abs().max()))
    assert reach == halo


def test_a_size_the_network_cannot_take_is_refused() -> None:
    with pytest.raises(ExportError, match=r"height 31: .* multiples of 2 .* above is 32"):
        Sizes(1, 31, 48, multiple=2)


def refuses_odd(net: Compute, x: Tensor) -> Tensor:
    if x.shape[-1] % 2 and not torch.compiler.is_exporting():
        raise RuntimeError("odd sizes are beyond me")
    return folded(net, x)


def test_a_network_that_fails_on_a_size_is_one_line() -> None:
    with pytest.raises(ExportError, match="fails on frames of 65×71 pixels: odd sizes are beyond"):
        Gate(seeded(refuses_odd))


def test_a_network_that_sees_the_whole_frame_has_no_halo() -> None:
    assert graph_halo(apply_frame_contract(core(normed), 2), 2) is None


def test_no_path_of_this_machine_is_in_the_model() -> None:
    model = clean_up(apply_frame_contract(core(gated), 2))
    assert b"site-packages" not in model.SerializeToString()
    assert __file__.encode() not in model.SerializeToString()


@pytest.mark.parametrize("wiring", [compact, bilinear, normed])
def test_half_precision_keeps_islands_and_passes(
    wiring: Callable[[Compute, Tensor], Tensor],
) -> None:
    network, scale = seeded(wiring), 1 if wiring is bilinear else 2
    model = to_half(clean_up(apply_frame_contract(core(wiring), scale)))
    onnx.checker.check_model(model, full_check=True)
    Gate(network).require(model, "fp16")
    islands = {
        onnx.TensorProto.FLOAT16: "half",
        onnx.TensorProto.FLOAT: "float",
    }
    types = {
        value.name: islands.get(value.type.tensor_type.elem_type, "other")
        for value in model.graph.value_info
    }
    wanted = {"InstanceNormalization": "float", "Resize": "float", "Conv": "half"}
    for node in model.graph.node:
        if node.op_type in wanted:
            assert types[node.output[0]] == wanted[node.op_type]


def test_half_precision_refuses_weights_beyond_its_range() -> None:
    network = seeded(folded)
    next(iter(network.parameters())).data[0, 0, 0, 0] = 1e6
    model = apply_frame_contract(export_core(network, 20), 2)
    with pytest.raises(ExportError, match="above the fp16 maximum of 65504; use --precision fp32"):
        to_half(model)


def test_nan_is_found_before_the_clamp_hides_it() -> None:
    model = apply_frame_contract(core(folded), 2)
    for tensor in model.graph.initializer:
        if tensor.name.endswith("bias"):
            values = onnx.numpy_helper.to_array(tensor) + float("inf")
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    with pytest.raises(ExportError, match="contains NaN or infinity"):
        Gate(seeded(folded)).require(model)
