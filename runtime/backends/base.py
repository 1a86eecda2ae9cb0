"""What the runtime asks of a backend; adding one is a module with an `open` and a `missing`."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]


class Session(Protocol):
    """A model loaded on a device, ready to run. Used from one thread at a time."""

    name: str
    provider: str
    device: str

    def run(self, frames: Frames, out: Frames) -> None:
        """Upscale `frames` into `out`.

        Args:
            frames: uint8 N×H×W×3 BGR, C-contiguous.
            out: uint8 N×(sH)×(sW)×3 BGR, C-contiguous and writeable, overwritten.

        Raises:
            BackendError: the engine failed.
        """
        ...

    def describe(self) -> dict[str, str | int]:
        """What really runs: engine and version, provider, device, threads and the like."""
        ...

    def close(self) -> None:
        """Free the model and its buffers; the session is not used afterwards."""
        ...
