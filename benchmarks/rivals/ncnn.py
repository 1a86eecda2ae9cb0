"""The network in ncnn, converted by its own tool pnnx."""

from __future__ import annotations

import importlib.util
import subprocess
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ncnn
import numpy as np
from numpy.typing import NDArray

from ...common.errors import BackendError, ModelError
from ..shared.frames import Frames, finish
from ..shared.settings import LatencySettings
from .base import Rival, plain_network

_CONVERSION_LIMIT_SECONDS = 300


class Ncnn(Rival):
    """ncnn on the CPU with its defaults; frames of a batch one after the other."""

    def __init__(self, model: str | Path, case: LatencySettings) -> None:
        spec, network = plain_network(model, replace(case, batch=1))
        if spec.precision == "int8":
            raise ModelError(f"{spec.name}: ncnn has no int8 of ONNX's form; name an fp32 model")
        super().__init__("ncnn", spec.scale, spec.precision, case)
        self.engine = f"ncnn {ncnn.__version__}"
        self._net: Any = ncnn.Net()
        self._net.opt.num_threads = self.threads
        with TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            path.write_bytes(network.SerializeToString())
            _convert(path, case)
            param, weights = path.with_suffix(".ncnn.param"), path.with_suffix(".ncnn.bin")
            if self._net.load_param(str(param)) or self._net.load_model(str(weights)):
                raise BackendError("ncnn cannot load the network that pnnx made")

    def __call__(self, frame: Frames, out: Frames | None = None) -> Frames:
        batch = [frame] if frame.ndim == 3 else list(frame)
        return finish(np.stack([self._run(one) for one in batch]))

    def close(self) -> None:
        self._net.clear()

    def _run(self, frame: Frames) -> NDArray[np.float32]:
        height, width = frame.shape[:2]
        image = ncnn.Mat.from_pixels(frame, ncnn.Mat.PixelType.PIXEL_BGR2RGB, width, height)
        image.substract_mean_normalize([], [1 / 255] * 3)
        extractor = self._net.create_extractor()
        extractor.input("in0", image)
        failed, result = extractor.extract("out0")
        if failed:
            raise BackendError(f"ncnn failed to run the network (code {failed})")
        return np.array(result, np.float32)


def _convert(path: Path, case: LatencySettings) -> None:
    """Run pnnx, which writes `network.ncnn.param` and `.bin` beside the network."""
    found = importlib.util.find_spec("pnnx")
    assert found is not None
    assert found.origin is not None
    tool = Path(found.origin).with_name("pnnx")
    command = [str(tool), path.name, f"inputshape=[1,3,{case.height},{case.width}]"]
    try:
        subprocess.run(
            command,
            cwd=path.parent,
            capture_output=True,
            check=True,
            timeout=_CONVERSION_LIMIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BackendError(f"pnnx cannot convert the network ({error})") from error
