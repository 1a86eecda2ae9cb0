"""The one reader and writer of still images, and the one list of what they are called."""

from .content.picture import Metadata, Picture, Pixels
from .content.suffixes import (
    ALPHA_SUFFIXES,
    FOREIGN_IMAGE_SUFFIXES,
    IMAGE_SUFFIXES,
    NO_PHOTOGRAPH_SUFFIXES,
    check_image_readable,
    check_image_suffix,
    is_image,
)
from .reading import Outline, read_image, read_outline
from .writing import encode_image

__all__ = [
    "ALPHA_SUFFIXES",
    "FOREIGN_IMAGE_SUFFIXES",
    "IMAGE_SUFFIXES",
    "NO_PHOTOGRAPH_SUFFIXES",
    "Metadata",
    "Outline",
    "Picture",
    "Pixels",
    "check_image_readable",
    "check_image_suffix",
    "encode_image",
    "is_image",
    "read_image",
    "read_outline",
]
