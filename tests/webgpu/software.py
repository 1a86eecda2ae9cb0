"""Runs the WebGPU tests without a GPU: `python tests/webgpu/software.py FOLDER [PYTEST OPTION]...`.

SwiftShader is Vulkan in software and comes with Chromium. Where none is installed, Debian's package
of it is downloaded and unpacked into FOLDER, without being installed. Where that cannot be done the
tests are left out and one line says why; FRAMELIFT_REQUIRE_WEBGPU=1 makes that a failure.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ICD = "vk_swiftshader_icd.json"
_INSTALLED = ("/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome")
_PACKAGES = ("chromium-common", "libvulkan1")
_SECONDS = 120


class UnavailableError(Exception):
    """SwiftShader cannot be had here, and why."""


def swiftshader(folder: Path) -> dict[str, str]:
    """What the environment needs for the plug-in to find SwiftShader. Raises UnavailableError."""
    if not sys.platform.startswith("linux"):
        raise UnavailableError("it is looked for under Linux only")
    icds = [path for place in _INSTALLED if (path := Path(place) / ICD).is_file()]
    if not icds or not _has_vulkan():
        _fetch(folder)
    icds += sorted(folder.glob(f"usr/lib/*/{ICD}"))
    if not icds:
        raise UnavailableError(f"{' and '.join(_PACKAGES)} hold no {ICD}")
    loaders = sorted({str(path.parent) for path in folder.glob("usr/lib/*/libvulkan.so.1")})
    paths = [*loaders, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return {
        "VK_DRIVER_FILES": str(icds[0]),
        **({"LD_LIBRARY_PATH": ":".join(paths)} if paths else {}),
    }


def _has_vulkan() -> bool:
    try:
        ctypes.CDLL("libvulkan.so.1")
    except OSError:
        return False
    return True


def _fetch(folder: Path) -> None:
    """Unpack the packages into `folder`, unless it holds them."""
    if list(folder.glob(f"usr/lib/*/{ICD}")) and list(folder.glob("usr/lib/*/libvulkan.so.1")):
        return
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise UnavailableError("no Chromium is installed, and this system has no apt-get")
    with tempfile.TemporaryDirectory() as downloads:
        command = ["apt-get", "download", "-q", *_PACKAGES]
        if not _runs(command, downloads):
            _runs(["apt-get", "update", "-q"], downloads)  # a fresh machine has no lists yet
            if not _runs(command, downloads):
                raise UnavailableError(f"`{' '.join(command)}` fails")
        folder.mkdir(parents=True, exist_ok=True)
        for package in Path(downloads).glob("*.deb"):
            if not _runs(["dpkg-deb", "-x", str(package), str(folder)], downloads):
                raise UnavailableError(f"{package.name} cannot be unpacked")


def _runs(command: list[str], folder: str) -> bool:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def main(argv: list[str]) -> int:
    """Run the tests of this folder in a process of their own; 0 where they cannot be run."""
    folder, options = Path(argv[0]).absolute(), argv[1:]
    try:
        found = swiftshader(folder)
    except UnavailableError as error:
        sys.stderr.write(f"WebGPU tests left out: no SwiftShader ({error})\n")
        return int(os.environ.get("FRAMELIFT_REQUIRE_WEBGPU") == "1")
    with tempfile.TemporaryDirectory() as run_folder:
        environment = {
            "XDG_RUNTIME_DIR": run_folder,
            **os.environ,
            **found,
            "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER": "1",
        }
        command = [sys.executable, "-m", "pytest", str(Path(__file__).parent), *options]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
