"""Makes the models that ship: trains, exports, scores and judges them as zoo.toml says.

python -m models.train --data PHOTOS --hr Set5 --hr Set14 --hr BSD100 --vgg vgg16.npz
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from framelift.benchmarks.quality.scores import originals
from framelift.benchmarks.report.documents import AnySingle
from framelift.benchmarks.report.model import combine, to_json, write_text
from framelift.common.errors import ConfigError, InputError, TrainingError
from framelift.common.table import align

from .plan import Model, Zoo, chosen, read_zoo
from .running import run
from .training import Options, checkpoint_of, is_trained, train_all

_PATH = click.Path(path_type=Path)
_NO_SETS = "nothing to judge on: give --hr DIR, such as Set5"


@click.command()
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@click.option("--data", multiple=True, type=_PATH, metavar="DIR", help="Photographs to train on.")
@click.option(
    "--hr",
    "sets",
    multiple=True,
    type=_PATH,
    metavar="DIR",
    help="Originals to judge on; training is validated on the first.",
)
@click.option("--vgg", metavar="SOURCE", help="VGG-16 weights, for training and for judging.")
@click.option(
    "--calibration",
    type=_PATH,
    metavar="DIR",
    help="Frames for int8; without them there are no int8 files.",
)
@click.option("--runs", type=_PATH, default=Path("runs/zoo"), show_default=True)
@click.option("--results", type=_PATH, default=Path("runs/zoo-results"), show_default=True)
@click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Trainings at once."
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Of training for each model. [default: zoo.toml's]",
)
@click.option(
    "--from-shipped", is_flag=True, help="Go on from each model's own shipped checkpoint."
)
@click.option("--set", "extra", multiple=True, metavar="KEY=VALUE", help="A setting for all.")
@click.option("--device", default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="CPU threads of each training.")
@click.option("--time", "timed", is_flag=True, help="Time the models beside ESPCN, too.")
@click.option("--only", type=click.Choice(("train", "judge")), help="One half of the work.")
def main(
    names: tuple[str, ...],
    sets: tuple[Path, ...],
    calibration: Path | None,
    results: Path,
    timed: bool,
    only: str | None,
    **shared: Any,  # noqa: ANN401 - fields of Options
) -> None:
    """Train MODELs, by default all of models/zoo.toml, and judge them.

    What is trained and exported already is not done again: after Ctrl-C, SIGTERM or a failure the
    same command goes on. The results, checkpoints, .onnx files, histories, report.json and
    verdicts.json, lie in one folder.
    """
    zoo = read_zoo()
    models = chosen(zoo, names)
    options = Options(validation=sets[0] if sets else None, **shared)
    data, runs = options.data, options.runs
    failures: list[str] = []
    asked = len(models)
    if only != "judge":
        if not data:
            raise ConfigError("no photographs to train on: pass --data DIR")
        if only != "train":  # found now, not after hours of training
            _check_judging(sets, calibration)
        failures = train_all(models, options, _say)
        # Of the others a shipped checkpoint would be judged in their place.
        models = [model for model in models if is_trained(model.name, runs)]
    if only == "judge" and not sets:
        raise ConfigError(_NO_SETS)
    if only != "train" and models:
        if only == "judge":
            untrained = [m.name for m in models if not checkpoint_of(m.name, runs).is_file()]
            if untrained and not names:
                _say(f"not trained, so left out: {', '.join(untrained)}")
            failures = [f"{name} has not been trained" for name in untrained if names]
            for model in models:
                if model.name not in untrained and not is_trained(model.name, runs):
                    _say(f"{model.name}: no run in {runs}, so the shipped checkpoint is judged")
        failures += _judge(zoo, models, sets, options.vgg, calibration, runs, results, timed)
    if failures:
        raise TrainingError(f"{len(failures)} of {asked} models: {'; '.join(failures)}")


def _check_judging(sets: Sequence[Path], calibration: Path | None) -> None:
    """Raise ConfigError or InputError for images that are not there."""
    if not sets:
        raise ConfigError(_NO_SETS)
    for folder in sets:
        originals(folder)
    if calibration is not None and not calibration.is_dir():
        raise InputError(f"{calibration}: no such folder of images to calibrate on")


def _judge(
    zoo: Zoo,
    models: Sequence[Model],
    sets: Sequence[Path],
    vgg: str | None,
    calibration: Path | None,
    runs: Path,
    results: Path,
    timed: bool,
) -> list[str]:
    """Judge those that have a checkpoint; returns a line for each that misses something."""
    from .judging import export_all, judge, measure_times, score, table, verdict
    from .perception import PerceptionMeter

    has_checkpoint = {m.name for m in zoo.model if checkpoint_of(m.name, runs).is_file()}
    trained = [model for model in models if model.name in has_checkpoint]
    if not trained:
        raise ConfigError("none of these models was trained: leave --only judge out")
    wanted = {m.name for m in trained} | {m.parent for m in trained if m.perceptual}
    there = [m for m in zoo.model if m.name in wanted & has_checkpoint]
    judged = export_all(there, runs, results, calibration, _say)
    meter = None if vgg is None else PerceptionMeter(vgg)
    for one in judged:
        score(one, sets, vgg, meter, _say)
    documents: list[AnySingle] = [document for one in judged for document in one.documents]
    if timed and (times := measure_times(judged, _say)) is not None:
        documents.append(times)
    by_name = {one.model.name: one for one in judged}
    for one in judged:
        judge(one, by_name.get(one.model.parent), zoo.limits)
    write_text(to_json(combine(documents)), results / "report.json")
    verdicts = {one.model.name: verdict(one) for one in judged}
    write_text(json.dumps(verdicts, indent=2, ensure_ascii=False) + "\n", results / "verdicts.json")
    click.echo(align(table(judged, [folder.resolve().name for folder in sets])))
    asked = {model.name for model in models}
    return [
        f"{one.model.name} misses: {verdict(one)}"
        for one in judged
        if one.misses and one.model.name in asked
    ]


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    run(main, "train", "interrupted; the same command goes on")
