"""What lies under transparent pixels: hidden colours, which must not be seen by a network."""

from __future__ import annotations

import numpy as np

from ..opencv import load_cv2
from .picture import Pixels


def bleed(bgr_u8: Pixels, alpha_u8: Pixels) -> Pixels:
    """Give each fully transparent pixel the colour of the nearest one that is not.

    Editors leave any colour there, mostly black or white; a network would smear it into the rim of
    what is visible. A picture that is transparent everywhere is returned as it is.
    """
    hidden = alpha_u8 == 0
    if not hidden.any() or hidden.all():
        return bgr_u8
    cv2 = load_cv2()
    _, nearest = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    visible = ~hidden
    colours = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    colours[nearest[visible]] = bgr_u8[visible]
    filled = bgr_u8.copy()
    filled[hidden] = colours[nearest[hidden]]
    return filled
