"""The network in PyTorch on an NVIDIA GPU, with what makes it fast there.

Frames go through page-locked memory, fp16 models compute in half precision and channels come last.
float32 stays float32: PyTorch would compute its convolutions in TF32, which the runtime does not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...common.errors import BackendError
from ...runtime.models.file import load as load_model
from ...runtime.models.int8_form import refuse_for_processors
from ...runtime.models.zoo import resolve
from ..shared.float_network import float_network
from ..shared.frames import Frames
from ..shared.graph_cost import fix_shape
from ..shared.settings import LatencySettings
from .base import Rival
from .torch_cpu import OnFrames
from .torch_graph import TorchGraph


class TorchCudaRival(Rival):
    """A module on a GPU in inference mode, for frames of the case's shape."""

    def __init__(self, name: str, model: str | Path, case: LatencySettings) -> None:
        """Raises BackendError if PyTorch sees no GPU, or the model is int8 for processors."""
        if not torch.cuda.is_available():
            raise BackendError(f"{name}: PyTorch {torch.__version__} sees no GPU")
        spec, proto = load_model(resolve(model))
        refuse_for_processors(spec, name)
        super().__init__(name, spec.scale, spec.precision, case)
        compute_exactly()
        network = float_network(proto, spec.name, keep_half=True)
        fix_shape(network, (case.batch, 3, case.height, case.width))
        device = torch.device("cuda", case.device or 0)
        self.device = torch.cuda.get_device_name(device)
        self.engine = f"torch {torch.__version__}"
        module = OnFrames(TorchGraph(network)).eval()
        self.module: nn.Module = module.to(device).to(memory_format=torch.channels_last)
        shape = (case.batch, case.height, case.width, 3)
        self._upload = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        self._frames = torch.empty(shape, dtype=torch.uint8, device=device)
        s = self.scale
        big = (case.batch, s * case.height, s * case.width, 3)
        self._download = torch.empty(big, dtype=torch.uint8, pin_memory=True)

    def __call__(self, frame: Frames, out: Frames | None = None) -> Frames:
        batch = frame[np.newaxis] if frame.ndim == 3 else frame
        with torch.inference_mode():
            np.copyto(self._upload.numpy(), batch)
            self._frames.copy_(self._upload, non_blocking=True)
            self._download.copy_(self.module(self._frames), non_blocking=True)
            torch.cuda.current_stream().synchronize()
        result: Frames = self._download.numpy()
        result = result[0] if frame.ndim == 3 else result
        if out is None:
            return result.copy()
        np.copyto(out, result)
        return out


def compute_exactly() -> None:
    """Keep float32 from being computed in TF32, in this process."""
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.fp32_precision = "ieee"


def eager(model: str | Path, case: LatencySettings) -> Rival:
    """The network call by call."""
    return TorchCudaRival("torch-eager-cuda", model, case)


def compiled(model: str | Path, case: LatencySettings) -> Rival:
    """PyTorch with its compiler and CUDA graphs; the first calls compile and record."""
    rival = TorchCudaRival("torch-compile-cuda", model, case)
    rival.module = torch.compile(  # type: ignore[assignment]
        rival.module, dynamic=False, options={"freezing": True, "triton.cudagraphs": True}
    )
    return rival
