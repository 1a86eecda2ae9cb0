from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest

from framelift.common.errors import ModelError
from framelift.runtime import ModelSpec
from framelift.runtime.models.digest import seal
from framelift.runtime.models.file import load, read_spec


def test_spec_of_a_valid_model(shuffle_model_path: Path) -> None:
    spec = read_spec(shuffle_model_path)
    assert isinstance(spec, ModelSpec)
    assert (spec.name, spec.task, spec.scale, spec.halo) == (
        "tiny-shuffle",
        "super-resolution",
        4,
        2,
    )
    assert (spec.size_multiple, spec.precision, spec.opset, spec.ir_version) == (1, "fp32", 20, 10)
    assert spec.network == {"name": "tiny", "scale": 4}
    assert spec.licence == "Apache-2.0"
    assert spec.frame_shape == (None, None, None)
    assert spec.sha256 == hashlib.sha256(shuffle_model_path.read_bytes()).hexdigest()
    assert spec.size_bytes == shuffle_model_path.stat().st_size
    assert spec.metadata["format"] == "1"


def test_parameters_are_the_recorded_ones_or_counted(
    tmp_path: Path, tiny_models: ModuleType
) -> None:
    model = tiny_models.pixel_shuffle_model(scale=2, channels=4, layers=2)
    counted = read_spec(tiny_models.save(model, tmp_path / "counted.onnx"))
    assert counted.parameters == (3 * 9 * 4 + 4) + (4 * 9 * 12 + 12) + 3 * 12
    tiny_models.set_metadata(model, network='{"parameters": 7}')
    assert read_spec(tiny_models.save(model, tmp_path / "recorded.onnx")).parameters == 7


def test_fixed_frame_shape(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model(frame_shape=("n", 24, 32))
    spec = read_spec(tiny_models.save(model, tmp_path / "m.onnx"))
    assert spec.frame_shape == (None, 24, 32)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"m\.onnx: no such file"):
        read_spec(tmp_path / "m.onnx")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a folder"):
        read_spec(tmp_path)


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.touch()
    with pytest.raises(ModelError, match="is empty"):
        read_spec(path)


@pytest.mark.parametrize("text", [b"a text file\n", b"{}", b"\n", b"\x00" * 100, b"\x89PNG\r\n"])
def test_file_that_is_not_onnx(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(text)
    with pytest.raises(ModelError, match="not an ONNX file or is damaged"):
        read_spec(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated_file(tmp_path: Path, shuffle_model_path: Path, share: float) -> None:
    data = shuffle_model_path.read_bytes()
    path = tmp_path / "m.onnx"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError):
        read_spec(path)


def test_onnx_file_that_is_no_framelift_model(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.nearest_model()
    del model.metadata_props[:]
    path = tiny_models.save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"not a framelift model.*`framelift import"):
        read_spec(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "3"}, "has framelift format 3, this version reads up to 2"),
        ({"format": "one"}, "format is 'one', expected a whole number"),
        ({"scale": None, "halo": None}, "lacks the metadata framelift.scale, framelift.halo"),
        ({"scale": "x4"}, "framelift.scale is 'x4', expected a whole number"),
        ({"scale": "0"}, "framelift.scale must be at least 1"),
        ({"size_multiple": "0"}, "framelift.size_multiple must be at least 1"),
        ({"halo": "-1"}, "framelift.halo must not be negative"),
        ({"network": "tiny"}, "framelift.network is not a JSON object"),
        ({"network": f'{{"a": {5000 * "1"}}}'}, "framelift.network is not a JSON object"),
        ({"network": 100_000 * "["}, "framelift.network is not a JSON object"),
        ({"parity": "[1]"}, "framelift.parity is not a JSON object"),
        ({"network": '{"parameters": "abc"}'}, 'framelift.network says "abc" parameters, expected'),
        ({"network": '{"parameters": 1e999}'}, "says Infinity parameters, expected a whole number"),
        ({"network": '{"parameters": true}'}, "says true parameters, expected a whole number"),
        ({"network": '{"parameters": -1}'}, "says -1 parameters, expected a whole number"),
        ({"scale": "65"}, "framelift.scale must be at most 64"),
        ({"minimum_side": 30 * "9"}, "framelift.minimum_side must be at most 16384"),
        ({"size_multiple": "4097"}, "framelift.size_multiple must be at most 4096"),
        ({"halo": 5000 * "9"}, "framelift.halo is '9{40}', expected a whole number"),
        ({"name": 300 * "x"}, "framelift.name is 'x{40}'…, expected a short name"),
        ({"task": "super\x1b[2J"}, r"framelift.task is 'super\\x1b\[2J'…, expected a short name"),
    ],
)
def test_bad_metadata(
    tmp_path: Path, tiny_models: ModuleType, changes: dict[str, str | None], message: str
) -> None:
    model = tiny_models.set_metadata(tiny_models.nearest_model(), **changes)
    path = tiny_models.save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=message):
        read_spec(path)


def test_damaged_bytes_are_one_line(tmp_path: Path, tiny_models: ModuleType) -> None:
    """Many of them make text that is no UTF-8 of metadata and names, types and shapes of none."""
    path = tmp_path / "m.onnx"
    tiny_models.save(tiny_models.nearest_model(), path)
    whole = path.read_bytes()
    messages = []
    for place in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 0x80
        path.write_bytes(damaged)
        try:
            read_spec(path)
        except ModelError as error:
            messages.append(str(error))
    assert len(messages) > len(whole) / 12
    assert not any("\n" in message for message in messages)


def test_no_damage_gives_another_picture(tmp_path: Path, tiny_models: ModuleType) -> None:
    """Any one bit of a sealed file: it is refused, or it still says and computes the same."""
    model = tiny_models.pixel_shuffle_model(scale=2, channels=4)
    seal(model)
    path = tiny_models.save(model, tmp_path / "m.onnx")
    whole, sealed = path.read_bytes(), read_spec(path)
    rng = np.random.default_rng(0)
    refused = []
    for place in rng.integers(0, len(whole), 600):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            spec, found = load(path)
        except ModelError as error:
            refused.append(str(error))
            continue
        assert found.graph == model.graph
        assert (spec.scale, spec.halo, spec.size_multiple) == (sealed.scale, sealed.halo, 1)
    assert len(refused) > 300
    assert not any("\n" in message for message in refused)


def test_an_edited_graph_or_setting_is_named(tmp_path: Path, tiny_models: ModuleType) -> None:
    sealed = tiny_models.nearest_model()
    seal(sealed)
    path = tiny_models.save(sealed, tmp_path / "m.onnx")
    tiny_models.save(tiny_models.set_metadata(sealed, licence="MIT", name="renamed"), path)
    assert read_spec(path).licence == "MIT"
    for change in ("weights", "opset", "halo"):
        model = onnx.ModelProto()
        model.CopyFrom(sealed)
        if change == "weights":
            model.graph.initializer[0].raw_data = b"\x01" + model.graph.initializer[0].raw_data[1:]
        elif change == "opset":
            model.opset_import[0].version = 19
        else:
            tiny_models.set_metadata(model, halo="3")
        tiny_models.save(model, path)
        with pytest.raises(ModelError, match=r"is damaged or was edited: .* export it again"):
            read_spec(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"framelift.licence", b"framelift.licenc\xff"),
        (b"Apache-2.0", b"Apache-2.\xff"),
        (b"frames", b"frame\xff"),
        (b"upscaled", b"upscale\xff"),
    ],
)
def test_text_that_is_no_utf8_is_damage(
    tmp_path: Path, tiny_models: ModuleType, old: bytes, new: bytes
) -> None:
    path = tmp_path / "m.onnx"
    tiny_models.save(tiny_models.nearest_model(), path)
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(ModelError) as caught:
        read_spec(path)
    assert str(caught.value) == (
        f"{path} is not an ONNX file or is damaged: export or copy the model again"
    )


def test_types_and_shapes_that_are_none_are_damage(tmp_path: Path, tiny_models: ModuleType) -> None:
    unknown, empty = tiny_models.nearest_model(), tiny_models.nearest_model(frame_shape=(1, 0, 8))
    unknown.graph.input[0].type.tensor_type.elem_type = 99
    for model in (unknown, empty):
        path = tiny_models.save(model, tmp_path / "m.onnx")
        with pytest.raises(ModelError, match="not an ONNX file or is damaged"):
            read_spec(path)


@pytest.mark.parametrize(
    ("weight", "found"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_weights_that_are_not_finite_are_refused(
    tmp_path: Path, tiny_models: ModuleType, weight: float, found: str, dtype: type[np.floating]
) -> None:
    model = tiny_models.pixel_shuffle_model()
    kernel = next(tensor for tensor in model.graph.initializer if tensor.name == "w1")
    values = onnx.numpy_helper.to_array(kernel).astype(dtype)
    values[-1, -1, -1, -1] = weight
    kernel.CopyFrom(onnx.numpy_helper.from_array(values, "w1"))
    with pytest.raises(ModelError, match=rf"m\.onnx: its weights contain {found} \(tensor 'w1'\)"):
        read_spec(tiny_models.save(model, tmp_path / "m.onnx"))


def test_weights_inside_nodes_are_looked_at_too(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model()
    kernel = next(tensor for tensor in model.graph.initializer if tensor.name == "w0")
    values = np.full_like(onnx.numpy_helper.to_array(kernel), np.nan)
    model.graph.initializer.remove(kernel)
    tensor = onnx.numpy_helper.from_array(values, "inside")
    model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["w0"], value=tensor))
    with pytest.raises(ModelError, match=r"weights contain NaN \(tensor 'inside'\)"):
        read_spec(tiny_models.save(model, tmp_path / "m.onnx"))


def test_a_limit_may_be_infinite(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model()
    limit = next(tensor for tensor in model.graph.initializer if tensor.name == "high")
    limit.CopyFrom(onnx.numpy_helper.from_array(np.array(np.inf, np.float32), "high"))
    assert read_spec(tiny_models.save(model, tmp_path / "m.onnx")).scale == 4


@pytest.mark.parametrize("dims", [[2**40, 3, 3, 3], [-1, 3, 3, 3], [1], [2**62, 2**62]])
def test_weights_that_do_not_fill_their_shape_are_damage(
    tmp_path: Path, tiny_models: ModuleType, dims: list[int]
) -> None:
    model = tiny_models.pixel_shuffle_model()
    kernel = next(tensor for tensor in model.graph.initializer if tensor.name == "w0")
    kernel.dims[:] = dims
    with pytest.raises(ModelError, match="not an ONNX file or is damaged"):
        read_spec(tiny_models.save(model, tmp_path / "m.onnx"))


def _identity(name_in: str, name_out: str, dtype: int, shape: list[int | str]) -> onnx.ModelProto:
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", [name_in], [name_out])],
        "identity",
        [onnx.helper.make_tensor_value_info(name_in, dtype, shape)],
        [onnx.helper.make_tensor_value_info(name_out, dtype, shape)],
    )
    return onnx.helper.make_model(graph)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            _identity("input", "upscaled", onnx.TensorProto.UINT8, ["n", "h", "w", 3]),
            "has the inputs input; expected one input `frames`, uint8",
        ),
        (
            _identity("frames", "output", onnx.TensorProto.UINT8, ["n", "h", "w", 3]),
            "has the outputs output; expected one output `upscaled`",
        ),
        (
            _identity("frames", "upscaled", onnx.TensorProto.FLOAT, ["n", "h", "w", 3]),
            "`frames` is float",
        ),
        (
            _identity("frames", "upscaled", onnx.TensorProto.UINT8, ["n", 3, "h", "w"]),
            r"`frames` is \?×3×\?×\?",
        ),
    ],
)
def test_wrong_input_or_output(
    tmp_path: Path, tiny_models: ModuleType, model: onnx.ModelProto, message: str
) -> None:
    model.metadata_props.extend(tiny_models.nearest_model().metadata_props)
    path = tiny_models.save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=message):
        read_spec(path)


def test_external_data_is_refused(tmp_path: Path, tiny_models: ModuleType) -> None:
    path = tmp_path / "m.onnx"
    onnx.save_model(
        tiny_models.pixel_shuffle_model(),
        path,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    with pytest.raises(ModelError, match="keeps its weights in another file"):
        read_spec(path)


def test_errors_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(ModelError) as caught:
        read_spec(path)
    assert "\n" not in str(caught.value)
