"""The reports as types; schema.json is made from them, their settings and their results.

Times are in milliseconds and sizes in bytes unless the name says otherwise; null is unknown or not
finite.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from ..machine.facts import Machine
from ..shared.fields import Part
from .quality_results import FlickerResults, FootageResults, PicturesResults, QualityResults
from .results import (
    EspcnResults,
    LatencyResults,
    Model,
    OverheadResults,
    RealtimeResults,
    ReuseResults,
    StreamResults,
    TrainResults,
    VideoResults,
)
from .settings import (
    ConfigSettings,
    FileOrNoneSettings,
    FileSettings,
    ImageSettings,
    Runtime,
    Settings,
    SizeSettings,
    WithBackend,
    WithConfig,
    WithFile,
    WithFileOrNone,
    WithImages,
    WithSize,
)

SCHEMA: Literal["framelift.benchmark"] = "framelift.benchmark"
SCHEMA_VERSION: Literal[4] = 4


class Document(Part, tag_field="kind"):
    """What every file that `framelift bench ... --json` writes begins with."""

    schema: Literal["framelift.benchmark"]
    schema_version: Literal[4]
    created: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]

    @property
    def kind(self) -> str:
        """Its name in the JSON."""
        return str(self.__struct_config__.tag)


class Single(Document):
    """The report of one benchmark."""

    machine: Machine
    settings: Settings
    warnings: list[str]

    needed: ClassVar[type[Struct] | None] = None

    def __post_init__(self) -> None:
        if self.needed is not None:
            msgspec.convert(self.settings, self.needed)


class OfModel(Single):
    """The report of one benchmark of one model."""

    model: Model
    runtime: Runtime

    def __post_init__(self) -> None:
        super().__post_init__()
        msgspec.convert(self.runtime, WithBackend)


class Latency(Single, tag="latency"):
    """Latency of models on backends, beside rivals."""

    results: LatencyResults


class Overhead(OfModel, tag="overhead"):
    """What frames cost around the network."""

    settings: SizeSettings
    results: OverheadResults
    needed = WithSize


class Quality(OfModel, tag="quality"):
    """Scores by the standard protocol."""

    settings: ImageSettings
    results: QualityResults
    needed = WithImages


class Video(OfModel, tag="video"):
    """A video file end to end."""

    settings: FileSettings
    results: VideoResults
    needed = WithFile


class Stream(OfModel, tag="stream"):
    """A live source end to end."""

    settings: SizeSettings
    results: StreamResults
    needed = WithSize


class Train(Single, tag="train"):
    """The speed of training."""

    settings: ConfigSettings
    results: TrainResults
    needed = WithConfig


class Pictures(OfModel, tag="pictures"):
    """Pictures for a page."""

    results: PicturesResults


class Espcn(Single, tag="espcn"):
    """Time relative to ESPCN."""

    settings: SizeSettings
    results: EspcnResults
    needed = WithSize


class Realtime(Single, tag="realtime"):
    """The largest output in real time."""

    settings: FileOrNoneSettings
    results: RealtimeResults
    needed = WithFileOrNone


class Flicker(OfModel, tag="flicker"):
    """Change from frame to frame."""

    settings: FileSettings
    results: FlickerResults
    needed = WithFile


class Reuse(OfModel, tag="reuse"):
    """What exact reuse is worth."""

    results: ReuseResults


class Footage(Single, tag="footage"):
    """Coded footage."""

    results: FootageResults


AnySingle = (
    Latency
    | Overhead
    | Quality
    | Video
    | Stream
    | Train
    | Pictures
    | Espcn
    | Realtime
    | Flicker
    | Footage
    | Reuse
)


class Collection(Document, tag="report"):
    """Several reports together."""

    documents: Annotated[list[AnySingle], Meta(min_length=1)]


AnyDocument = AnySingle | Collection
