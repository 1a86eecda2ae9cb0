"""Still images through an upscaler."""

from .image import ImageOptions, upscale_image, upscale_picture
from .make import make_image
from .strips import StripUpscaler

__all__ = ["ImageOptions", "StripUpscaler", "make_image", "upscale_image", "upscale_picture"]
