"""Floors, aims and limits, on scores made up for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from framelift.export.config import ExportConfig
from framelift.export.exporter import export_checkpoint
from framelift.runtime.models.file import read_spec
from framelift.train.checkpoints.file import Checkpoint, save_checkpoint
from framelift.train.networks import RealtimeConfig, build_network
from models.artefacts import Artefacts
from models.judging import Judged, export_all, judge, nearer, psnr_drop, table, verdict
from models.perception import Perception
from models.plan import Limits, Model

GAINS = {"relu3_3": 0.1, "relu4_3": 0.15}
LIMITS = Limits(
    held_out="relu4_3",
    gains=GAINS,
    sets=("BSD100",),
    psnr_drop_db=1.5,
    colour_shift=1.0,
    checkerboard=1.0,
    mesh=1.0,
    flat=1.1,
    grid=5.0,
    specks=0.3,
)
CLEAN = Artefacts(colour_shift=0.3, checkerboard=0.5, mesh=0.8, flat=0.9, grid=2.0, specks=0.1)


def scored(model: Model, artefacts: Artefacts = CLEAN, **sets: tuple[float, float]) -> Judged:
    """A model with (PSNR, distance at both layers) on each set."""
    scores = {name: {"psnr_db": psnr, "ssim": 0.9} for name, (psnr, _) in sets.items()}
    perception = {
        name: Perception({"relu3_3": distance, "relu4_3": distance}, 0.1, 0.2)
        for name, (_, distance) in sets.items()
    }
    found = {"fp16": artefacts}
    files = {"fp16": Path("x.onnx")}
    return Judged(model, files, scores={"fp16": scores}, artefacts=found, perception=perception)


PLAIN = Model("plain", 1, int8=True, floor_db=31.0, aim_db=31.5, espcn=0.5)
TUNED = Model("tuned", 1, "plain", perceptual=True)
FIDELITY = scored(PLAIN, Set5=(31.2, 0.3), Set14=(28.0, 0.4), BSD100=(27.0, 0.5))


def test_between_floor_and_aim() -> None:
    for psnr, expected in ((31.5, "aim"), (31.2, "good")):
        one = scored(PLAIN, Set5=(psnr, 0.3))
        judge(one, None, LIMITS)
        assert verdict(one) == expected


def test_what_a_plain_model_can_miss() -> None:
    one = scored(PLAIN, Artefacts(1.25, 1.5, 2.0, 1.2, 11.0, 0.65), Set5=(31.2, 0.3))
    one.scores["int8"] = {"Set5": {"psnr_db": 30.9, "ssim": 0.9}}
    one.espcn = 0.61
    judge(one, None, LIMITS)
    assert one.misses == [
        "int8 30.90 dB on Set5, floor 31.0",
        "0.61 × ESPCN, limit 0.5",
        "fp16 colour shifted by 1.25 codes",
        "fp16 checkerboard 1.50",
        "fp16 mesh 2.00",
        "fp16 1.20 × the deviation of flat regions",
        "fp16 grid 11.0",
        "fp16 specks 0.65 %",
    ]


def test_each_file_is_judged_for_artefacts() -> None:
    one = scored(PLAIN, Set5=(31.2, 0.3))
    one.artefacts["int8"] = Artefacts(0.3, 0.5, 2.0, 1.0, 2.0, 0.1)
    judge(one, None, LIMITS)
    assert one.misses == ["int8 mesh 2.00"]


def test_a_perceptual_model_beside_its_parent() -> None:
    good = scored(TUNED, Set5=(30.0, 0.3), Set14=(27.0, 0.3), BSD100=(26.0, 0.4))
    judge(good, FIDELITY, LIMITS)
    assert psnr_drop(good, FIDELITY) == pytest.approx(1.2)
    assert nearer(good, FIDELITY, "BSD100", "relu4_3") == pytest.approx(0.2)
    assert verdict(good) == "good"
    bad = scored(TUNED, Set5=(29.6, 0.3), Set14=(27.0, 0.3), BSD100=(26.0, 0.44))
    judge(bad, FIDELITY, LIMITS)
    assert bad.misses == [
        "1.60 dB under plain",
        "relu4_3 12.0% nearer than plain on BSD100, floor 15%",
    ]


def test_floors_of_a_model_of_its_own() -> None:
    one = scored(replace(TUNED, gains={"relu4_3": 0.3}), BSD100=(26.0, 0.4))
    judge(one, FIDELITY, LIMITS)
    assert one.misses == ["relu4_3 20.0% nearer than plain on BSD100, floor 30%"]


def test_the_layer_that_judges_is_held_out() -> None:
    one = scored(TUNED, BSD100=(26.0, 0.3))
    one.trained_on = frozenset({"relu2_2", "relu4_3"})
    judge(one, FIDELITY, LIMITS)
    assert one.misses == ["trained on relu4_3, which judges it"]
    row = dict(zip(*table([FIDELITY, one], ["BSD100"])[::2], strict=True))
    assert (row["relu3_3 nearer"], row["relu4_3 nearer"]) == ("40.0%", "40.0%*")


def test_what_was_not_measured_is_missed() -> None:
    one = scored(TUNED, Set5=(31.0, 0.3))
    judge(one, FIDELITY, LIMITS)
    assert one.misses == [
        "relu3_3 not measured: give --hr BSD100 and a --vgg that has it",
        "relu4_3 not measured: give --hr BSD100 and a --vgg that has it",
    ]


def test_a_file_of_another_precision_is_exported_again(tmp_path: Path) -> None:
    config = RealtimeConfig(scale=2, channels=8, layers=2)
    run = tmp_path / "runs" / "tiny"
    run.mkdir(parents=True)
    weights = build_network(config).state_dict()
    save_checkpoint(run / "model.safetensors", Checkpoint(config, weights, {}))
    (run / "zoo.json").write_text('{"spent_seconds": 1.0, "steps": 1, "done": true}')
    file = tmp_path / "results" / "tiny.onnx"
    file.parent.mkdir()
    export_checkpoint(run / "model.safetensors", file, ExportConfig(), lambda line: None)
    said: list[str] = []
    for _ in range(2):
        export_all([Model("tiny", 1)], run.parent, file.parent, None, said.append)
        assert read_spec(file).precision == "fp16"
    assert len([line for line in said if "exporting" in line]) == 1


def test_other_models_are_not_compared_with_their_parent() -> None:
    one = scored(Model("video", 1, "plain"), Set5=(28.0, 0.3), Set14=(26.0, 0.4))
    judge(one, FIDELITY, LIMITS)
    assert verdict(one) == "good"
    row = dict(zip(*table([FIDELITY, one], ["Set5"])[::2], strict=True))
    assert row["relu4_3 nearer"] == ""


def test_the_table() -> None:
    good = scored(TUNED, Set5=(30.0, 0.21), Set14=(27.0, 0.32))
    FIDELITY.scores["int8"] = {
        "Set5": {"psnr_db": 31.15},
        "Set14": {"psnr_db": 27.98},
        "BSD100": {"psnr_db": 27.0},
    }
    header, plain, tuned = table([FIDELITY, good], ["Set5", "Set14"])
    assert {len(row) for row in (header, plain, tuned)} == {len(header)}
    shown = dict(zip(header, plain, strict=True))
    assert (shown["Set5, dB"], shown["floor / aim"]) == ("31.20", "31.0 / 31.5")
    assert shown["int8 loses"] == "0.050"
    assert dict(zip(header, tuned, strict=True))["relu3_3 nearer"] == "30.0%, 20.0%"
