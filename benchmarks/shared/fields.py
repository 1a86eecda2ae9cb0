"""What every part of a report is made of: structs whose fields msgspec checks on reading."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
AboveZero = Annotated[float, Meta(gt=0)]
Samples = Annotated[list[AboveZero], Meta(min_length=1)]


class Part(Struct, forbid_unknown_fields=True):
    """A part of a report; fields that it does not have are an error."""
