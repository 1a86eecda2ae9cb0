"""Other ways to run a network on the GPU give the upscaler's image."""

from __future__ import annotations

import numpy as np
import pytest

from framelift.benchmarks.rivals import installed, open_rival
from framelift.benchmarks.shared.frames import agreement, input_frames
from framelift.benchmarks.shared.settings import LatencySettings
from framelift.runtime.models.zoo import resolve

from ..support.gpu_reference import on_the_cpu

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", ["ort-cuda", "torch-eager-cuda", "torch-compile-cuda"])
def test_they_give_the_image_of_the_cpu(name: str, batch: int) -> None:
    if name not in installed():
        pytest.skip(f"{name} cannot run on this machine")
    model = resolve("realtime-nano-x4")
    case = LatencySettings(64, 48, batch, backend=name)
    frames = input_frames(case)[0]
    rival = open_rival(name, model, case)
    for _ in range(3):  # compiled, recorded, replayed
        result = rival(frames, np.empty((*frames.shape[:-3], 192, 256, 3), np.uint8))
    same = agreement(on_the_cpu(model, frames), result)
    assert same.psnr_db is not None
    assert same.psnr_db > 48
    assert "CPU" not in str(rival.describe()["device"])
    rival.close()
