"""The folder of built engines: one folder a model, an engine and its sidecar for each key.

A cache that cannot be used costs time, never a result: one line says so and the engine is
built without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ....common.cache_folder import cache_folder
from ....common.errors import BackendError, FrameliftError
from ....common.notes import Say, say_on_stderr
from ....common.sealed import ENGINE, TIMING_CACHE, DamagedFileError, read_sealed, write_sealed
from ...gpu.shapes import FrameShape
from .key import EngineKey
from .sidecar import Sidecar, read_sidecar, sidecar_beside


@dataclass(frozen=True)
class CachedEngine:
    """A sound engine: its plan, where it lies (None if it could not be kept), what is known."""

    plan: bytes
    sidecar: Sidecar
    path: Path | None


class EngineCache:
    """Engines under one folder, which is made when something is first kept."""

    def __init__(self, folder: Path | None = None, say: Say = say_on_stderr) -> None:
        self.folder = (folder or cache_folder()) / "engines"
        self._say = say

    def path(self, key: EngineKey, model: str) -> Path:
        """Where the engine of `key` lies, whether or not it is there."""
        return self.folder / key.onnx_sha256[:16] / f"{key.stem(model)}.engine"

    def timing_cache_path(self, key: EngineKey) -> Path:
        """Where the timings of a GPU with one TensorRT and driver are kept, for all models."""
        device = key.device
        parts = (device.gpu, f"sm{device.compute_capability}", device.driver, f"trt{key.tensorrt}")
        name = "-".join(part.replace(" ", "_").replace("/", "_") for part in parts)
        return self.folder / f"{name}.timing"

    def load(self, path: Path) -> CachedEngine | None:
        """The engine at `path`, or None if there is none or it is damaged, with a line."""
        if not path.exists():
            return None
        try:
            engine = CachedEngine(read_sealed(path, ENGINE), read_sidecar(path), path)
            if engine.sidecar.describes(engine.plan):
                return engine
            self._say(f"{path} is not what its .json describes; the engine is built again")
        except OSError as error:
            self._say(f"{path} cannot be read ({error.strerror}); the engine is built again")
        except BackendError as error:
            self._say(f"{error}; the engine is built again")
        return None

    def find(self, key: EngineKey, shape: FrameShape) -> CachedEngine | None:
        """The engine that differs from `key` in the shapes at most and takes frames of `shape`.

        Of several, the one made for the fewest sizes, then the one that takes most at a time.
        """
        candidates = []
        for path in self._engines(self.folder / key.onnx_sha256[:16]):
            try:
                sidecar = read_sidecar(path)
            except BackendError:
                continue  # `load` says so when it is the engine that is asked for
            profile = sidecar.key.profile
            if sidecar.key.fits(key) and profile.part(shape):
                candidates.append((profile.spread(), -profile.part(shape), path))
        for _, _, path in sorted(candidates):
            engine = self.load(path)
            if engine is not None:
                return engine
        return None

    def store(self, path: Path, plan: bytes, sidecar: Sidecar) -> Path | None:
        """Keep an engine at `path`; its path, or None if that failed, with a line."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with sidecar_beside(path, sidecar):
                write_sealed(path, ENGINE, plan)
        except (OSError, FrameliftError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self._say(f"the engine cannot be stored and is built again next time: {reason}")
            return None
        return path

    def read_timings(self, path: Path) -> bytes:
        """A timing cache for TensorRT to begin with; empty if there is none or it is damaged."""
        try:
            return read_sealed(path, TIMING_CACHE)
        except FileNotFoundError:
            return b""
        except OSError as error:
            self._say(f"{path} cannot be read ({error.strerror}); timings start again")
        except DamagedFileError as error:
            self._say(f"{error}; timings start again")
        return b""

    def store_timings(self, path: Path, timings: bytes) -> None:
        """Keep a timing cache; if that fails, a line says so."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_sealed(path, TIMING_CACHE, timings)
        except (OSError, FrameliftError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self._say(f"the timings cannot be stored: {reason}")

    @contextmanager
    def locked(self, path: Path) -> Iterator[None]:
        """Hold the one lock of `path` among all processes; a line says that it waits.

        Without a writable folder there is nothing to guard, so nothing is locked.
        """
        import filelock

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(path.with_name(path.name + ".lock"))
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                self._say(f"waiting for another process that is building {path.name}")
                lock.acquire()
        except OSError as error:
            self._say(f"the engine cache {self.folder} cannot be written ({error.strerror})")
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def entries(self) -> list[tuple[Path, Sidecar | None]]:
        """Every engine with its sidecar, or None where that cannot be read."""
        found: list[tuple[Path, Sidecar | None]] = []
        for path in self._engines(self.folder, "*/"):
            try:
                found.append((path, read_sidecar(path)))
            except BackendError:
                found.append((path, None))
        return found

    def _engines(self, folder: Path, below: str = "") -> list[Path]:
        try:
            return sorted(folder.glob(f"{below}*.engine"))
        except OSError as error:
            self._say(f"the engine cache {folder} cannot be read ({error.strerror})")
            return []
