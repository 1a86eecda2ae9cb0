"""`framelift doctor`: what is installed, what works, and how to fix the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..common.errors import BackendError, MissingDependencyError
from .output.json_output import print_json

if TYPE_CHECKING:
    from ..runtime.doctor import Check, Diagnosis


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Check the installation: packages, video encoder and backends.

    The exit code is 0 if a video can be upscaled on this machine, otherwise 1.
    """
    from ..runtime.doctor import diagnose

    diagnosis = diagnose()
    if as_json:
        print_json(_document(diagnosis))
    else:
        click.echo(_to_text(diagnosis))
    if not diagnosis.working_backends:
        raise BackendError("no backend works on this machine; the reasons are above")
    if not diagnosis.can_upscale_video:
        raise MissingDependencyError("no video can be written on this machine; the reason is above")


def _document(diagnosis: Diagnosis) -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(diagnosis), "can_upscale_video": diagnosis.can_upscale_video}


def _to_text(diagnosis: Diagnosis) -> str:
    groups = {
        "Installed": diagnosis.packages,
        "Video": (diagnosis.encoder,),
        "Backends, best first": diagnosis.backends,
    }
    width = max(len(check.name) for checks in groups.values() for check in checks)
    lines = []
    for title, checks in groups.items():
        lines.append(title)
        lines += [line for check in checks for line in _check_lines(check, width)]
    lines += [_defaults_line(), ""]
    if diagnosis.can_upscale_video:
        lines.append(f"Ready: framelift upscale runs on {diagnosis.taken_by_auto}.")
    else:
        lines.append("Not ready: fix what is marked above.")
    return "\n".join(lines)


def _defaults_line() -> str:
    from .options.defaults import VARIABLE, defaults_path

    path = defaults_path()
    if path is None:
        return f"Your defaults: none, {VARIABLE} is empty"
    return f"Your defaults: {path}{'' if path.is_file() else ' (not there)'}"


def _check_lines(check: Check, width: int) -> list[str]:
    marks = {"ok": "ok", "absent": "-", "problem": "!!"}
    lines = [f"  {marks[check.status]:2}  {check.name:{width}}  {check.detail}"]
    if check.fix:
        lines.append(f"      {'':{width}}  run: {check.fix}")
    return lines
