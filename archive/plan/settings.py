"""Which options decide what the outputs of an archive look like."""

from __future__ import annotations

import hashlib
import json

from ...runtime.files.settings import FileSettings


def outcome_of(settings: FileSettings) -> dict[str, object]:
    """The options that decide what an output looks like, but for the model.

    Where and how fast it is made is not among them.
    """
    encoder = settings.encoder()
    options = sorted(encoder.library_options().items())
    of_depth = {
        "codec_by_depth": encoder.codec != encoder.codec_name or None,
        "pixel_format": settings.pixel_format,
        "assume_transfer": settings.assume_transfer,
    }
    return {
        "task": settings.task,
        "encoder": [encoder.codec_name, *(f"{name}={value}" for name, value in options)],
        "audio": settings.audio or "auto",
        "deinterlace": settings.deinterlace,
        "scale": settings.scale,
        "size": [settings.size, settings.width, settings.height],
        "start": settings.start,
        "end": settings.end,
        "compare": settings.compare,
        "no_metadata": settings.no_metadata,
        **{name: value for name, value in of_depth.items() if value is not None},
    }


def digest(outcome: dict[str, object]) -> str:
    """Sixteen hexadecimal digits that two archives share if their options are the same."""
    text = json.dumps(outcome, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
