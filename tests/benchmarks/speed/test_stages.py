"""The time of each stage, as a backend on a GPU tells it by events."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from framelift.benchmarks.report.model import decode
from framelift.benchmarks.report.page import to_html
from framelift.benchmarks.report.rows import tables_of
from framelift.benchmarks.speed.stages import StageRecorder
from framelift.runtime import Upscaler
from tests.support.reports import Json, single

PER_CALL = (
    {"copy in": 0.001, "inference": 0.004, "copy out": 0.002},
    {"copy in": 0.003, "inference": 0.006, "copy out": 0.002},
    {"copy in": 0.002, "inference": 0.005, "copy out": 0.009},
)


def test_stages_are_the_medians_of_what_each_call_added(
    monkeypatch: pytest.MonkeyPatch, shuffle_model_path: Path
) -> None:
    total = dict.fromkeys(PER_CALL[0], 7.0)  # what was spent before the run does not count
    calls = iter(PER_CALL)

    def call() -> None:
        for name, seconds in next(calls).items():
            total[name] += seconds

    monkeypatch.setattr(Upscaler, "stage_seconds", property(lambda self: dict(total)))
    with Upscaler.load(shuffle_model_path, backend="onnx-cpu") as upscaler:
        recorder = StageRecorder(upscaler, call)
        for _ in PER_CALL:
            recorder()
    # The warm-up is not among the samples: its call is the first of three.
    stages = recorder.medians([12.0, 15.0])
    assert stages == pytest.approx(
        {"copy in": 2.5, "inference": 5.5, "copy out": 5.5, "rest": 0.5}
    )  # calls of 11 and 16 ms by events; the second overlapped


def test_stages_of_a_gpu_stand_in_table_and_chart(reports: dict[str, Json]) -> None:
    report = copy.deepcopy(reports["latency"])
    report["results"]["cases"][0]["stages_ms"] = {
        "copy in": 1.25,
        "inference": 5.5,
        "copy out": 2.0,
        "rest": 0.1,
    }
    (table,) = [t for t in tables_of(single(report)) if t.columns[0] == "stages, median ms"]
    assert table.columns[1:] == ("copy in", "inference", "copy out", "rest")
    assert table.rows[0][1:] == ("1.25", "5.50", "2.00", "0.10")
    page = to_html(decode(report))
    for name in ("copy in: 1.25 ms", "copy out: 2 ms"):
        assert f"<title>{name}</title>" in page
