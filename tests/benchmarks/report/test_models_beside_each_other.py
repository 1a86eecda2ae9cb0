"""ESPCN's time as a unit, and the largest output in real time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framelift.benchmarks.report.model import decode
from framelift.benchmarks.report.tables import to_text
from framelift.benchmarks.shared.graph_cost import count
from framelift.benchmarks.shared.settings import LatencySettings
from framelift.benchmarks.speed.espcn import espcn_model, measure_espcn
from framelift.benchmarks.speed.realtime import largest, measure_realtime
from framelift.benchmarks.speed.video import Pass
from framelift.common.errors import ConfigError
from tests.support.clips import make_clip, noise
from tests.support.reports import Json


@pytest.mark.parametrize("scale", [2, 4])
def test_espcn_is_that_of_the_paper(scale: int) -> None:
    model = espcn_model(scale)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds[2:7] == ["Conv", "Tanh", "Conv", "Tanh", "Conv"]
    shapes = [tuple(t.dims) for t in model.graph.initializer if len(t.dims) == 4]
    assert shapes == [(64, 3, 5, 5), (32, 64, 3, 3), (3 * scale**2, 32, 3, 3)]
    pixel = 64 * 3 * 25 + 32 * 64 * 9 + 3 * scale**2 * 32 * 9
    assert count(model, 1, 10, 20).macs == pixel * 200


def test_models_are_set_beside_the_espcn_of_their_scale(reports: dict[str, Json]) -> None:
    results = reports["espcn"]["results"]
    (model,), (reference,) = results["models"], results["references"]
    assert model["scale"] == reference["scale"] == 4
    for form in ("network", "frames"):
        assert reference[form]["ratio_of_medians"] == reference[form]["median_of_ratios"] == 1
        medians = [row[form]["latency"]["p50_ms"] for row in (model, reference)]
        assert model[form]["ratio_of_medians"] == pytest.approx(medians[0] / medians[1], rel=1e-3)
    assert model["agreement"]["max_abs"] <= 1
    assert reference["agreement"]["max_abs"] <= 1
    text = to_text(decode(reports["espcn"]))
    assert text.index("ESPCN ×4") < text.index("tiny-shuffle")


def test_espcn_is_measured_with_single_frames(shuffle_model_path: Path) -> None:
    with pytest.raises(ValueError, match="single frames"):
        measure_espcn([shuffle_model_path], LatencySettings(8, 8, batch=2))


@pytest.mark.parametrize("held", range(10))
def test_the_largest_that_holds_is_found_in_few_steps(held: int) -> None:
    sizes = [(n, n) for n in range(1, 10)]
    asked: list[int] = []

    def holds(size: tuple[int, int]) -> bool:
        asked.append(size[0])
        return size[0] <= held

    assert largest(sizes, holds) == ((held, held) if held else None)
    assert len(asked) <= 4


def test_what_holds_is_told_of_calls_and_of_files(reports: dict[str, Json]) -> None:
    document = reports["realtime"]
    (row,) = document["results"]["models"]
    calls, files = row["inference"], row["file_to_file"]
    assert np.all([0 <= step["late"]["1"] <= 1 for step in calls["tried"]])
    for rate in ("1", "2000"):  # what holds on a busy machine is not known beforehand
        held = [[0, 0]]
        held += [size_of(one) for one in calls["tried"] if one["late"][rate] <= 0.05]
        assert calls["largest"][rate] == (max(held) if len(held) > 1 else None)
        held = [[0, 0]]
        held += [size_of(one) for one in files["tried"] if (one["fps"] or 0) >= int(rate)]
        whole = [size for size in held[1:] if size <= (calls["largest"][rate] or [0, 0])]
        assert files["largest"][rate] == (max(whole) if whole else None)
    assert "file to file, 1 fps" in to_text(decode(document))


def size_of(tried: Json) -> list[int]:
    return [tried["width"], tried["height"]]


def test_what_a_slow_encoder_makes_of_it(
    shuffle_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of calls of 1 ms, and from file to file 10 ms for each 16 lines."""

    def passed(_: object, clip: Path, frames: int, *__: object, reuse: bool) -> Pass:
        assert not reuse
        lines = 4 * int(clip.stem.partition("x")[2])
        return Pass(frames, 3 + frames * lines / 1600, {"upscale": 0.0})

    monkeypatch.setattr("framelift.benchmarks.speed.realtime.time_ms", lambda call: 1.0)
    monkeypatch.setattr("framelift.benchmarks.speed.realtime.run_pipeline", passed)
    document = measure_realtime(
        [shuffle_model_path],
        make_clip(tmp_path / "a.mp4", noise(2)),
        seconds=0,
        rates=(30, 90, 2000),
        sizes=((64, 16), (64, 32), (64, 48), (64, 64)),
    )
    (row,) = document.results.models
    assert row.inference.largest == {"30": (64, 64), "90": (64, 64), "2000": None}
    assert row.file_to_file is not None
    assert row.file_to_file.largest == {"30": (64, 48), "90": (64, 16), "2000": None}


def test_sizes_that_no_input_gives_are_refused(shuffle_model_path: Path) -> None:
    with pytest.raises(ConfigError, match="none of the sizes is a multiple of its scale"):
        measure_realtime([shuffle_model_path], sizes=((30, 24),), seconds=0)
