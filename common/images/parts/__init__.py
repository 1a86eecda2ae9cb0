"""PNG and TIFF files of which a few rows at a time are decoded.

Each part is made a small file of the same kind, which the reader of whole files decodes: so every
kind of pixels means the same in both.
"""

from .image_parts import ImageParts, open_parts

__all__ = ["ImageParts", "open_parts"]
