"""Shell completion of models, backends and files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

BACKENDS = (
    "auto",
    "tensorrt",
    "tensorrt-rtx",
    "onnx-tensorrt",
    "onnx-cuda",
    "onnx-webgpu",
    "onnx-cpu",
)
"""Said here so that the shell need not wait for the runtime; a test compares them with it."""

_STAGES = Path(__file__).parents[2]


def model_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The shipped models, and files."""
    shipped = (path.stem for path in (_STAGES / "runtime" / "models").glob("*.onnx"))
    return [*files(context, parameter, incomplete), *_those(shipped, incomplete)]


def preset_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The presets of `framelift train`, and files."""
    presets = (path.stem for path in (_STAGES / "train" / "presets").glob("*.toml"))
    return [*files(context, parameter, incomplete), *_those(presets, incomplete)]


def backend_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The backends."""
    return _those(BACKENDS, incomplete)


def files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Files. Our own names must come after them: click's script for bash drops those before."""
    return [CompletionItem(incomplete, type="file")]


def _those(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]
