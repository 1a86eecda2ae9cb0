"""`framelift models`: the models that ship with framelift."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

import click

from .options.completions import backend_names
from .options.defaults import typed
from .options.shared import device_option, threads_option
from .output.json_output import print_json

if TYPE_CHECKING:
    from pathlib import Path

    from ..runtime.models.scores import Scores

# Costs and times are those of one frame of this size, made from one smaller by the scale.
_OUTPUT = (1920, 1080)
# So that models of all sizes are measured in moments.
_SECONDS, _CALLS, _MOST_SECONDS = 1.0, 10, 10.0


class _Entry(TypedDict):
    """A model, as JSON shows it."""

    name: str
    path: str
    task: str
    scale: int
    network: dict[str, object]
    parameters: int
    macs_per_1080p_frame: int
    size_bytes: int
    halo: int | None
    precision: str
    licence: str
    sha256: str
    scores: Scores
    default_for: list[str]
    measured: NotRequired[dict[str, str | float]]
    """What ran, as of `Upscaler.describe`, and how many "ms" a frame took."""


@click.command()
@click.option("--measure", is_flag=True, help="Also measure the time of a 1920×1080 frame.")
@click.option(
    "--backend",
    metavar="NAME",
    help="Backend to measure on, with --measure. [default: auto]",
    shell_complete=backend_names,
)
@device_option
@threads_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def models(
    measure: bool,
    backend: str | None,
    device: int | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """List the bundled models. `framelift inspect NAME` shows everything about one of them.

    GMAC is billions of multiply-accumulates for one frame of 1920×1080. PSNR and SSIM (Y), and the
    distance of VGG-16 features at relu2_2, were stored in the model's file when it was scored on
    that image set; a dash means that it was not scored. "default for" shows what `framelift
    upscale` and `framelift stylize` use the model for on this machine if you do not pass --model.
    """
    from ..runtime.backends.select import runs_on_cpu
    from ..runtime.models.zoo import default_uses, shipped_models

    if not measure and typed("backend", "device", "threads"):
        raise click.UsageError("--backend, --device and --threads are for --measure: pass it, too")
    shipped = shipped_models()
    uses = default_uses(on_cpu=runs_on_cpu("auto"))
    entries = [_entry(name, path, uses.get(name, [])) for name, path in shipped.items()]
    if measure and shipped:
        measured = _measure(list(shipped.values()), backend or "auto", device, threads)
        for entry, time in zip(entries, measured, strict=True):
            entry["measured"] = time
    if as_json:
        print_json(entries)
    elif entries:
        click.echo(_table(entries))
    else:
        click.echo("This installation has no bundled models.")


def _entry(name: str, path: Path, uses: list[str]) -> _Entry:
    from ..benchmarks.shared.graph_cost import count
    from ..runtime.models.file import load
    from ..runtime.models.scores import recorded_scores

    spec, model = load(path)
    width, height = (side // spec.scale for side in _OUTPUT)
    return {
        "name": name,
        "path": str(spec.path),
        "task": spec.task,
        "scale": spec.scale,
        "network": spec.network,
        "parameters": spec.parameters,
        "macs_per_1080p_frame": count(model, 1, height, width).macs,
        "size_bytes": spec.size_bytes,
        "halo": spec.halo if spec.is_local else None,
        "precision": spec.precision,
        "licence": spec.licence,
        "sha256": spec.sha256,
        "scores": recorded_scores(spec, model),
        "default_for": uses,
    }


def _measure(
    paths: list[Path], backend: str, device: int | None, threads: int | None
) -> list[dict[str, str | float]]:
    """The median time of a frame through `Upscaler`, the models' calls in turn."""
    from contextlib import ExitStack
    from functools import partial
    from statistics import median

    from ..benchmarks.shared.frames import input_frames
    from ..benchmarks.shared.settings import LatencySettings
    from ..benchmarks.shared.timing import alternate
    from ..runtime import Upscaler

    with ExitStack() as stack:
        upscalers = [
            stack.enter_context(Upscaler.load(path, backend, threads=threads, device=device))
            for path in paths
        ]
        calls = {}
        for index, upscaler in enumerate(upscalers):
            width, height = (side // upscaler.scale for side in _OUTPUT)
            frame = input_frames(LatencySettings(width, height))[0]
            calls[index] = partial(upscaler, frame, out=upscaler(frame))
        timed = alternate(calls, _SECONDS, _CALLS, most_seconds=_MOST_SECONDS)
        return [
            {"ms": round(median(timed[index].samples_ms), 3), **upscaler.describe()}
            for index, upscaler in enumerate(upscalers)
        ]


def _table(entries: list[_Entry]) -> str:
    from ..common.table import align
    from .output.tables import size_text

    shown = _shown_sets(entries)
    measured = any("measured" in entry for entry in entries)
    header = ["name", "task", "parameters", "GMAC"]
    header += [f"{name} dB / SSIM" for name in shown]
    header += [f"{name} relu2_2" for name in shown[-1:]]
    header += ["ms"] * measured + ["size", "precision", "licence"]
    used = any(entry["default_for"] for entry in entries)
    header += ["default for"] * used
    rows = []
    for entry in entries:
        task = "style" if entry["task"] == "style" else f"×{entry['scale']}"
        row = [entry["name"], task, f"{entry['parameters']:,}"]
        row.append(f"{entry['macs_per_1080p_frame'] / 1e9:.1f}")
        for name in shown:
            scores = entry["scores"].get(name)
            row.append(f"{scores['psnr_db']:.2f} / {scores['ssim']:.4f}" if scores else "–")
        for name in shown[-1:]:
            scores = entry["scores"].get(name)
            distance = None if scores is None else scores.get("feature_distance")
            row.append("–" if distance is None else f"{distance:,.0f}")
        if measured:
            row.append(f"{float(entry['measured']['ms']):.1f}")
        row += [size_text(entry["size_bytes"]), entry["precision"], entry["licence"]]
        rows.append(row + [", ".join(entry["default_for"])] * used)
    return align([header, *rows], right=tuple(range(2, header.index("precision"))))


def _shown_sets(entries: list[_Entry]) -> list[str]:
    """At most two image sets, those that most models were scored on, shorter names first."""
    sets = [name for entry in entries for name in entry["scores"]]
    often = sorted(set(sets), key=lambda name: (-sets.count(name), name not in ("Set5", "Set14")))
    return sorted(often[:2], key=lambda name: (len(name), name))
