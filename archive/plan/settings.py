"""The options that hold for each file of an archive, in a form that travels as JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from ...importer.loading import LoadOptions
from ...runtime.video.clip.fit import Scaling, parse_scaling
from ...runtime.video.clip.span import Span, parse_time
from ...runtime.video.convert import ConvertOptions
from ...runtime.video.reading.deinterlace import Deinterlace
from ...runtime.video.writing.carried import Audio
from ...runtime.video.writing.encoders import EncoderOptions


@dataclass(frozen=True)
class FileSettings:
    """What `framelift upscale` would be given for one file. `None` takes the default."""

    task: str = "super-resolution"
    model: str | None = None
    backend: str = "auto"
    device: int | None = None
    threads: int | None = None
    tile: int | None = None
    codec: str = EncoderOptions.codec
    crf: int | None = None
    preset: str | None = None
    pixel_format: str | None = None
    assume_transfer: str | None = None
    audio: str | None = None
    """See `Audio`."""
    deinterlace: str = Deinterlace.FRAME.value
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

    def loading(self) -> LoadOptions:
        """Where the model runs."""
        return LoadOptions(self.backend, self.device, self.threads, self.tile)

    def factor(self) -> Scaling | None:
        """Output size over input size, or what the output fits into; `None`: the model's."""
        return parse_scaling(self.scale, self.size, self.width, self.height)

    def convert(self, model_sha256: str | None) -> ConvertOptions:
        """What is made of a video besides its codec, by the model of that hash."""
        span = Span(parse_time(self.start or "0"), parse_time(self.end) if self.end else None)
        return ConvertOptions(
            Audio(self.audio or "auto"),
            span,
            self.factor(),
            self.compare,
            model_sha256 if self.resume else None,
            deinterlace=Deinterlace(self.deinterlace),
            reuse=not self.no_reuse,
            assume_transfer=self.assume_transfer,
        )

    def outcome(self) -> dict[str, Any]:
        """The options that decide what an output looks like, but for the model.

        Where and how fast it is made is not among them.
        """
        encoder = self.encoder()
        options = sorted(encoder.library_options().items())
        of_depth = {
            "codec_by_depth": encoder.codec != encoder.codec_name or None,
            "pixel_format": self.pixel_format,
            "assume_transfer": self.assume_transfer,
        }
        return {
            "task": self.task,
            "encoder": [encoder.codec_name, *(f"{name}={value}" for name, value in options)],
            "audio": self.audio or "auto",
            "deinterlace": self.deinterlace,
            "scale": self.scale,
            "size": [self.size, self.width, self.height],
            "start": self.start,
            "end": self.end,
            "compare": self.compare,
            "no_metadata": self.no_metadata,
            **{name: value for name, value in of_depth.items() if value is not None},
        }


def digest(outcome: dict[str, Any]) -> str:
    """Sixteen hexadecimal digits that two archives share if their options are the same."""
    text = json.dumps(outcome, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
