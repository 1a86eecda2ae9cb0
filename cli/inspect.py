"""`framelift inspect`: everything that a model file says about itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common.table import align
from ..common.text import nesting
from .options.completions import model_names
from .output.json_output import print_json
from .output.tables import entries, size_text

if TYPE_CHECKING:
    from ..runtime import ModelSpec
    from ..train.checkpoints.header import CheckpointHeader

_MOST_LEVELS = 64  # of JSON that is shown entry by entry


@click.command()
@click.argument("model", shell_complete=model_names)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def inspect(model: str, as_json: bool) -> None:
    """Show what a model takes and returns, and how it was made.

    MODEL is an .onnx file, the name of a bundled model (see `framelift models`), or a checkpoint of
    `framelift train` (.safetensors).
    """
    from ..runtime.models.file import read_spec
    from ..runtime.models.zoo import resolve

    if model.lower().endswith(".safetensors"):
        _checkpoint(Path(model), as_json)
        return
    spec = read_spec(resolve(model))
    if as_json:
        print_json(_document(spec))
    else:
        click.echo(align(list(_rows(spec))))


def _checkpoint(path: Path, as_json: bool) -> None:
    from ..train.checkpoints.header import inspect_checkpoint

    checkpoint = inspect_checkpoint(path)
    if as_json:
        print_json(_checkpoint_document(checkpoint))
    else:
        click.echo(align(list(_checkpoint_rows(checkpoint))))


def _checkpoint_document(checkpoint: CheckpointHeader) -> dict[str, object]:
    return {
        "path": str(checkpoint.path),
        "sha256": checkpoint.sha256,
        "size_bytes": checkpoint.size_bytes,
        "task": checkpoint.task,
        "scale": checkpoint.scale,
        "training_parameters": checkpoint.parameters,
        "tensors": checkpoint.tensors,
        "types": list(checkpoint.types),
        "network": checkpoint.network,
        "training": checkpoint.training,
    }


def _checkpoint_rows(checkpoint: CheckpointHeader) -> Iterator[tuple[str, str]]:
    yield "file", f"{checkpoint.path} ({size_text(checkpoint.size_bytes)})"
    yield "sha256", checkpoint.sha256
    factor = f" ×{checkpoint.scale}" if checkpoint.scale > 1 else ""
    yield "task", f"{checkpoint.task}{factor}"
    count = f"{checkpoint.parameters:,} in {checkpoint.tensors} tensors"
    yield "weights", f"{count} ({', '.join(checkpoint.types)}), branches of training included"
    yield from entries("network", checkpoint.network)
    yield from entries("training", checkpoint.training)
    yield "export", f"framelift export {checkpoint.path}"


def _interface(spec: ModelSpec) -> dict[str, str]:
    n, h, w = (str(size or name) for size, name in zip(spec.frame_shape, "NHW", strict=True))
    s = spec.scale
    pictures = str(spec.frame_shape[0] // spec.window) if spec.frame_shape[0] else n
    big_h, big_w = (
        str(size * s) if size else f"{s if s > 1 else ''}{name}"
        for size, name in zip(spec.frame_shape[1:], "HW", strict=True)
    )
    return {
        "frames": f"uint{spec.depth} {n}×{h}×{w}×3 BGR",
        "upscaled": f"uint{spec.depth} {pictures}×{big_h}×{big_w}×3 BGR",
    }


def _document(spec: ModelSpec) -> dict[str, object]:
    interface = _interface(spec)
    return {
        "path": str(spec.path),
        "sha256": spec.sha256,
        "size_bytes": spec.size_bytes,
        "parameters": spec.parameters,
        "ir_version": spec.ir_version,
        "activation_bytes_per_pixel": spec.activation_bytes,
        "input": {"frames": interface["frames"]},
        "output": {"upscaled": interface["upscaled"]},
        "metadata": {key: _parsed(value) for key, value in spec.metadata.items()},
    }


def _rows(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    interface = _interface(spec)
    yield "name", spec.name
    yield "file", f"{spec.path} ({size_text(spec.size_bytes)})"
    yield "sha256", spec.sha256
    yield "task", f"{spec.task} ×{spec.scale}" if spec.scale > 1 else spec.task
    yield "input", f"frames: {interface['frames']}"
    yield "output", f"upscaled: {interface['upscaled']}"
    yield "parameters", f"{spec.parameters:,}"
    yield "precision", spec.precision
    yield "opset", f"{spec.opset} (IR version {spec.ir_version})"
    yield "halo", f"{spec.halo} input pixels" if spec.is_local else spec.reach
    yield "size multiple", str(spec.size_multiple)
    yield "memory", f"about {spec.activation_bytes} bytes per input pixel"
    shown = {"name", "task", "scale", "precision", "opset", "halo", "size_multiple"}
    for key, value in spec.metadata.items():
        if key not in shown:
            yield from entries(key.replace("_", " "), _parsed(value))


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON
    """JSON objects parsed; anything else is the text that was written."""
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # numbers of thousands of digits, brackets without end
        return text
    return (
        value if isinstance(value, dict) and nesting(value, _MOST_LEVELS) <= _MOST_LEVELS else text
    )
