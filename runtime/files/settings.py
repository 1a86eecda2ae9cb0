"""`FileSettings`: the options of `framelift upscale` and `archive` for a file, as JSON values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..video.clip.fit import Scaling, parse_scaling
from ..video.clip.span import Span, parse_time
from ..video.writing.encoders import EncoderOptions

if TYPE_CHECKING:
    from ..video.whole_file import ConvertOptions


@dataclass(frozen=True)
class FileSettings:
    """The options of the command line for one file. `None` takes the default."""

    task: str = "super-resolution"
    model: str | None = None
    backend: str = "auto"
    device: int | None = None
    threads: int | None = None
    tile: int | None = None
    """Largest side of a tile, in input pixels."""
    style_size: int = 1
    """How many times as large the strokes of a style are."""
    codec: str = EncoderOptions.codec
    crf: int | None = None
    preset: str | None = None
    pixel_format: str | None = None
    assume_transfer: str | None = None
    audio: str | None = None
    """See `Audio`; `None`: "auto"."""
    deinterlace: str = "frame"
    scale: str | None = None
    """Output size over input size, as a fraction or a decimal number."""
    size: str | None = None
    """What the output fits into, as "1920x1080"."""
    width: int | None = None
    height: int | None = None
    start: str | None = None
    end: str | None = None
    compare: bool = False
    no_metadata: bool = False
    no_reuse: bool = False
    resume: bool = False
    overwrite: bool = False

    def check(self) -> None:
        """Raise ConfigError or MissingDependencyError for what no file could be made with."""
        self.encoder().check_available()
        self.convert(None)

    def encoder(self) -> EncoderOptions:
        """The options of the video encoder."""
        return EncoderOptions(self.codec, self.crf, self.preset, self.pixel_format)

    def factor(self) -> Scaling | None:
        """Output size over input size, or what the output fits into; `None`: the model's."""
        return parse_scaling(self.scale, self.size, self.width, self.height)

    def span(self) -> Span:
        """The part of a clip that is upscaled."""
        return Span(parse_time(self.start or "0"), parse_time(self.end) if self.end else None)

    def convert(self, model_sha256: str | None) -> ConvertOptions:
        """What is made of a video besides its codec, by the model of that hash."""
        from ..video.reading.deinterlace import Deinterlace
        from ..video.whole_file import ConvertOptions  # which loads PyAV: images do without
        from ..video.writing.carried import Audio

        return ConvertOptions(
            Audio(self.audio or "auto"),
            self.span(),
            self.factor(),
            self.compare,
            model_sha256 if self.resume else None,
            deinterlace=Deinterlace(self.deinterlace),
            reuse=not self.no_reuse,
            assume_transfer=self.assume_transfer,
        )
