"""The one place where the runtime imports OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from ..errors import MissingDependencyError
from .memory import is_out_of_memory

# What OpenCV's wheel links against and a minimal Debian or Ubuntu lacks.
_SYSTEM_PACKAGES = {
    "libGL.so": "libgl1",
    "libEGL.so": "libegl1",
    "libglib-2.0": "libglib2.0-0",
    "libgthread-2.0": "libglib2.0-0",
    "libSM.so": "libsm6",
    "libXext.so": "libxext6",
    "libxcb": "libxcb1",
    "libX11": "libx11-6",
}


def load_cv2() -> ModuleType:
    """Import and return `cv2`, or say which command repairs a broken installation.

    Raises:
        MissingDependencyError: OpenCV is not installed, or a system library that it needs.
        MemoryError: there is no room for it.
    """
    try:
        import cv2
    except ImportError as error:
        if is_out_of_memory(error):
            raise MemoryError(str(error)) from error
        raise MissingDependencyError(_advice(error)) from error
    return cv2


@contextmanager
def quiet_cv2(cv2: ModuleType, *, but_errors: bool = False) -> Iterator[None]:
    """Keep OpenCV from writing about bad input, `but_errors`: the error that is raised says it."""
    logging = cv2.utils.logging
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_ERROR if but_errors else logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)


def window_system(build_information: str) -> str | None:
    """The GUI toolkit named in `cv2.getBuildInformation()`, or None for a headless build."""
    for line in build_information.splitlines():
        key, _, value = line.strip().partition(":")
        if key == "GUI":
            return None if value.strip() in ("", "NONE") else value.strip()
    return None


def _advice(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"OpenCV is not installed ({error}): run `pip install opencv-python`"
    for library, package in _SYSTEM_PACKAGES.items():
        if library in str(error):
            return (
                f"OpenCV cannot load a system library ({error}): run `apt-get install {package}`, "
                "or without a display `pip uninstall -y opencv-python && "
                "pip install opencv-python-headless`"
            )
    return f"OpenCV cannot be imported ({error}): run `pip install --force-reinstall opencv-python`"
