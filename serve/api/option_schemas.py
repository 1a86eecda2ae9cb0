"""The options of jobs as the API describes them."""

from __future__ import annotations

from ..jobs.options import IMAGE_FORMATS, VIDEO_FORMATS
from .schemas import Schema

OPTION_SCHEMAS: dict[str, Schema] = {
    "model": {"type": "string", "description": "A name of GET /v1/models. Default: the command's."},
    "scale": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 64,
        "description": "Output size over input size. Default: the model's.",
    },
    "size": {
        "type": "string",
        "description": "As large as fits into this size, such as 1920x1080, in the input's shape.",
    },
    "width": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "So wide."},
    "height": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "So high."},
    "compare": {"type": "boolean", "description": "Put the input, enlarged, to the left."},
    "format": {
        "enum": [*IMAGE_FORMATS, *VIDEO_FORMATS],
        "description": "Format of the result. Default: png; for videos mp4, or what the codec "
        "needs.",
    },
    "codec": {"type": "string", "description": "As --codec: h264, hevc, av1, vp9, prores, ffv1, …"},
    "crf": {"type": "integer", "description": "Quality, 0 (best) to 51, av1 and vp9 63."},
    "preset": {"type": "string", "description": "Encoder speed, ultrafast to veryslow."},
    "pixel_format": {
        "type": "string",
        "description": "As --pixel-format: same, or FFmpeg's name, such as yuv420p10le.",
    },
    "assume_transfer": {
        "enum": ["sdr", "pq", "hlg"],
        "description": "What videos of BT.2020 are that do not state it.",
    },
    "no_metadata": {
        "type": "boolean",
        "description": "Of images: leave out EXIF, XMP, IPTC, resolution and text.",
    },
    "no_audio": {"type": "boolean", "description": "Leave the audio out."},
    "audio": {
        "type": "string",
        "enum": ["copy", "aac", "none"],
        "description": "Copy the audio, encode it as AAC, or leave it out.",
    },
    "deinterlace": {
        "type": "string",
        "enum": ["frame", "field", "film"],
        "description": "What interlaced video becomes.",
    },
    "start": {"type": "string", "description": "First frame's time: seconds or h:mm:ss."},
    "end": {"type": "string", "description": "The time before which the last frame lies."},
}
