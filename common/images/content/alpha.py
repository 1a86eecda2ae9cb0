"""What lies under transparent pixels: hidden colours, which must not be seen by a network."""

from __future__ import annotations

import numpy as np

from ...libraries.opencv import load_cv2
from .picture import Pixels


def bleed(bgr: Pixels, alpha: Pixels) -> Pixels:
    """Give each fully transparent pixel the colour of the nearest one that is not.

    Editors leave any colour there, mostly black or white; a network would smear it into the rim of
    what is visible. A picture that is transparent everywhere is returned as it is.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return bgr
    cv2 = load_cv2()
    _, nearest = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    visible = ~hidden
    colours = np.zeros((int(nearest.max()) + 1, 3), bgr.dtype)
    colours[nearest[visible]] = bgr[visible]
    filled = bgr.copy()
    filled[hidden] = colours[nearest[hidden]]
    return filled
