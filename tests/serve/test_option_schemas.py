"""The API describes the options of jobs as `framelift upscale` takes them."""

from __future__ import annotations

from typing import Any

import click

from framelift.cli.upscale.command import upscale
from framelift.runtime.files.jobs import VIDEO_SUFFIXES
from framelift.serve.api.option_schemas import OPTION_SCHEMAS
from framelift.serve.jobs.options import FOR_ALL, FOR_IMAGES, FOR_VIDEOS, VIDEO_FORMATS

OF_THE_SERVER = {"format"}
"""The command knows the format by the suffix of OUT."""
LIMITS = ("type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def schema_of(option: click.Parameter) -> dict[str, Any]:
    """The limits of an option's values in the words of JSON schemas."""
    if isinstance(option, click.Option) and option.is_flag:
        return {"type": "boolean"}
    kind = option.type
    if isinstance(kind, click.Choice):
        return {"type": "string", "enum": list(kind.choices)}
    if not isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
        return {"type": "string"}
    is_whole = isinstance(kind, click.types.IntParamType)
    schema: dict[str, Any] = {"type": "integer" if is_whole else "number"}
    if isinstance(kind, click.IntRange | click.FloatRange):
        for bound, is_open, closed_name, open_name in (
            (kind.min, kind.min_open, "minimum", "exclusiveMinimum"),
            (kind.max, kind.max_open, "maximum", "exclusiveMaximum"),
        ):
            if bound is not None:
                schema[open_name if is_open else closed_name] = bound
    return schema


def test_types_limits_and_choices_are_those_of_the_command() -> None:
    options = {option.name: option for option in upscale.params}
    described = {
        name: {key: schema[key] for key in LIMITS if key in schema}
        for name, schema in OPTION_SCHEMAS.items()
        if name not in OF_THE_SERVER
    }
    assert described == {name: schema_of(options[name]) for name in described}


def test_each_option_of_a_job_is_described_and_no_other() -> None:
    assert set(OPTION_SCHEMAS) == {*FOR_ALL, *FOR_VIDEOS, *FOR_IMAGES}


def test_formats_of_videos_are_suffixes_that_the_command_knows() -> None:
    assert {f".{name}" for name in VIDEO_FORMATS} <= set(VIDEO_SUFFIXES)
