"""The results of reports on pictures, as types; see `results`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ..shared.fields import Count, Part
from .results import Model
from .settings import Runtime, WithBackend


class Scores(Part, omit_defaults=True):
    """Y-PSNR, null where the images are equal, Y-SSIM, and the distance of relu2_2 features."""

    psnr_db: float | None
    ssim: float
    feature_distance: float | None = None


class Pair(Part):
    """A model beside bicubic."""

    model: Scores
    bicubic: Scores


class NamedPair(Pair):
    """One image."""

    name: str


class QualityResults(Part):
    """The images, and the means over them."""

    images: Annotated[list[NamedPair], Meta(min_length=1)]
    mean: Pair


class Change(Part):
    """How much two frames differ, in 8-bit codes: over the whole frame, and where the input is
    static; a pair without such regions has null.
    """

    input: float
    output: float
    static_share: float
    static_input: float | None
    static_output: float | None


class MeanChange(Change):
    """Means over the pairs. ratio: output over input."""

    ratio: float | None
    static_ratio: float | None


class FlickerResults(Part):
    """Of all pairs of successive frames."""

    pairs: list[Change]
    mean: MeanChange
    seconds_per_frame: float


class FootageRow(Part):
    """One clip in one coding. static_change: from frame to frame where nothing moves."""

    clip: str
    coding: str
    psnr_db: float | None
    ssim: float
    static_change: float | None


class FootageEntry(Part):
    """coded_mean_db: mean over the codings. static_flicker: change from frame to frame where
    nothing moves, over that of bicubic; null: everything moves.
    """

    rows: Annotated[list[FootageRow], Meta(min_length=1)]
    mean: dict[str, Scores]
    coded_mean_db: float | None
    static_flicker: float | None


class FootageModel(FootageEntry):
    """The same of a model."""

    model: Model
    runtime: Runtime

    def __post_init__(self) -> None:
        msgspec.convert(self.runtime, WithBackend)


class FootageResults(Part):
    """Models and bicubic on clips, as they are (clean) and coded."""

    codings: Annotated[list[str], Meta(min_length=1)]
    clips: Annotated[list[str], Meta(min_length=1)]
    scale: Count
    bicubic: FootageEntry
    models: Annotated[list[FootageModel], Meta(min_length=1)]


class Picture(Part):
    """Data URIs: bicubic before, the model after."""

    name: str
    width: Count
    height: Count
    before: Annotated[str, Meta(pattern="^data:image/")]
    after: Annotated[str, Meta(pattern="^data:image/")]


class PicturesResults(Part):
    """What the page shows."""

    pictures: list[Picture]
