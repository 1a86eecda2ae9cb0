"""Models of several frames: stacks N×15×H×W, sequences N×T×3×H×W, one picture out or all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from framelift.common.errors import ConfigError, ModelError
from framelift.importer import Imported, ImportOptions, import_model
from framelift.runtime import Upscaler
from framelift.runtime.models.file import read_spec

from ..support.foreign_models import save, window_net

Frames = NDArray[np.uint8]


def moving(count: int) -> Frames:
    rng = np.random.default_rng(0)
    still = rng.integers(20, 230, (6, 12, 3), np.uint8).repeat(6, 0).repeat(6, 1)
    return np.stack([still[:, k : k + 50] for k in range(count)])


def by_file(path: Path, frames: Frames, ahead: int, count: int, layout: str) -> NDArray[np.float64]:
    """The sequence by plain ONNX Runtime, windows made here."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    pictures = []
    for at in range(len(frames)):
        numbers = np.clip(np.arange(at - (count - 1 - ahead), at + ahead + 1), 0, len(frames) - 1)
        values = (frames[numbers][..., ::-1] / 255).astype(np.float32).transpose(0, 3, 1, 2)
        shape = (1, -1, *values.shape[2:]) if layout == "stack" else (1, *values.shape)
        (output,) = session.run(None, {"input": values.reshape(shape)})
        output = output.reshape(-1, 3, *output.shape[-2:])
        pictures.append(output[len(output) // 2][::-1].transpose(1, 2, 0) * 255)
    return np.asarray(np.stack(pictures), np.float64)


def imported(path: Path, options: ImportOptions | None = None) -> tuple[Imported, list[str]]:
    notes: list[str] = []
    return import_model(path, path.with_name("out.onnx"), options, notes.append), notes


@pytest.mark.parametrize(
    ("count", "layout", "aligned", "pictures"),
    [
        (5, "stack", 2, False),
        (5, "stack", 4, False),
        (3, "stack", 1, True),
        (5, "sequence", 2, False),
        (7, "sequence", 3, True),
        (2, "sequence", 1, False),
    ],
)
def test_windows_of_every_form(
    tmp_path: Path, count: int, layout: str, aligned: int, pictures: bool
) -> None:
    path = save(window_net(count, layout, aligned, pictures=pictures), tmp_path / "m.onnx")
    found, notes = imported(path)
    ahead = count - 1 - aligned
    assert (found.window, found.lookahead, found.scale, found.halo) == (count, ahead, 2, 0)
    assert f"{count} frames, {ahead} of them ahead" in found.summary()
    assert all("order of its channels" in note for note in notes)
    spec = read_spec(found.path)
    assert (spec.window, spec.lookahead, spec.frame_shape) == (count, ahead, (count, None, None))
    frames = moving(9)
    with Upscaler.load(found.path, "onnx-cpu") as upscaler:
        got = upscaler(frames)
    assert np.abs(got - by_file(path, frames, ahead, count, layout)).max() <= 0.51


def test_a_sequence_of_any_length_gets_five_frames_or_what_is_asked_for(tmp_path: Path) -> None:
    path = save(window_net(0, "sequence", 2), tmp_path / "m.onnx")
    found, notes = imported(path)
    assert (found.window, found.lookahead) == (5, 2)
    assert "takes sequences of any length: 5 frames at once; --window N" in notes[0]
    with pytest.raises(ModelError, match="runs at none of the sizes tried"):
        imported(path, ImportOptions(window=3, overwrite=True))  # inside it takes five


def test_a_window_of_another_size_is_refused(tmp_path: Path) -> None:
    path = save(window_net(5, "stack", 2), tmp_path / "m.onnx")
    with pytest.raises(ConfigError, match="takes 5 frames at once, not 7: leave the window out"):
        imported(path, ImportOptions(window=7))
    with pytest.raises(ConfigError, match="window is 1: sequences have 2 frames or more"):
        ImportOptions(window=1)


def test_frames_that_cannot_be_told_apart_are_the_middle_one(tmp_path: Path) -> None:
    model = window_net(5, "stack", 2)
    even = np.repeat(np.kron(np.full(5, 0.2), np.eye(3)), 4, axis=0)[:, :, None, None]
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "w")
    weight.raw_data = even.astype(np.float32).tobytes()
    found, notes = imported(save(model, tmp_path / "m.onnx"))
    assert found.lookahead == 2
    assert any("which of its 5 frames the picture is of cannot be found" in note for note in notes)


def test_the_file_of_five_frames_that_had_no_way_in(shared: Path, tmp_path: Path) -> None:
    """Its weights are random, so its range must be said."""
    path = shared / "data" / "faults" / "tspan15.onnx"
    with pytest.raises(ModelError, match=r"with --range 0\.\.1 or"):
        import_model(path, tmp_path / "out.onnx", say=lambda _: None)
    options = ImportOptions(span="0..1", order="rgb")
    found = import_model(path, tmp_path / "out.onnx", options, lambda _: None)
    frames = moving(7)
    with Upscaler.load(found.path, "onnx-cpu") as upscaler:
        got = upscaler(frames)
    assert np.abs(got - by_file(path, frames, 2, 5, "stack").clip(0, 255)).max() <= 0.51


def test_memory_is_measured_where_the_graph_does_not_tell_it(tmp_path: Path) -> None:
    """Its stack is reshaped to a shape that is computed: 15 channels and 12, float32, at once."""
    path = save(window_net(5, "sequence", 2), tmp_path / "m.onnx")
    spec = read_spec(imported(path)[0].path)
    assert 4 * (15 + 12) <= spec.activation_bytes <= 400
    assert spec.metadata["activation_bytes"] == str(spec.activation_bytes)
    told = read_spec(
        imported(save(window_net(5, "stack", 2), path), ImportOptions(overwrite=True))[0].path
    )
    assert "activation_bytes" not in told.metadata
    assert 4 * (15 + 12) <= told.activation_bytes <= 400
