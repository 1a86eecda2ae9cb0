"""`framelift bench all`, `render` and `compare`: reports of several measurements."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...common.errors import FrameliftError
from ..options.completions import model_names
from ..options.shared import seconds_option
from .options import (
    Targets,
    originals_option,
    parse_percent,
    placement_options,
    report_options,
    say,
    shipped_or,
    show,
    size_option,
    vgg_option,
)

if TYPE_CHECKING:
    from ...benchmarks.shared.settings import Placement


@click.command(name="all")
@click.argument("models", nargs=-1, metavar="[MODEL]...", shell_complete=model_names)
@originals_option("images", required=False)
@vgg_option
@click.option("--video", "file", type=click.Path(path_type=Path), help="Video to measure on.")
@size_option
@seconds_option(3.0)
@placement_options
@report_options
def everything(
    models: tuple[str, ...],
    images: tuple[Path, ...],
    vgg: str | None,
    file: Path | None,
    size: tuple[int, int],
    seconds: float,
    placement: Placement,
    targets: Targets,
) -> None:
    """Measure everything about models, in one report.

    Without MODEL, all bundled models are measured.
    """
    from ...benchmarks.everything import Plan, measure_everything

    plan = Plan(images, file, size, seconds, vgg, **vars(placement))
    show(measure_everything(plan, shipped_or(models), say), targets)


@click.command()
@click.argument("reports", nargs=-1, required=True, type=click.Path(path_type=Path))
@report_options
def render(reports: tuple[Path, ...], targets: Targets) -> None:
    """Turn JSON reports into another form, several into one."""
    from ...benchmarks.report.model import combine, read_document
    from ...common.files import check_target

    for report, target in itertools.product(reports, targets.files):
        check_target(target, overwrite=True, source=report)
    documents = [read_document(path) for path in reports]
    show(documents[0] if len(documents) == 1 else combine(documents), targets)


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--fail-above",
    "limit",
    metavar="PERCENT",
    callback=parse_percent,
    help="Exit with 1 if a figure is worse by more than this and the change is not noise.",
)
def compare(old: Path, new: Path, limit: float | None) -> None:
    """Compare two JSON reports. A positive change is a change for the worse."""
    from ...benchmarks.report.compare import compare as compare_documents
    from ...benchmarks.report.model import read_document

    result = compare_documents(read_document(old), read_document(new))
    click.echo(result.table().text())
    for name in result.missing:
        click.echo(f"missing in {new}: {name}")
    for note in result.notes:
        click.echo(f"note: {note}")
    if limit is None:
        return
    if worse := result.worse_than(limit):
        names = "; ".join(f"{change.old.name} {change.share:+.1%}" for change in worse)
        raise FrameliftError(f"worse by more than {limit * 100:g}%: {names}")
    if result.missing:
        raise FrameliftError(f"{new}: lacks figures of {old}: {'; '.join(result.missing)}")
