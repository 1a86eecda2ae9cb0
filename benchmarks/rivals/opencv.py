"""The network in OpenCV's DNN module."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...common.errors import BackendError
from ...common.libraries.opencv import load_cv2
from ..shared.frames import Frames, finish
from ..shared.settings import LatencySettings
from .base import Rival, plain_network


class OpencvDnn(Rival):
    """`cv2.dnn` with `blobFromImages` before and NumPy after."""

    def __init__(self, model: str | Path, case: LatencySettings) -> None:
        spec, network = plain_network(model, case)
        super().__init__("opencv-dnn", spec.scale, spec.precision, case)
        self._cv2 = load_cv2()
        self.engine = f"OpenCV {self._cv2.__version__}"
        # OpenCV has one number of threads for the whole process.
        self._cv2.setNumThreads(self.threads)
        data = np.frombuffer(network.SerializeToString(), np.uint8)
        try:
            self._net = self._cv2.dnn.readNetFromONNX(data)
        except self._cv2.error as error:
            raise BackendError(f"opencv-dnn cannot load the network: {error.err}") from error

    def __call__(self, frame: Frames, out: Frames | None = None) -> Frames:
        batch = [frame] if frame.ndim == 3 else list(frame)
        self._net.setInput(self._cv2.dnn.blobFromImages(batch, 1 / 255, swapRB=True))
        images = self._net.forward()
        return finish(images.astype(np.float32, copy=False))
