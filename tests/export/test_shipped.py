"""The shipped models: better than bicubic on Set5, and exports of the checkpoints beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from framelift.export.source import load_source, weights_sha256
from framelift.imaging.quality import bicubic, evaluate
from framelift.runtime import Upscaler
from framelift.runtime.model_file import read_spec
from framelift.runtime.zoo import shipped_models
from framelift.train.config_file import load_config
from framelift.train.validation import load_originals

CHECKPOINTS = Path(__file__).parents[2] / "models"


@pytest.mark.parametrize("name", shipped_models())
def test_is_the_export_of_the_checkpoint_and_the_preset_of_its_name(name: str) -> None:
    spec = read_spec(shipped_models()[name])
    trained = name.removesuffix("-int8")
    source = load_source(CHECKPOINTS / f"{trained}.safetensors")
    assert spec.weights_sha256 == weights_sha256(source.weights)
    preset = load_config(trained)
    assert (spec.name, spec.scale) == (name, preset.network.scale)
    assert (spec.precision == "int8") == (name != trained)
    assert spec.licence


@pytest.mark.parametrize("name", shipped_models())
def test_beats_bicubic_on_set5(name: str, shared: Path) -> None:
    with Upscaler.load(name, "onnx-cpu") as upscaler:
        scale = upscaler.scale
        originals = load_originals(shared / "data" / "eval" / "hr" / "Set5", scale)
        network = evaluate(originals, upscaler, scale)
    assert network.psnr_db >= evaluate(originals, bicubic(scale), scale).psnr_db + 1.5
