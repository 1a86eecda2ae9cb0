"""Exports what was trained, scores it, and compares it with what zoo.toml asks for."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from framelift.benchmarks.quality.record import record_quality
from framelift.benchmarks.quality.scores import measure_quality, originals, read_original
from framelift.benchmarks.report.documents import Espcn, Quality
from framelift.common.errors import InputError
from framelift.common.notes import Say
from framelift.export.config import ExportConfig
from framelift.export.exporter import export_checkpoint
from framelift.export.source.load import load_source
from framelift.export.source.network import weights_sha256
from framelift.imaging.quality import trials
from framelift.runtime import Upscaler
from framelift.runtime.models.file import read_spec
from framelift.train.checkpoints.file import load_checkpoint

from .artefacts import WORDING, Artefacts, find_artefacts, too_much, written
from .perception import LAYERS, Perception, PerceptionMeter, trained_layers
from .plan import Limits, Model
from .training import checkpoint_of

FLOOR_SET = "Set5"
LICENCE = "Apache-2.0"

# Precision of the file that runs everywhere: half as large, and on processors as fast as fp32.
PLAIN = "fp16"


@dataclass
class Judged:
    """A model's files, scores and what is wrong with it."""

    model: Model
    files: dict[str, Path]  # by precision
    documents: list[Quality] = field(default_factory=list)
    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """By precision and set."""
    artefacts: dict[str, Artefacts] = field(default_factory=dict)
    """By precision, over the images of all sets."""
    perception: dict[str, Perception] = field(default_factory=dict)
    """Of the plain file, by set; empty where no VGG weights were given."""
    trained_on: frozenset[str] = frozenset()
    """The layers of VGG-16 in the losses that made it."""
    espcn: float | None = None
    """Time of the faster file, in ESPCN's."""
    misses: list[str] = field(default_factory=list)

    @property
    def plain(self) -> Mapping[str, Mapping[str, float]]:
        """Scores of the plain file by set."""
        return self.scores.get(PLAIN, {})

    def best(self, name: str, key: str) -> float | None:
        """A score of the plain file on a set."""
        return self.plain.get(name, {}).get(key)


def export_all(
    models: Sequence[Model], runs: Path, results: Path, calibration: Path | None, say: Say
) -> list[Judged]:
    """Export trained checkpoints to `results`, next to copies of them and of their histories.

    What was exported from the same weights already stays. int8 files need `calibration`. Raises
    what `export_checkpoint` raises.
    """
    results.mkdir(parents=True, exist_ok=True)
    judged = []
    for model in models:
        checkpoint = checkpoint_of(model.name, runs)
        copy = results / f"{model.name}.safetensors"
        if not copy.exists() or not copy.samefile(checkpoint):
            shutil.copyfile(checkpoint, copy)
        history = checkpoint.parent / "history.jsonl"
        if history.is_file():
            shutil.copyfile(history, results / f"{model.name}.jsonl")
        weights = weights_sha256(load_source(checkpoint).weights)
        files: dict[str, Path] = {PLAIN: results / f"{model.name}.onnx"}
        if model.int8 and calibration is not None:
            files["int8"] = results / f"{model.name}-int8.onnx"
        for precision, file in files.items():
            if file.is_file():
                spec = read_spec(file)
                if (spec.weights_sha256, spec.precision) == (weights, precision):
                    continue
            say(f"{model.name}: exporting {precision}")
            int8 = precision == "int8"
            config = ExportConfig(
                targets=("onnxruntime",) if int8 else ExportConfig.targets,
                precision=precision,
                calibration=calibration if int8 else None,
                licence=LICENCE,
                overwrite=True,
            )
            export_checkpoint(checkpoint, file, config, say)
        seen = trained_layers(load_checkpoint(checkpoint).training)
        judged.append(Judged(model, files, trained_on=seen))
    return judged


def score(
    one: Judged, sets: Sequence[Path], vgg: str | None, meter: PerceptionMeter | None, say: Say
) -> None:
    """Score each file on each set, keep the scores in it, and look for its artefacts; measure the
    plain one with `meter`, if there is one.

    Raises what `measure_quality` raises, and InputError if all images are too small for patterns.
    """
    images = {folder: [read_original(path) for path in originals(folder)] for folder in sets}
    every = [image for of_set in images.values() for image in of_set]
    for precision, file in one.files.items():
        for folder in sets:
            say(f"{file.stem}: {folder.name}")
            document = measure_quality(file, folder, vgg=vgg)
            record_quality(file, folder, document, vgg)
            one.documents.append(document)
            means = msgspec.to_builtins(document.results.mean.model)
            one.scores.setdefault(precision, {})[folder.resolve().name] = means
        with Upscaler.load(file) as upscaler:
            scale, multiple = upscaler.spec.scale, upscaler.spec.size_multiple
            try:
                one.artefacts[precision] = find_artefacts(every, upscaler, scale, multiple)
            except ValueError as error:
                named = ", ".join(map(str, sets))
                raise InputError(f"{named}: {error} to look for patterns in; add such") from error
            if meter is not None and precision == PLAIN:
                for folder, of_set in images.items():
                    say(f"{file.stem}: {', '.join(meter.layers)} on {folder.name}")
                    tried = trials((("", image) for image in of_set), upscaler, scale)
                    one.perception[folder.resolve().name] = meter(tried)


def judge(one: Judged, parent: Judged | None, limits: Limits) -> None:
    """Fill `one.misses`; `parent` is what the model was tuned from, if it was scored."""
    model, found = one.model, one.misses
    for precision in one.scores:
        psnr = one.scores[precision].get(FLOOR_SET, {}).get("psnr_db")
        if psnr is not None and model.floor_db is not None and psnr < model.floor_db:
            found.append(f"{precision} {psnr:.2f} dB on {FLOOR_SET}, floor {model.floor_db}")
    if one.espcn is not None and model.espcn is not None and one.espcn > model.espcn:
        found.append(f"{one.espcn:.2f} × ESPCN, limit {model.espcn}")
    for precision, artefacts in one.artefacts.items():
        found += (f"{precision} {fault}" for fault in too_much(artefacts, limits))
    if parent is not None and model.perceptual:
        found += _perceptual_misses(one, parent, limits)


def _perceptual_misses(one: Judged, parent: Judged, limits: Limits) -> list[str]:
    """What a model that is trained for perception misses beside the one it is tuned from."""
    found = []
    if (drop := psnr_drop(one, parent)) is not None and drop > limits.psnr_drop_db:
        found.append(f"{drop:.2f} dB under {parent.model.name}")
    if limits.held_out in one.trained_on:
        found.append(f"trained on {limits.held_out}, which judges it")
    for layer, least in (one.model.gains or limits.gains).items():
        for name in limits.sets:
            gain = nearer(one, parent, name, layer)
            if gain is None:
                found.append(f"{layer} not measured: give --hr {name} and a --vgg that has it")
            elif gain < least:
                beside = f"nearer than {parent.model.name} on {name}"
                found.append(f"{layer} {gain:.1%} {beside}, floor {least:.0%}")
    return found


def psnr_drop(one: Judged, parent: Judged) -> float | None:
    """The largest loss of PSNR against the parent over the sets, in dB."""
    drops = [
        theirs["psnr_db"] - ours["psnr_db"]
        for name, theirs in parent.plain.items()
        if (ours := one.plain.get(name)) is not None
    ]
    return max(drops, default=None)


def nearer(one: Judged, parent: Judged, name: str, layer: str) -> float | None:
    """The share by which the features at `layer` are nearer to the originals of a set than the
    parent's, negative if they are farther; None if not measured.
    """
    both = [side.perception.get(name) for side in (one, parent)]
    ours, theirs = (None if side is None else side.distances.get(layer) for side in both)
    return None if ours is None or theirs is None else 1 - ours / theirs


def measure_times(judged: Sequence[Judged], say: Say) -> Espcn | None:
    """Time all files beside ESPCN and keep the better of each model; None if there are none."""
    from framelift.benchmarks.shared.settings import LatencySettings
    from framelift.benchmarks.speed.espcn import measure_espcn

    timed = [one for one in judged if one.model.espcn is not None]
    files = [str(file) for one in timed for file in one.files.values()]
    if not files:
        return None
    settings = LatencySettings(480, 270, seconds=1.0, iterations=20, most_seconds=15.0)
    document = measure_espcn(files, settings, say)
    ratios = {row.model.file: row.network.median_of_ratios for row in document.results.models}
    for one in timed:
        one.espcn = min(ratios[file.name] for file in one.files.values())
    return document


def table(judged: Sequence[Judged], sets: Sequence[str]) -> list[Sequence[str]]:
    """Rows for people, the header first."""
    by_name = {one.model.name: one for one in judged}
    header = [
        "model",
        *(f"{name}, dB" for name in sets),
        "floor / aim",
        "int8 loses",
        "× ESPCN",
        *(f"{layer} nearer" for layer in LAYERS),
        "texture, structure",
        *(wording.column for wording in WORDING.values()),
        "verdict",
    ]
    rows: list[Sequence[str]] = [header]
    for one in judged:
        model, parent = one.model, by_name.get(one.model.parent)
        asked = "" if model.floor_db is None else f"{model.floor_db} / {model.aim_db}"
        found = one.artefacts.get(PLAIN)
        rows.append(
            [
                model.name,
                *(_decibels(one.best(name, "psnr_db")) for name in sets),
                asked,
                _loss(one),
                "" if one.espcn is None else f"{one.espcn:.2f}",
                *(_gains(one, parent, sets, layer) for layer in LAYERS),
                _similarities(one, sets),
                *("" if found is None else written(found, field) for field in WORDING),
                verdict(one),
            ]
        )
    return rows


def verdict(one: Judged) -> str:
    """`aim`, `good`, or what is missed."""
    if one.misses:
        return "; ".join(one.misses)
    psnr, aim = one.best(FLOOR_SET, "psnr_db"), one.model.aim_db
    return "aim" if psnr is not None and aim is not None and psnr >= aim else "good"


def _gains(one: Judged, parent: Judged | None, sets: Sequence[str], layer: str) -> str:
    """How much nearer a layer is on each set, with a star where the layer was trained on."""
    if parent is None or not one.model.perceptual:
        return ""
    gains = [nearer(one, parent, name, layer) for name in sets]
    star = "*" if layer in one.trained_on else ""
    return ", ".join(f"{gain:.1%}{star}" for gain in gains if gain is not None)


def _similarities(one: Judged, sets: Sequence[str]) -> str:
    measured = [one.perception[name] for name in sets if name in one.perception]
    return "; ".join(f"{found.texture:.3f}, {found.structure:.3f}" for found in measured)


def _loss(one: Judged) -> str:
    """The largest loss of PSNR of the int8 file over the sets."""
    if "int8" not in one.scores:
        return ""
    both = zip(one.plain.values(), one.scores["int8"].values(), strict=True)
    return f"{max(a['psnr_db'] - b['psnr_db'] for a, b in both):.3f}"


def _decibels(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
