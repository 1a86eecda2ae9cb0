"""NVIDIA's plug-in of TensorRT for RTX without a GPU: one is listed and compiled for.

ONNX Runtime looks for GPUs in /sys/class/drm, which is shown to the worker with one card in it;
that takes a namespace of its own, which some containers forbid.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.waiting import PATIENCE_S

_HERE = Path(__file__).parent
# The libraries that the plug-in asks for, and the version that it wants of their functions.
_LIBRARIES = {"libcudart.so.13": "libcudart.so.13", "libcuda.so.1": "", "libnvidia-ml.so.1": ""}
_NAMESPACES = (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"])
_ONE_CARD = """
set -e
mount -t tmpfs none /sys/class
mkdir -p /sys/class/pci/0000:01:00.0 /sys/class/drm/card0
echo 0x10de > /sys/class/pci/0000:01:00.0/vendor
echo 0x2684 > /sys/class/pci/0000:01:00.0/device
ln -s ../../pci/0000:01:00.0 /sys/class/drm/card0/device
exec "$@"
"""


class Compiler:
    """The worker of this folder."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, model: Path, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """What worker.py answers; a crash fails the test."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"model": str(model), "shapes": "270x480", "target": "sm89", **request}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait(timeout=PATIENCE_S)
            pytest.fail(
                f"the plug-in ended with {signal.Signals(-code).name if code < 0 else code}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        self._process.communicate(timeout=PATIENCE_S)


@pytest.fixture(scope="session")
def listed_gpu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a driver and a CUDA runtime that list a GPU."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler, for a driver that lists a GPU")
    folder = tmp_path_factory.mktemp("listed")
    for name, version in _LIBRARIES.items():
        script = folder / "versions"
        script.write_text(f"{version} {{ global: *; }};\n")
        subprocess.run(
            [
                compiler,
                "-w",
                "-shared",
                "-fPIC",
                f"-Wl,-soname,{name}",
                f"-Wl,--version-script,{script}",
                "-o",
                str(folder / f"{name}.so"),
                str(_HERE / "listed_gpu.c"),
            ],
            check=True,
        )
    return folder


@pytest.fixture(scope="session")
def compile_model(listed_gpu: Path) -> Iterator[Compiler]:
    """Compiles a model by the plug-in, for a GPU that is only listed."""
    command = [sys.executable, str(_HERE / "worker.py"), str(listed_gpu)]
    for namespace in _NAMESPACES:
        shown = [*namespace, "sh", "-c", _ONE_CARD, "sh"]
        try:
            works = subprocess.run([*shown, "true"], capture_output=True, check=False).returncode
        except OSError:
            works = 1
        if works == 0:
            compiler = Compiler([*shown, *command])
            yield compiler
            compiler.close()
            return
    pytest.skip("this machine allows no namespace in which /sys/class/drm shows a GPU")
