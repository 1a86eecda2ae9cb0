"""`framelift engine`: TensorRT engines, built before they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common.errors import BackendError, ConfigError
from .options.completions import model_names
from .options.shared import gpu_option
from .output.json_output import print_json

if TYPE_CHECKING:
    from ..runtime.tensorrt.cache.folder import EngineCache
    from ..runtime.tensorrt.cache.sidecar import Sidecar


@dataclass(frozen=True)
class BuildOptions:
    """The arguments and options of `framelift engine build`, by their names."""

    model: str
    shapes: str
    output: Path | None
    device: int | None
    gpu: str | None
    level: int
    tf32: bool
    rebuild: bool
    overwrite: bool
    as_json: bool

    def check_for_another_machine(self) -> None:
        """Raise ConfigError for what does not go together with --gpu."""
        if self.output is None:
            raise ConfigError("--gpu builds for another machine: pass --output, too")
        if self.device is not None or self.rebuild:
            name = "--device" if self.device is not None else "--rebuild"
            raise ConfigError(f"{name} is for this machine: leave out that option or --gpu")


@click.group()
def engine() -> None:
    """Build, list and inspect TensorRT engines.

    The tensorrt backend builds the engines it needs by itself. Build them beforehand to avoid the
    wait at the first frame.
    """


@engine.command()
@click.argument("model", shell_complete=model_names)
@click.option(
    "--shapes",
    required=True,
    metavar="MIN:OPT:MAX",
    help=(
        "Smallest, usual and largest size of the frames, each HxW or NxHxW; a single size is fixed."
    ),
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=(
        "Also write the engine to this file, in the form that trtexec and Triton read, with a "
        ".json beside it; with --gpu, in the form that programs with TensorRT for RTX read."
    ),
)
@gpu_option
@click.option(
    "--gpu",
    metavar="GENERATION",
    help="Build with TensorRT for RTX, without a GPU, for a generation of GPUs: turing, ampere, "
    "ada or blackwell (RTX 20 to 50), or a compute capability such as SM89. Needs --output.",
)
@click.option(
    "--level",
    default=3,
    show_default=True,
    help="Optimisation level: 0 builds fastest, 5 tries most.",
)
@click.option(
    "--tf32", is_flag=True, help="Allow TF32 in float32 convolutions: faster, but less exact."
)
@click.option("--rebuild", is_flag=True, help="Build even if the engine is in the cache.")
@click.option("-y", "--overwrite", is_flag=True, help="Replace an existing FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def build(**options: Any) -> None:  # noqa: ANN401 - the fields of BuildOptions
    """Build an engine and store it in the cache.

    MODEL is an .onnx file or the name of a bundled model. This needs TensorRT 10.16 or 11 and the
    GPU that the engine is for. With --gpu, it needs TensorRT for RTX and no GPU, and stores nothing
    in the cache.
    """
    from ..common.files import check_target
    from ..common.signals import signals_as_errors
    from ..runtime.gpu.shapes import parse_profile
    from ..runtime.models.file import read_spec
    from ..runtime.models.zoo import resolve
    from ..runtime.tensorrt.bindings.rtx import capability_of
    from ..runtime.tensorrt.cache.key import BuilderOptions
    from ..runtime.tensorrt.make import build_progress, make_engine, make_rtx_engine, write_plan

    chosen = BuildOptions(**options)
    gpu, output = chosen.gpu, chosen.output
    profile = parse_profile(chosen.shapes)
    builder = BuilderOptions(level=chosen.level, tf32=chosen.tf32)
    if gpu is not None:
        chosen.check_for_another_machine()
    if output is not None:
        check_target(output, overwrite=chosen.overwrite)
    spec = read_spec(resolve(chosen.model))
    if spec.depth != 8:
        raise ConfigError(
            f"{spec.path} takes uint16 frames, which TensorRT does not support: export it without "
            "--depth "
            "16; Framelift then passes 16-bit frames to TensorRT as bytes"
        )
    with signals_as_errors(), build_progress(spec, profile) as progress:
        if gpu is not None:
            made = make_rtx_engine(spec, profile, builder, progress, capability_of(gpu))
        else:
            made = make_engine(
                spec,
                profile,
                builder,
                progress,
                device=chosen.device or 0,
                rebuild=chosen.rebuild,
            )
        if output is not None:
            write_plan(made, output, overwrite=chosen.overwrite)
    path = output or made.engine.path
    if path is None:
        raise BackendError("the engine could not be stored in the cache: pass --output")
    sidecar = made.engine.sidecar
    if chosen.as_json:
        document = {"path": str(path), "built": made.built, **sidecar.document()}
        print_json(document)
        return
    took = f"built in {sidecar.build_seconds:.1f} s" if made.built else "taken from the cache"
    click.echo(f"{took}; {sidecar.model_precision}, {_precision(sidecar)}", err=True)
    click.echo(path)


@engine.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_engines(as_json: bool) -> None:
    """List the engines in the cache."""
    from ..common.table import align
    from ..runtime.tensorrt.cache.folder import EngineCache

    cache = EngineCache()
    entries = cache.entries()
    if as_json:
        documents = [
            {"path": str(path), **(sidecar.document() if sidecar else {"problem": "no sidecar"})}
            for path, sidecar in entries
        ]
        print_json(documents)
    elif entries:
        header = ("engine", "model", "shapes", "precision", "TensorRT", "GPU", "size")
        click.echo(align([header, *(_row(*entry) for entry in entries)], right=(6,)))
    else:
        click.echo(f"No engines in {cache.folder}.")


@engine.command()
@click.argument("name", metavar="ENGINE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def inspect(name: str, as_json: bool) -> None:
    """Check an engine and show what it was built from.

    It also shows the GPU and the options that the engine was built for. ENGINE is a file,
    or an entry of the first column of `framelift engine list`.
    """
    from ..common.table import align
    from ..runtime.tensorrt.cache.folder import EngineCache
    from ..runtime.tensorrt.make import read_plan

    path = _find(name, EngineCache())
    _, sidecar = read_plan(path)
    if as_json:
        document = {"path": str(path), **sidecar.document()}
        print_json(document)
    else:
        click.echo(align(_rows(path, sidecar)))


def _find(name: str, cache: EngineCache) -> Path:
    """The file that `name` is, or the cached engine whose digest begins with it."""
    path = Path(name)
    if path.is_file() or path.suffix:
        return path
    found = [path for path, side in cache.entries() if side and side.key.digest().startswith(name)]
    if len(found) != 1:
        count = "several engines" if found else "no engine"
        raise BackendError(
            f"{name!r}: {count} in {cache.folder} and no file of that name; see `framelift engine "
            "list`"
        )
    return found[0]


def _row(path: Path, sidecar: Sidecar | None) -> tuple[str, ...]:
    from .output.tables import size_text

    if sidecar is None:
        return ("?", path.name, "unreadable; it will be built again", "", "", "", "")
    key = sidecar.key
    return (
        key.digest(),
        sidecar.model,
        str(key.profile),
        sidecar.model_precision,
        key.tensorrt,
        key.device.gpu,
        size_text(sidecar.size_bytes),
    )


def _rows(path: Path, sidecar: Sidecar) -> list[tuple[str, str]]:
    from .output.tables import size_text

    key, options = sidecar.key, sidecar.key.options
    streams = "TensorRT's choice" if options.max_aux_streams is None else options.max_aux_streams
    return [
        ("file", f"{path} ({size_text(sidecar.size_bytes)}, sound)"),
        ("engine", key.digest()),
        ("model", f"{sidecar.model} ×{sidecar.scale}, sha256 {key.onnx_sha256}"),
        ("shapes", str(key.profile)),
        ("precision", f"{sidecar.model_precision}; {_precision(sidecar)}"),
        ("TensorRT", key.tensorrt),
        ("GPU", f"{key.device.gpu}, compute capability {key.device.compute_capability}"),
        ("driver", key.device.driver),
        (
            "options",
            f"level {options.level}, TF32 {'on' if options.tf32 else 'off'}, "
            f"auxiliary streams {streams}",
        ),
        *_read_back(sidecar),
        ("built", f"{sidecar.built_at}, in {sidecar.build_seconds:.1f} s"),
    ]


def _read_back(sidecar: Sidecar) -> list[tuple[str, str]]:
    """The facts of an engine for this GPU; nothing for one built on another machine's."""
    from .output.tables import size_text

    if sidecar.layers is None or sidecar.device_memory_bytes is None:
        return []
    memory = f"{size_text(sidecar.device_memory_bytes)} for activations at most"
    return [("layers", str(sidecar.layers)), ("memory", memory)]


def _precision(sidecar: Sidecar) -> str:
    if sidecar.layers is None:
        return "not verified: only the GPU that it is for can verify it"
    return sidecar.precision.text()
