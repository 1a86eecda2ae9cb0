"""Videos that become pictures: an image for each frame, or one animated image."""

from .animation import upscale_to_animation
from .images import upscale_to_images

__all__ = ["upscale_to_animation", "upscale_to_images"]
