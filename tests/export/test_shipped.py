"""The shipped models are exports of the checkpoints beside them, made by presets of their names;
they beat bicubic on Set5, or paint what they are given in the colours of the style image.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from framelift.export.int8.gate import MAX_DROP_DB
from framelift.export.int8.verdict import MAX_FLAT
from framelift.export.source.load import load_source
from framelift.export.source.network import weights_sha256
from framelift.imaging.quality import bicubic, evaluate
from framelift.runtime import Upscaler
from framelift.runtime.backends.cpu.saturation import hold_sums
from framelift.runtime.models.digest import graph_sha256
from framelift.runtime.models.file import load, read_spec
from framelift.runtime.models.scores import recorded_scores
from framelift.runtime.models.zoo import shipped_models
from framelift.train.checkpoints.file import load_checkpoint
from framelift.train.config.file import load_config
from framelift.train.losses import LossConfig
from framelift.train.networks import build_network
from framelift.train.validation.scores import load_originals

ROOT = Path(__file__).parents[2]
CHECKPOINTS = ROOT / "models"
EXAMPLES = ROOT / "examples"
TASKS = {name: read_spec(path).task for name, path in shipped_models().items()}
SETS = ("Set5", "Set14", "BSD100")
STYLES = [name for name, task in TASKS.items() if task == "style"]


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
def test_says_what_was_exported_and_how_it_was_judged(name: str) -> None:
    spec, model = load(shipped_models()[name])
    assert spec.metadata["graph_sha256"] == graph_sha256(model)
    judged = {"int8": "quantisation", "fp16": "half_precision"}[spec.precision]
    verdict = json.loads(spec.metadata[judged])
    if spec.precision == "fp16":
        assert 0 < verdict["peak"] < 65_504
    else:
        assert verdict["flat_difference"] <= MAX_FLAT
        assert verdict["worst_drop_db"] <= MAX_DROP_DB


@pytest.mark.parametrize("name", [name for name in TASKS if name.endswith("-int8")])
def test_weights_stay_below_sums_of_16_bits(name: str) -> None:
    """The file gives the same picture on processors without VNNI."""
    assert hold_sums(load(shipped_models()[name])[1]) == 0


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task != "style"])
def test_has_the_scores_that_the_documentation_shows(name: str) -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if re.match(rf"\| {name} \| [\d.]+ / 0", line))
    scores = recorded_scores(*load(shipped_models()[name]))
    shown = [f"{scores[n]['psnr_db']:.2f} / {scores[n]['ssim']:.4f}" for n in SETS]
    assert [cell.split(",")[0].strip() for cell in row.split("|")[2:5]] == shown


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task != "style"])
def test_beats_bicubic_on_set5(name: str, shared: Path) -> None:
    with Upscaler.load(name, "onnx-cpu") as upscaler:
        scale = upscaler.scale
        originals = load_originals(shared / "data" / "eval" / "hr" / "Set5", scale)
        network = evaluate(originals, upscaler, scale)
    # Those for footage take noise for what it mostly is there, and lose detail of clean pictures.
    gain = 0.8 if "-video" in name else 1.5 if scale < 8 else 1.2
    assert network.psnr_db >= evaluate(originals, bicubic(scale), scale).psnr_db + gain


@pytest.mark.parametrize("name", [name for name in TASKS if not name.endswith("-int8")])
def test_was_trained_as_its_preset_says(name: str) -> None:
    checkpoint = load_checkpoint(CHECKPOINTS / f"{name}.safetensors")
    training, preset = checkpoint.training, load_config(name)
    assert checkpoint.network_config == preset.network
    # As structures, in which settings younger than a checkpoint have their defaults.
    assert msgspec.convert(training["loss"], tuple[LossConfig, ...]) == preset.loss
    data = preset.data
    wanted = {
        "ema": preset.ema,
        "steps": preset.steps,
        "crop": data.crop,
        "batch": data.batch,
        "degradation": data.degradation,
    }
    assert {key: training[key] for key in wanted} == wanted


def painting_of(name: str) -> Path:
    """The picture whose style a shipped model has."""
    return EXAMPLES / "styles" / f"{name.removesuffix('-video').replace('-', '_')}.jpg"


@pytest.mark.parametrize("name", STYLES)
def test_a_style_is_that_of_the_example(name: str) -> None:
    training = load_checkpoint(CHECKPOINTS / f"{name}.safetensors").training
    painting = painting_of(name)
    assert training["style_image"] == {
        "name": painting.name,
        "sha256": hashlib.sha256(painting.read_bytes()).hexdigest(),
    }


@pytest.mark.parametrize("name", STYLES)
def test_a_style_is_nearer_to_the_colours_of_its_picture(name: str) -> None:
    photo, style = (cv2.imread(str(path)) for path in (EXAMPLES / "raccoon.jpg", painting_of(name)))
    assert photo is not None
    assert style is not None
    content: NDArray[np.uint8] = photo[:384, :512].astype(np.uint8)
    with Upscaler.load(name, "onnx-cpu", threads=1) as stylise:
        painted = stylise(content)
    assert painted.shape == content.shape
    assert _colour_distance(painted, style) < 0.9 * _colour_distance(content, style)


@pytest.mark.parametrize("name", STYLES)
def test_a_style_makes_no_picture_of_rounding_errors(name: str) -> None:
    """Of a frame of one colour the norms would enlarge nothing else."""
    checkpoint = load_checkpoint(CHECKPOINTS / f"{name}.safetensors")
    network = build_network(checkpoint.network_config).eval()
    network.load_state_dict(checkpoint.weights)
    white = torch.ones(1, 3, 40, 56)
    with torch.inference_mode():
        rounded, exact = network(white), network.double()(white.double())
    assert float((rounded - exact).abs().max()) < 0.5 / 255


def _colour_distance(image: np.ndarray, other: np.ndarray) -> float:
    """How far the second moments of the colours are apart, of values in [0, 1]."""
    moments = [np.einsum("hwc,hwd->cd", *[x / 255] * 2) / x[..., 0].size for x in (image, other)]
    return float(np.abs(moments[0] - moments[1]).max())
