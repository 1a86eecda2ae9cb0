"""What is exported for a release of ONNX Runtime runs in that release: its own wheel, in a folder
of its own below the environment, in a process of its own. `make test` installs the oldest two,
`make test-releases` all.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto

from framelift.export.check.targets import shuffles_integers
from framelift.export.config import ExportConfig
from framelift.export.exporter import export_checkpoint
from framelift.export.graph.contract import apply_frame_contract
from framelift.export.int8.calibration import calibrate
from framelift.export.int8.quantisation import quantise
from framelift.export.parity.comparison import REFERENCE, onnx_frames
from framelift.export.parity.patterns import flat, saturated
from framelift.export.torch_export import export_core
from framelift.runtime import Upscaler
from framelift.runtime.backends.cpu.packed import pack_tail
from framelift.train.networks import Realtime

from ..support.small_networks import CONFIG, photo_pieces, random_checkpoint

RELEASES = [
    "1.19",
    "1.20",
    pytest.param("1.23", marks=pytest.mark.slow),
    pytest.param("newest", marks=pytest.mark.slow),
]
FOLDER = Path(sys.prefix) / "releases"
OLDEST_OF_RUNTIME = (1, 20)  # what the package asks for
SHIPPED = ("realtime-nano-x4", "realtime-nano-x4-int8")

CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import onnxruntime
assert onnxruntime.__file__.startswith(sys.argv[1]), onnxruntime.__file__
frames = np.load(sys.argv[2])
{run}
np.save(sys.argv[3], np.stack(outputs))
print(onnxruntime.__version__)
"""
PLAIN = """
outputs = []
for path in sys.argv[4:]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs += [session.run(None, {"frames": frame[None]})[0][0] for frame in frames]
"""
RUNTIME = """
from framelift.runtime import Upscaler
outputs = []
for name in sys.argv[4:]:
    with Upscaler.load(name, "onnx-cpu") as upscale:
        assert upscale.describe()["engine"] == f"onnxruntime {onnxruntime.__version__}"
        outputs += [upscale(frame) for frame in frames]
"""


@dataclass(frozen=True)
class Release:
    """One released wheel."""

    name: str
    folder: Path
    version: tuple[int, int]

    def run(self, code: str, folder: Path, models: list[str]) -> NDArray[np.uint8]:
        """What it makes of the frames with each model, in a child process."""
        np.save(folder / "frames.npy", FRAMES)
        arguments = [str(self.folder), "frames.npy", "outputs.npy", *models]
        done = subprocess.run(
            [sys.executable, "-c", CHILD.format(run=code), *arguments],
            cwd=folder,
            env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert tuple(map(int, done.stdout.split(".")[:2])) == self.version
        outputs: NDArray[np.uint8] = np.load(folder / "outputs.npy")
        return outputs


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest) -> Release:
    name = request.param
    folder = FOLDER / name
    found = list(folder.glob("onnxruntime-*.dist-info"))
    if not found:
        reason = f"ONNX Runtime {name} is not in {folder}: `make test-releases` installs it"
        if os.environ.get("FRAMELIFT_REQUIRE_RELEASES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    version = found[0].name.removeprefix("onnxruntime-").split(".")
    return Release(name, folder, (int(version[0]), int(version[1])))


def _frames() -> NDArray[np.uint8]:
    photo = cv2.imread(str(REFERENCE))
    assert photo is not None
    crop = photo[40:80, 60:116].astype(np.uint8)
    return np.stack([crop, flat(255)[0], flat(0)[0], *saturated()[:, :40, :56]])


FRAMES = _frames()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_checkpoint(tmp_path_factory.mktemp("net"))


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    torch.manual_seed(0)
    return apply_frame_contract(export_core(Realtime(CONFIG).eval().deploy(), 20), 2)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo_pieces(tmp_path_factory.mktemp("photos"), 4)


def _int8(photos: Path, *targets: str) -> ExportConfig:
    return ExportConfig(targets=targets, precision="int8", calibration=photos, max_drop_db=1.0)


@pytest.fixture(scope="module")
def floats(checkpoint: Path) -> list[Path]:
    """fp32 and fp16 for the oldest release, which all newer ones read."""
    configs = [
        ExportConfig(targets=("onnxruntime==1.19", "tensorrt11"), precision=precision)
        for precision in ("fp32", "fp16")
    ]
    return [
        export_checkpoint(checkpoint, checkpoint.with_name(f"{c.precision}.onnx"), c).path
        for c in configs
    ]


def test_exports_for_it_run_there(
    tmp_path: Path, release: Release, checkpoint: Path, photos: Path, floats: list[Path]
) -> None:
    target = f"onnxruntime=={release.version[0]}.{release.version[1]}"
    configs = {"uint8": _int8(photos, target), "int8": _int8(photos, target, "tensorrt10")}
    int8 = [
        export_checkpoint(checkpoint, tmp_path / f"{name}.onnx", config).path
        for name, config in configs.items()
    ]
    paths = [*floats, *int8]
    outputs = release.run(PLAIN, tmp_path, list(map(str, paths)))
    wanted = [onnx_frames(onnx.load(path))(FRAMES) for path in paths]
    difference = np.abs(outputs.astype(np.int16) - np.concatenate(wanted))
    assert difference.max() <= 1, [int(part.max()) for part in np.split(difference, len(paths))]


def test_the_runtime_runs_the_shipped_models_there(tmp_path: Path, release: Release) -> None:
    if release.version < OLDEST_OF_RUNTIME:
        pytest.skip(f"framelift asks for onnxruntime >= {OLDEST_OF_RUNTIME}")
    outputs = release.run(RUNTIME, tmp_path, list(SHIPPED))
    wanted = []
    for name in SHIPPED:
        with Upscaler.load(name, "onnx-cpu") as upscale:
            wanted += [upscale(frame) for frame in FRAMES]
    assert np.abs(outputs.astype(np.int16) - np.stack(wanted)).max() <= 1


@pytest.mark.parametrize(
    ("targets", "kind"),
    [
        (("onnxruntime==1.19",), TensorProto.FLOAT),
        (("onnxruntime==1.20",), TensorProto.FLOAT),
        (("onnxruntime==1.21",), TensorProto.UINT8),
        (("onnxruntime==1.32.0",), TensorProto.UINT8),
    ],
)
def test_pixels_are_moved_as_the_release_can(
    model: onnx.ModelProto, targets: tuple[str, ...], kind: int
) -> None:
    calibrated = calibrate(model, [FRAMES[:1]])
    quantised = quantise(
        calibrated, 100, symmetric=False, float_shuffle=not shuffles_integers(targets)
    )
    shuffle = next(node for node in quantised.graph.node if node.op_type == "DepthToSpace")
    types = {value.name: value.type.tensor_type.elem_type for value in quantised.graph.value_info}
    assert types[shuffle.input[0]] == kind
    wanted = onnx_frames(quantised)(FRAMES)
    assert pack_tail(quantised, CONFIG.scale)  # the runtime moves them itself
    onnx.checker.check_model(quantised)
    np.testing.assert_array_equal(
        onnx_frames(quantise(calibrated, 100, symmetric=False))(FRAMES), wanted
    )
