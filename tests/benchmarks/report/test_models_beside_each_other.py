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
from framelift.common.errors import ConfigError
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
    assert row["inference"]["largest"]["1"] == [64, 48]
    assert row["file_to_file"]["largest"]["1"] == [64, 48]
    assert row["file_to_file"]["tried"][-1]["fps"] > 1
    assert np.all([0 <= step["late"]["1"] <= 1 for step in row["inference"]["tried"]])
    assert "file to file, 1 fps" in to_text(decode(document))


def test_sizes_that_no_input_gives_are_refused(shuffle_model_path: Path) -> None:
    with pytest.raises(ConfigError, match="none of the sizes is a multiple of its scale"):
        measure_realtime([shuffle_model_path], sizes=((30, 24),), seconds=0)
