"""A model repository for Triton Inference Server.

One folder for each way to run a model, with its `config.pbtxt` and a numbered folder for each
version: NAME_onnx runs in ONNX Runtime on a GPU or the processor, NAME_tensorrt is an engine for
one kind of GPU. The same model again is no new version; another one under the same name is, unless
clients would have to call it differently.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from pathlib import Path

from ...common.errors import ConfigError, OutputError
from ...common.files import describe_os_error
from ...runtime.gpu.shapes import ShapeProfile
from ...runtime.models.file import ModelSpec, read_spec
from ...runtime.tensorrt.make import read_plan
from .config import MAX_BATCH, onnx_config, onnx_name, tensorrt_config, tensorrt_name

CONFIG = "config.pbtxt"


def write_repository(
    model: Path, folder: Path, engine: Path | None = None, *, max_batch: int = MAX_BATCH
) -> list[Path]:
    """Add a framelift model, and an engine built from it, to the model repository in `folder`.

    `engine` is a file that `framelift engine build` wrote. The folder is made if it is not there.
    ONNX Runtime runs up to `max_batch` frames together, unless the model has a fixed batch.

    Returns:
        The version folders that now hold the model, ONNX Runtime's first.

    Raises:
        ModelError: the model is missing or is no framelift model.
        BackendError: the engine is missing or damaged.
        ConfigError: the engine was built from another model.
        OutputError: the repository cannot be written, or has a model of this name that is called
            in another way.
    """
    spec = read_spec(model)
    plan = _plan_of(spec, engine) if engine is not None else None
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        variants = [
            (onnx_name(spec), onnx_config(spec, max_batch), "model.onnx", model.read_bytes())
        ]
        if plan is not None:
            data, profile = plan
            text = tensorrt_config(spec, profile)
            variants.append((tensorrt_name(spec), text, "model.plan", data))
        with contextlib.ExitStack() as undo:  # all variants or none
            versions = [_add_version(folder, *variant, undo) for variant in variants]
            undo.pop_all()
    except OSError as error:
        raise OutputError(describe_os_error(folder, error)) from error
    finally:
        if new:
            with contextlib.suppress(OSError):  # only an empty folder is removed
                folder.rmdir()
    return versions


def check_before_export(folder: Path, engine: Path | None, name: str, precision: str) -> None:
    """Refuse what `write_repository` would refuse, before the model that it needs is made.

    `name` and `precision` are the model's. Raises BackendError, ConfigError or OutputError.
    """
    # os.access, since exists() raises where a folder on the way may not be entered.
    there = next(p for p in (folder, *folder.absolute().parents) if os.access(p, os.F_OK))
    if not there.is_dir():
        raise OutputError(f"{folder}: cannot be written ({there} is a file, not a folder)")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot be written ({there} is not writable)")
    if engine is not None:
        _, sidecar = read_plan(engine)
        if (sidecar.model, sidecar.model_precision) != (name, precision):
            raise ConfigError(
                f"{engine} was built from {sidecar.model} in {sidecar.model_precision}, not from "
                f"the {name} in {precision} to be exported: build it again, from that"
            )


def _plan_of(spec: ModelSpec, engine: Path) -> tuple[bytes, ShapeProfile]:
    data, sidecar = read_plan(engine)
    if sidecar.key.onnx_sha256 != spec.sha256:
        raise ConfigError(
            f"{engine} was built from {sidecar.model} ({sidecar.key.onnx_sha256[:12]}), not from "
            f"{spec.path} ({spec.sha256[:12]}): build it again"
        )
    if sidecar.key.is_rtx:
        raise ConfigError(
            f"{engine} is an engine of TensorRT for RTX, which Triton does not run: build it with "
            "TensorRT, without --gpu"
        )
    return data, sidecar.key.profile


def _add_version(
    folder: Path, name: str, config: str, file: str, data: bytes, undo: contextlib.ExitStack
) -> Path:
    """Put a version of a model where Triton looks for it; its folder. `undo` takes it back."""
    model = folder / name
    numbers = _versions(model)
    before = (model / CONFIG).read_text(encoding="utf-8") if (model / CONFIG).is_file() else ""
    if numbers:
        if _interface(before) != _interface(config):
            raise OutputError(
                f"{model} already serves a model of another kind: remove it, or export under "
                "another name"
            )
        newest = model / str(numbers[-1])
        if (newest / file).is_file() and (newest / file).read_bytes() == data and before == config:
            return newest
    version = model / str(numbers[-1] + 1 if numbers else 1)
    temporary = model / f".{secrets.token_hex(4)}.part"
    undo.callback(_take_back, model, (temporary, version), before if model.exists() else None)
    model.mkdir(exist_ok=True)
    temporary.mkdir()
    _write(temporary / file, data)
    _write(temporary / CONFIG, config.encode())
    # The config first: Triton, when it polls, takes a version folder as soon as it is there.
    os.replace(temporary / CONFIG, model / CONFIG)
    os.rename(temporary, version)
    return version


def _take_back(model: Path, added: tuple[Path, ...], before: str | None) -> None:
    """Make a model's folder what it was: with the config `before`, or None if it was not there."""
    for path in (model,) if before is None else added:
        shutil.rmtree(path, ignore_errors=True)
    config = model / CONFIG
    if before is not None and config.is_file() and config.read_text(encoding="utf-8") != before:
        if before:
            _write(added[0].with_suffix(".config"), before.encode())
            os.replace(added[0].with_suffix(".config"), config)
        else:
            config.unlink()


def _versions(model: Path) -> list[int]:
    if not model.is_dir():
        return []
    return sorted(int(path.name) for path in model.iterdir() if path.name.isdecimal())


def _interface(config: str) -> list[str]:
    """The lines of a config that clients depend on: name, tensors and scale."""
    tensors = re.split(r"^(?:dynamic_batching|instance_group)", config, maxsplit=1, flags=re.M)[0]
    scale = re.findall(r'key: "framelift\.scale"\n.*', config)
    lines = tensors.splitlines() + scale
    return [line for line in lines if not line.startswith("max_batch_size")]


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
