"""What several tests of models/ use."""

from __future__ import annotations

import numpy as np
import pytest

from framelift.train.losses.vgg import CONVOLUTIONS, WIDTHS


@pytest.fixture(scope="session")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A VGG-16 up to relu3_3 with random kernels, in Caffe's form."""
    generator = np.random.default_rng(0)
    arrays, inputs = {}, 3
    for name in CONVOLUTIONS[:7]:
        width = WIDTHS[int(name[4]) - 1]
        kernel = generator.normal(0, (2 / (9 * inputs)) ** 0.5, (width, inputs, 3, 3))
        arrays[f"{name}.weight"] = kernel.astype(np.float32)
        arrays[f"{name}.bias"] = np.zeros(width, np.float32)
        inputs = width
    path = tmp_path_factory.mktemp("vgg") / "vgg.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return str(path)
