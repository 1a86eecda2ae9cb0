"""Foreign files used as a model are imported once and stored in the user's cache folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import onnx
from onnx.external_data_helper import ExternalDataInfo

from ..common.cache_folder import made_cache_folder
from ..common.errors import FrameliftError, ModelError
from ..common.notes import silent
from ..runtime.models.contract import damaged
from ..runtime.models.file import ModelSpec, read_spec
from .importing import import_model
from .outcome import ImportOptions

_FORMAT = 1
"""To be raised when an import comes out differently than before."""


@dataclass(frozen=True)
class Kept:
    """An imported model in the cache, and one line that says how the file was read."""

    spec: ModelSpec
    line: str


def import_to_cache(source: Path, task: str = "super-resolution") -> Kept:
    """Import the foreign file `source`, or return the model that an earlier run made of it.

    Raises what `import_model` raises, and OutputError if the cache folder cannot be written.
    """
    folder = made_cache_folder(
        "imported",
        f"to keep {source.name} as a framelift model",
        f", or use `framelift import {source} -o MODEL.onnx`",
    )
    target = folder / f"{source.stem[:100]}-{_digest(source, task)}.onnx"
    if target.exists():
        try:
            spec = read_spec(target)
            read_as = spec.network["read_as"]
        except (FrameliftError, KeyError):
            pass  # damaged: made again
        else:
            return Kept(spec, f"{source.name} is not a Framelift model: imported before, {read_as}")
    options = ImportOptions(task=task, overwrite=True)
    imported = import_model(source, target, options, say=silent)
    line = f"{source.name} is not a Framelift model: imported, {imported.summary()}"
    return Kept(read_spec(target), line)


def _digest(source: Path, task: str) -> str:
    """Of all that the imported model depends on; of the file and of those its weights lie in."""
    digest = hashlib.sha256(f"{_FORMAT} {version('framelift')} {task}\n".encode())
    try:
        data = source.read_bytes()
        model = onnx.load_model_from_string(data)
        beside = {
            ExternalDataInfo(tensor).location
            for tensor in model.graph.initializer
            if tensor.data_location == onnx.TensorProto.EXTERNAL
        }
        digest.update(data)
        for name in sorted(beside):
            digest.update((source.parent / name).read_bytes())
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read ({error.strerror})") from error
    except Exception as error:  # protobuf's DecodeError, which onnx does not re-export
        raise damaged(source) from error
    return digest.hexdigest()[:16]
