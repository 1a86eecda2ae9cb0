"""The options of jobs as the API describes them."""

from __future__ import annotations

from ..jobs.options import IMAGE_FORMATS, VIDEO_FORMATS
from .schemas import Schema

OPTION_SCHEMAS: dict[str, Schema] = {
    "model": {
        "type": "string",
        "description": "A model of `GET /v1/models`. Default: that of `framelift upscale`.",
    },
    "scale": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 64,
        "description": "Output size divided by input size. Default: the model's scale.",
    },
    "size": {
        "type": "string",
        "description": "Make the output as large as fits into this size, such as 1920x1080, in "
        "its own shape.",
    },
    "width": {
        "type": "integer",
        "minimum": 1,
        "maximum": 65535,
        "description": "Width of the output in pixels.",
    },
    "height": {
        "type": "integer",
        "minimum": 1,
        "maximum": 65535,
        "description": "Height of the output in pixels.",
    },
    "compare": {
        "type": "boolean",
        "description": "Show the input, enlarged bicubically, to the left of the output.",
    },
    "format": {
        "enum": [*IMAGE_FORMATS, *VIDEO_FORMATS],
        "description": "Format of the result. Default: png; for videos mp4, or one that the "
        "codec needs.",
    },
    "codec": {
        "type": "string",
        "description": "Video encoder: h264, hevc, av1, vp9, prores, ffv1, …",
    },
    "crf": {
        "type": "integer",
        "description": "Quality, from 0 (best) to 51; for av1 and vp9 to 63.",
    },
    "preset": {
        "type": "string",
        "description": "Encoder speed, ultrafast to veryslow, as `--preset`.",
    },
    "pixel_format": {
        "type": "string",
        "description": "Pixel format of a video: same, or FFmpeg's name, such as yuv420p10le.",
    },
    "assume_transfer": {
        "type": "string",
        "enum": ["sdr", "pq", "hlg"],
        "description": "How to read videos that state BT.2020 but no transfer function.",
    },
    "no_metadata": {
        "type": "boolean",
        "description": "Leave out EXIF, XMP, IPTC, resolution and text of images.",
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
    "start": {"type": "string", "description": "Start at this time: seconds or h:mm:ss."},
    "end": {"type": "string", "description": "Stop before this time: seconds or h:mm:ss."},
}
