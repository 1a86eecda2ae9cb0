"""What a report says of its settings: free mappings, of which some fields are always there."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from ..shared.fields import Positive

F = TypeVar("F", bound=Struct)


def fields_of(kind: type[F], settings: Settings) -> F:
    """The fields that settings of that kind always have, such as `WithImages`."""
    return msgspec.convert(settings, kind)


def _with_fields(kind: type[Struct]) -> Meta:
    """The published schema of a free mapping that has at least the fields of `kind`."""
    described = msgspec.json.schema(kind)["$defs"][kind.__name__]
    return Meta(extra_json_schema={key: described[key] for key in ("properties", "required")})


class WithBackend(Struct):
    backend: str


class WithSize(Struct):
    width: Positive
    height: Positive


class WithImages(Struct):
    images: str
    count: Positive


class WithFile(Struct):
    file: str


class WithFileOrNone(Struct):
    file: str | None


class WithConfig(Struct):
    config: str


Runtime = Annotated[dict[str, str | int], _with_fields(WithBackend)]
"""What really ran: engine, provider, device, threads; selection: why `auto` chose it."""
Settings = dict[str, Any]
"""Whatever a benchmark was run with. `fields_of` gives what a kind of report always has, typed."""
SizeSettings = Annotated[Settings, _with_fields(WithSize)]
ImageSettings = Annotated[Settings, _with_fields(WithImages)]
FileSettings = Annotated[Settings, _with_fields(WithFile)]
FileOrNoneSettings = Annotated[Settings, _with_fields(WithFileOrNone)]
ConfigSettings = Annotated[Settings, _with_fields(WithConfig)]
