"""`framelift inspect`: everything that a model file says about itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .completion import model_names
from .json_output import print_json

if TYPE_CHECKING:
    from ..runtime import ModelSpec


@click.command()
@click.argument("model", shell_complete=model_names)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def inspect(model: str, as_json: bool) -> None:
    """Show what MODEL is, takes and gives, and how it was made.

    MODEL is an .onnx file or the name of a shipped model (see `framelift models`).
    """
    from ..runtime.model_file import read_spec
    from ..runtime.zoo import resolve
    from .tables import align

    spec = read_spec(resolve(model))
    if as_json:
        print_json(_document(spec))
    else:
        click.echo(align(list(_rows(spec))))


def _interface(spec: ModelSpec) -> dict[str, str]:
    n, h, w = (str(size or name) for size, name in zip(spec.frame_shape, "NHW", strict=True))
    s = spec.scale
    pictures = str(spec.frame_shape[0] // spec.window) if spec.frame_shape[0] else n
    big_h, big_w = (
        str(size * s) if size else f"{s if s > 1 else ''}{name}"
        for size, name in zip(spec.frame_shape[1:], "HW", strict=True)
    )
    return {
        "frames": f"uint8 {n}×{h}×{w}×3 BGR",
        "upscaled": f"uint8 {pictures}×{big_h}×{big_w}×3 BGR",
    }


def _document(spec: ModelSpec) -> dict[str, Any]:
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
    from .tables import size_text

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
            yield from _entries(key.replace("_", " "), _parsed(value))


def _entries(label: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON
    """One row for a plain value, one for each entry of a JSON object."""
    if not isinstance(value, dict):
        yield label, _text(value) or "not stated"
        return
    for key, entry in value.items():
        yield label, f"{key}: {_text(entry)}"
        label = ""


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON
    """JSON objects parsed; anything else is the text that was written."""
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # numbers of thousands of digits, brackets without end
        return text
    return value if isinstance(value, dict) else text
