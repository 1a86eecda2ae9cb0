"""`framelift models`: the models that ship with framelift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..runtime import ModelSpec


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def models(as_json: bool) -> None:
    """List the shipped models; `framelift inspect NAME` tells all about one."""
    import json

    from ..runtime.model_file import read_spec
    from ..runtime.zoo import shipped_models

    specs = {name: read_spec(path) for name, path in shipped_models().items()}
    if as_json:
        entries = [_entry(name, spec) for name, spec in specs.items()]
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
    elif specs:
        click.echo(_table(specs))
    else:
        click.echo("No models are shipped with this installation.")


def _entry(name: str, spec: ModelSpec) -> dict[str, Any]:
    return {
        "name": name,
        "path": str(spec.path),
        "task": spec.task,
        "scale": spec.scale,
        "network": spec.network,
        "parameters": spec.parameters,
        "size_bytes": spec.size_bytes,
        "halo": spec.halo if spec.is_local else None,
        "precision": spec.precision,
        "licence": spec.licence,
        "sha256": spec.sha256,
    }


def _table(specs: dict[str, ModelSpec]) -> str:
    from .tables import align, size_text

    header = ("name", "task", "parameters", "size", "halo", "precision", "licence")
    rows = [
        (
            name,
            "style" if spec.task == "style" else f"×{spec.scale}",
            f"{spec.parameters:,}",
            size_text(spec.size_bytes),
            spec.reach,
            spec.precision,
            spec.licence,
        )
        for name, spec in specs.items()
    ]
    return align([header, *rows], right=(2, 3, 4))
