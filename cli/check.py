"""`framelift check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .options.completions import model_names
from .options.shared import targets_option
from .output.json_output import print_json
from .output.lines import print_line

if TYPE_CHECKING:
    from ..export.check.checker import CheckReport


@click.command()
@click.argument("model", metavar="MODEL", shell_complete=model_names)
@targets_option("Target to check")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check(model: str, targets: tuple[str, ...], as_json: bool) -> int:
    """Check where an ONNX model runs.

    MODEL is an .onnx file or the name of a bundled model (see `framelift models`). For a target
    that cannot run it, the command prints what prevents it, and the exit code is 1. Nothing of the
    model is executed.
    """
    from ..export.check.checker import check_model
    from ..export.check.targets import parse_targets
    from ..runtime.models.zoo import resolve

    report = check_model(resolve(model), parse_targets(targets))
    if as_json:
        print_json(report.to_json())
    else:
        _show(report)
    return 0 if all(report.verdicts().values()) else 1


def _show(report: CheckReport) -> None:
    opsets = ", ".join(f"{domain} {version}" for domain, version in report.opsets.items())
    kind = "framelift model" if report.is_framelift else "ONNX model"
    external = f" + {report.external_bytes / 1000:,.0f} kB beside" if report.external_bytes else ""
    click.echo(
        f"{report.path}: {kind}, opset {opsets}, IR {report.ir_version}, {report.nodes} nodes, "
        f"{report.size_bytes / 1000:,.0f} kB{external}"
    )
    for kind, values in (("in", report.inputs), ("out", report.outputs)):
        for name, shape in values.items():
            print_line(f"  {kind:<4}{name}: {shape}")
    alike: dict[tuple[bool, tuple[str, ...], str, str], list[str]] = {}
    for found in report.findings:
        key = (found.is_error, found.targets, found.problem, found.remedy)
        alike.setdefault(key, []).append(found.where)
    for (is_error, targets, problem, remedy), nodes in alike.items():
        grade = "error" if is_error else "risk"
        more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
        print_line(f"{grade}: {', '.join(targets)}: {nodes[0]}{more}: {problem}")
        print_line(f"    {remedy}")
    for target, runs in report.verdicts().items():
        verdict = "can run it" if runs else "CANNOT run it"
        click.echo(f"{target}: {verdict}, according to {report.judges[target]}")
