"""The options of a job, as a client gives them and as the command takes them.

Only those listed here can be given. Each becomes one argument, `--name=value`, so that no value is
taken for another option; a model is one of those that the server offers, never a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...common.text import suggestion
from .errors import RequestError
from .names import is_picture
from .settings import Settings

_LONGEST = 100
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}

FOR_ALL = ("model", "scale", "size", "width", "height", "compare", "format")
FOR_VIDEOS = (
    "codec",
    "crf",
    "preset",
    "pixel_format",
    "assume_transfer",
    "audio",
    "no_audio",
    "deinterlace",
    "start",
    "end",
)
FOR_IMAGES = ("no_metadata",)
_SWITCHES = ("compare", "no_audio", "no_metadata")
IMAGE_FORMATS = ("png", "jpg", "webp", "avif", "tiff", "bmp")
VIDEO_FORMATS = ("mp4", "mkv", "mov", "m4v", "webm")
_CONTAINERS = {"prores": "mov", "ffv1": "mkv"}
"""The container where none is asked for, of codecs that .mp4 does not hold."""


@dataclass(frozen=True)
class Plan:
    """What a job has to run."""

    command: str
    arguments: list[str]
    options: dict[str, str]
    """The options as they were given, as text."""
    result_suffix: str


def plan(given: Mapping[str, object], suffix: str, settings: Settings) -> Plan:
    """The command for a file of that suffix, from `known_suffix`.

    Raises RequestError, whose line is that of the command, for options that make no sense.
    """
    picture = is_picture(suffix)
    options = {name: _text(name, value) for name, value in given.items()}
    _require_known(options, picture)
    command, arguments = "upscale", []
    if (name := options.get("model")) is not None:
        model = settings.models.get(name)
        if model is None:
            raise _bad(f"{name!r} is not a model of this server{suggestion(name, settings.models)}")
        command = model.command
        arguments.append(f"--model={model.argument}")
    for name, value in options.items():
        if name in _SWITCHES:
            arguments += [f"--{name.replace('_', '-')}"] * _switch(name, value)
        elif name not in ("model", "format"):
            arguments.append(f"--{name.replace('_', '-')}={value}")
    result_suffix = f".{_format(options, picture)}"
    problem = settings.check_options(command, [*settings.arguments, *arguments])
    if problem is not None:
        raise RequestError(400, problem, "UsageError")
    return Plan(command, arguments, options, result_suffix)


def _require_known(options: Mapping[str, str], picture: bool) -> None:
    known = (*FOR_ALL, *FOR_VIDEOS, *FOR_IMAGES)
    for name in options:
        if name not in known:
            raise _bad(
                f"{name!r} is not an option{suggestion(name, known)}: use {', '.join(known)}"
            )
        if picture and name in FOR_VIDEOS:
            raise _bad(f"{name} is for videos, and the input is an image")
        if not picture and name in FOR_IMAGES:
            raise _bad(f"{name} is for images, and the input is a video")


def _format(options: Mapping[str, str], picture: bool) -> str:
    known = IMAGE_FORMATS if picture else VIDEO_FORMATS
    chosen = options.get("format")
    if chosen is None:
        return known[0] if picture else _CONTAINERS.get(options.get("codec", ""), known[0])
    if chosen not in known:
        what = "an image" if picture else "a video"
        raise _bad(f"{what} cannot be made as {chosen!r}: use {', '.join(known)}")
    return chosen


def _switch(name: str, value: str) -> bool:
    try:
        return _FLAGS[value.lower()]
    except KeyError:
        raise _bad(f"{name} is {value!r}: use true or false") from None


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise _bad(f"{name!r} must be text, a number, true or false")
    text = str(value)
    if len(text) > _LONGEST or not text.isprintable():
        raise _bad(f"the value of {name!r} is too long, or holds characters that cannot be shown")
    return text


def _bad(message: str) -> RequestError:
    return RequestError(400, message, "ConfigError")
