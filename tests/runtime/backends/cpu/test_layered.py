"""Cells that are computed layer by layer have the bits of whole frames."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.common.errors import BackendError
from framelift.runtime import Upscaler
from framelift.runtime.backends.cpu import cells, kept_layers, layered, saturation
from framelift.runtime.backends.cpu.chain import chain_of
from framelift.runtime.backends.cpu.kept_layers import keep
from framelift.runtime.backends.cpu.layered import BATCH_BYTES, LayeredNetwork, open_layers
from framelift.runtime.models.file import ModelSpec, read_spec
from framelift.runtime.models.zoo import resolve

Frames = NDArray[np.uint8]

pytestmark = pytest.mark.skipif(
    saturation.adds_in_16_bits(), reason="this processor adds products in 16 bits"
)


def spec_of(name: str) -> ModelSpec:
    return read_spec(resolve(name))


@contextmanager
def network(
    name: str, threads: int = 1, batch_bytes: int = BATCH_BYTES
) -> Iterator[LayeredNetwork]:
    found = open_layers(spec_of(name), "onnx-cpu", "CPUExecutionProvider", threads, batch_bytes)
    assert found is not None
    yield found
    found.close()


def noise(rng: np.random.Generator, height: int, width: int) -> Frames:
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def changed(rng: np.random.Generator, frame: Frames) -> Frames:
    """A copy with another patch, and another pixel in a corner or in the middle of a side."""
    after = frame.copy()
    height, width, _ = frame.shape
    top, left = int(rng.integers(0, height)), int(rng.integers(0, width))
    patch = after[top : top + int(rng.integers(1, 12)), left : left + int(rng.integers(1, 12))]
    patch[...] = rng.integers(0, 256, patch.shape, np.uint8)
    after[rng.choice([0, height // 2, height - 1]), rng.choice([0, width // 2, width - 1])] ^= 128
    return after


@pytest.mark.parametrize(
    ("model", "threads"),
    [
        ("realtime-nano-x4-int8", 1),
        ("realtime-nano-x2-video-int8", 2),
        ("realtime-small-x4-video-int8", 3),
        ("realtime-medium-x2-perceptual-int8", 1),
    ],
)
def test_every_update_is_the_whole_frame(model: str, threads: int) -> None:
    rng = np.random.default_rng(0)
    with (
        network(model, threads, batch_bytes=100 << 10) as net,  # so that there are several batches
        Upscaler.load(model, "onnx-cpu", threads=1) as upscaler,
    ):
        for height, width in ((8, 8), (9, 17), (64, 48), (61, 99), (150, 24)):
            kept = keep(net, height, width)
            assert kept is not None
            frame = noise(rng, height, width)
            out = np.empty((height * net.scale, width * net.scale, 3), np.uint8)
            kept.compute(frame, out)
            assert np.array_equal(out, upscaler(frame))
            for number in range(6):
                before, frame = frame, changed(rng, frame)
                last, out = out, np.empty_like(out)
                change = kept.change(frame, last, out, likely=number % 2 == 0)
                assert kept.holds(change, last, out, grey=False, all_rows=number % 3 == 0)
                share = kept.update(frame, change, last, out, grey=False)
                assert (share == 0) == np.array_equal(before, frame)
                assert share <= 1
                assert np.array_equal(out, upscaler(frame))


def test_only_what_a_change_can_reach_is_computed() -> None:
    grid = cells.Strips(96, 96)
    before = noise(np.random.default_rng(1), 96, 96)
    after = before.copy()
    assert not any(len(rows) for rows in grid.reached(grid.different(before, after), 0, 96, 6))
    after[43, 43] ^= 1  # in the middle of a cell, 4 from the one before it, 5 from the next
    marks = grid.different(before, after)
    strips = np.array([1, 1, 1, 2, 3, 3])
    heights = np.array([3, 5, 7, 9, 11, 13])
    found = grid.reached(marks, 0, 96, 6)
    assert [len(rows) for rows in found] == list(strips * (heights + 2))
    wanted = [int((rows.targets != grid.nowhere).sum()) for rows in found]
    assert wanted == list(strips * heights)
    assert sum(grid.near(marks, 6)) == wanted[-1]


def test_bands_overlap_by_what_later_layers_read() -> None:
    grid = cells.Strips(40, 24)
    before = noise(np.random.default_rng(1), 40, 24)
    marks = grid.different(before, before ^ 1)
    for first, end in ((0, 20), (20, 40), (7, 30)):
        for number, rows in enumerate(grid.reached(marks, first, end, 4)):
            around = 3 - number
            height = min(40, end + around) - max(0, first - around)
            assert len(rows) == 3 * (height + 2)


def test_what_changed_decides_whether_parts_are_worthwhile() -> None:
    rng = np.random.default_rng(1)
    with network("realtime-nano-x4-int8") as net:
        kept = keep(net, 96, 96)
        assert kept is not None
        frame = noise(rng, 96, 96)
        last, out = np.empty((2, 384, 384, 3), np.uint8)
        kept.compute(frame, last)
        frame[43, 43] ^= 1
        alone = kept.change(frame, last, out, likely=False).cost
        assert alone < 0.2
        assert kept.change(noise(rng, 96, 96), last, out, likely=False).cost > 1
    with network("realtime-nano-x4-int8", layered.MOST_THREADS) as net:
        kept = keep(net, 96, 96)
        assert kept is not None
        kept.compute(frame, last)
        frame[43, 43] ^= 1
        assert (
            kept.change(frame, last, out, likely=True).cost > 2 * alone
        )  # whole frames are faster, this is not


def test_an_update_can_be_made_grey() -> None:
    rng = np.random.default_rng(2)
    model = "realtime-nano-x4-int8"
    with network(model) as net, Upscaler.load(model, "onnx-cpu") as upscaler:
        kept = keep(net, 40, 40)
        assert kept is not None
        frame = np.repeat(noise(rng, 40, 40)[..., :1], 3, axis=2)
        kept.compute(frame, np.empty((160, 160, 3), np.uint8))
        out = upscaler(frame)
        frame[10:20, 30:] = 255 - frame[10:20, 30:]
        last, out = out, np.empty_like(out)
        kept.update(frame, kept.change(frame, last, out, likely=False), last, out, grey=True)
        assert np.array_equal(out, upscaler(frame))


def test_frames_that_are_too_small_or_too_large_are_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with network("realtime-nano-x4-int8") as net:
        assert keep(net, 7, 99) is None
        assert keep(net, 99, 7) is None
        monkeypatch.setattr(kept_layers, "activation_budget", lambda _: 2 * 16 * 16 * 32)
        assert keep(net, 16, 16) is None

        def full(*_: object) -> None:
            raise MemoryError

        monkeypatch.undo()
        monkeypatch.setattr(cells.Values, "of_layers", full)
        assert keep(net, 16, 16) is None


def test_which_models_are_run_so(
    monkeypatch: pytest.MonkeyPatch, shuffle_model_path: object
) -> None:
    def opened(spec: ModelSpec, threads: int = 1) -> bool:
        found = open_layers(spec, "onnx-cpu", "CPUExecutionProvider", threads)
        if found is not None:
            found.close()
        return found is not None

    int8 = spec_of("realtime-nano-x2-int8")
    assert opened(int8, layered.MOST_THREADS)
    assert not opened(int8, layered.MOST_THREADS + 1)
    assert not opened(spec_of("realtime-nano-x2"))
    assert not opened(read_spec(str(shuffle_model_path)))
    monkeypatch.setattr(saturation, "adds_in_16_bits", lambda: True)
    assert not opened(int8)


def test_when_a_thread_fails_the_others_have_ended() -> None:
    """What they write to belongs to the caller afterwards."""
    ended: list[int] = []

    def work(number: int) -> None:
        if number == 1:
            raise MemoryError
        time.sleep(0.05 * number)
        ended.append(number)

    with network("realtime-nano-x4-int8", 4) as net:
        with pytest.raises(MemoryError):
            net.in_threads(4, work)
        assert sorted(ended) == [0, 2, 3]


def test_steps_of_input_channels_are_not_taken_for_those_of_outputs() -> None:
    spec = spec_of("realtime-nano-x4-int8")
    model = spec.model()
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "DequantizeLinear" and attribute.name == "axis":
                attribute.i = 1
    assert not saturation.has_vnni() or chain_of(spec) is not None
    assert chain_of(replace(spec, data=model.SerializeToString())) is None


def test_an_engine_that_refuses_single_layers_runs_the_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> None:
        raise BackendError("onnx-cpu cannot load the model: no such operator")

    frame = noise(np.random.default_rng(4), 24, 24)
    with Upscaler.load("realtime-nano-x4-int8", "onnx-cpu", threads=1) as upscaler:
        wanted = upscaler(frame)
        monkeypatch.setattr(layered, "open_layers", refused)
        sequence = upscaler.sequence()
        for _ in range(2):
            assert np.array_equal(sequence.submit(frame, np.empty_like(wanted)).result(), wanted)
            frame[3, 3] = 0
            wanted = upscaler(frame)
    assert capsys.readouterr().err == (
        "framelift: onnx-cpu cannot load the model: no such operator: layers are not run one by "
        "one, which takes longer\n"
    )


def test_a_closed_upscaler_says_so() -> None:
    frame = np.zeros((16, 16, 3), np.uint8)
    upscaler = Upscaler.load("realtime-nano-x4-int8", "onnx-cpu", threads=1)
    sequence = upscaler.sequence()
    sequence.submit(frame, np.empty((64, 64, 3), np.uint8)).result()
    upscaler.close()
    after = frame.copy()
    after[0, 0] = 9
    with pytest.raises(BackendError, match="closed"):
        sequence.submit(after, np.empty((64, 64, 3), np.uint8))


def test_cells_at_the_edges_see_black_beyond_them() -> None:
    grid = cells.Strips(11, 20)
    (values,) = cells.Values.of_layers(grid, [8])
    values.all[...] = 5
    before = np.zeros((11, 20, 3), np.uint8)
    (rows,) = grid.reached(grid.different(before, before + 1), 0, 11, 1)
    found = values.read(rows, 0, len(rows)).reshape(3, 13, 10, 8)
    assert (found[:, [0, -1]] == 0).all()
    inside = found[:, 1:-1]
    assert (inside[0, :, 0] == 0).all()
    assert (inside[0, :, 1:] == 5).all()
    assert (inside[1] == 5).all()
    assert (inside[2, :, :-1] == 5).all()
    assert (inside[2, :, -1] == 0).all()
    for start in range(len(rows)):
        batch = values.read(rows, start, len(rows))
        assert np.array_equal(batch, values.read(rows, 0, len(rows))[start:])


def test_what_is_not_wanted_is_written_where_no_layer_reads() -> None:
    grid = cells.Strips(11, 20)
    (values,) = cells.Values.of_layers(grid, [8])
    before = np.zeros((11, 20, 3), np.uint8)
    (rows,) = grid.reached(grid.different(before, before + 1), 0, 11, 1)
    values.write(rows.targets, np.full((len(rows) - 2, 64), 7, np.uint8))
    assert (values.all == 7).all()
    found = values.read(rows, 0, len(rows)).reshape(3, 13, 10, 8)
    assert (found[:, [0, -1]] == 0).all()
