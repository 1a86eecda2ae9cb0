"""Runs framelift models on frames. Needs no torch.

from framelift.runtime import Upscaler

with Upscaler.load("realtime-small-x4") as upscale:
    big = upscale(frame)  # uint8 BGR, as OpenCV reads and shows it
"""

from .models.file import ModelSpec
from .upscaler import Upscaler

__all__ = ["ModelSpec", "Upscaler"]
