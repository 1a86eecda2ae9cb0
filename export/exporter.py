"""Checkpoint to a validated, self-describing ONNX file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import onnx

from ..common.errors import ConfigError, ExportError, InputError
from ..common.files import atomic_output, check_model_target
from ..common.notes import Say
from ..runtime.models.contract import DEEP_BITS
from ..runtime.models.digest import PREFIX, seal
from ..runtime.models.file import WHOLE_FRAME
from ..runtime.models.metadata import ACTIVATION_BYTES
from .check.targets import choose_opset, shuffles_integers
from .config import ExportConfig
from .deep_form import to_deep
from .graph.cleanup import clean_up
from .graph.contract import apply_frame_contract, with_sizes
from .int8.gate import MAX_DROP_DB, Int8Options, Quantised, to_int8
from .metadata import describe
from .parity.comparison import Parity
from .parity.gate import Gate
from .parity.half_gate import Peak
from .parity.session import unrounded
from .parity.sizes import Sizes
from .reach.activation import measured_activation_bytes
from .reach.halo import graph_halo
from .reach.measured import Measured, measure_reach, tiles_agree
from .reach.whole_frame import why_whole
from .requirements import require_addressable, require_finite, require_portable, require_valid
from .source.load import load_source
from .source.network import Source
from .torch_export import export_core


@dataclass(frozen=True)
class Exported:
    """A written model and what was checked about it."""

    path: Path
    opset: int
    precision: str
    halo: int
    parameters: int
    parity: list[Parity]
    int8: Quantised | None = None
    half: Peak | None = None


@dataclass(frozen=True)
class _Made:
    """A model that passed the gate, and what that found."""

    model: onnx.ModelProto
    parity: list[Parity]
    half: Peak | None = None
    int8: Quantised | None = None


def export_checkpoint(
    source: Path, target: Path, config: ExportConfig | None = None, say: Say | None = None
) -> Exported:
    """Export the checkpoint or community model `source` to the ONNX model `target`.

    The model must pass ONNX's full check and the parity gate, after every change to its graph,
    before anything is written. `say` is called with one line about each thing worth knowing.

    Raises:
        CheckpointError: `source` is damaged or of another kind.
        ConfigError: `config` does not suit this checkpoint.
        ExportError: the network cannot be exported this way, or its output differs.
        InputError: a folder or file of `config` is missing.
        MissingDependencyError: an optional package is not installed.
        OutputError: `target` cannot be written.
    """
    config = config or ExportConfig()
    say = say or _silent
    opset = choose_opset(config.opset, config.targets)
    _check_files(source, target, config)
    loaded = load_source(source)
    _check_task(source, loaded, config)
    height, width = config.size or (None, None)
    batch = config.batch or loaded.batch
    asked = Sizes(batch, height, width, loaded.size_multiple, loaded.minimum)
    require_addressable(asked, loaded.scale)
    # int8 is calibrated on frames of any size, and given its sizes afterwards.
    open_sizes = Sizes(loaded.batch, multiple=asked.multiple, minimum=asked.minimum)
    sizes = asked if config.precision != "int8" else open_sizes
    gate = Gate(loaded.network, asked)
    model = apply_frame_contract(
        export_core(loaded.deployed, opset, sizes), loaded.scale, sizes.shape
    )
    if sizes is asked:
        gate.require(model)
    model = clean_up(model)
    halo, multiple = _reach(model, loaded, sizes, say)
    loaded = replace(loaded, size_multiple=multiple)
    metadata = partial(describe, loaded, config, target.stem, opset, halo)
    if config.precision == "int8":
        Gate(loaded.network, sizes).require(model)
        within = replace(sizes, multiple=multiple)
        int8 = _quantised(model, metadata([]), config, within, say)
        sized = with_sizes(int8.model, loaded.scale, asked.shape)
        made = _Made(sized, gate.require(sized, config.precision), int8=int8)
    else:
        made = _as_float(model, gate, config.precision)
    require_valid(made.model)
    require_finite(made.model)
    require_portable(made.model, config.targets, say)
    if config.depth == DEEP_BITS:
        made = _Made(*to_deep(made.model, loaded.network, asked, config.precision, say))
        require_valid(made.model)
    facts = metadata(made.parity) | _measured_facts(made, config.depth, asked)
    onnx.helper.set_model_props(made.model, facts)
    seal(made.model)
    with atomic_output(target, overwrite=config.overwrite, source=source) as temporary:
        temporary.write_bytes(made.model.SerializeToString(deterministic=True))
    checked = made.parity, made.int8, made.half
    return Exported(target, opset, config.precision, halo, loaded.parameters, *checked)


def _check_files(source: Path, target: Path, config: ExportConfig) -> None:
    """Refuse names that cannot be read or written, before anything is computed."""
    check_model_target(target, overwrite=config.overwrite, source=source)
    for frames in (config.calibration, config.quality_set):
        if frames is not None and not frames.exists():
            raise InputError(f"{frames}: no such file or folder")


def _check_task(source: Path, loaded: Source, config: ExportConfig) -> None:
    if config.precision == "int8" and loaded.task != "super-resolution":
        raise ConfigError(
            f"{source}: int8 is judged by PSNR against originals, and a {loaded.task} model has "
            "none; use --precision fp32 or fp16"
        )


def _as_float(model: onnx.ModelProto, gate: Gate, precision: str) -> _Made:
    """A float32 model in float32 or half precision, which passed the gate."""
    if precision != "fp16":
        return _Made(model, gate.require(model, precision))
    from .graph.half import to_half

    gate.require(model)  # so that a failure is known not to come from half precision
    model = to_half(model)
    gate.require(model, precision)  # as processors compute it, some values wider
    return _Made(model, *gate.require_half(model))


def _quantised(
    model: onnx.ModelProto,
    metadata: dict[str, str],
    config: ExportConfig,
    sizes: Sizes,
    say: Say,
) -> Quantised:
    assert config.calibration is not None

    def describe_candidate(candidate: onnx.ModelProto) -> None:
        onnx.helper.set_model_props(candidate, metadata)

    options = Int8Options(
        config.calibration,
        symmetric=any(target.startswith("tensorrt") for target in config.targets),
        float_shuffle=not shuffles_integers(config.targets),
        quality_set=config.quality_set,
        max_drop_db=MAX_DROP_DB if config.max_drop_db is None else config.max_drop_db,
    )
    scale = int(metadata["framelift.scale"])
    return to_int8(model, describe_candidate, scale, sizes, options, say)


def _measured_facts(made: _Made, depth: int, sizes: Sizes) -> dict[str, str]:
    """The metadata that only some models have."""
    facts = {}
    if made.int8 is not None:
        facts["framelift.quantisation"] = json.dumps(made.int8.record())
    if made.half is not None:
        facts["framelift.half_precision"] = json.dumps(made.half.record())
    if depth == DEEP_BITS:
        facts[PREFIX + "depth"] = str(depth)
    activation = measured_activation_bytes(made.model, sizes)
    if activation is not None:
        facts[PREFIX + ACTIVATION_BYTES] = str(activation)
    return facts


def _reach(model: onnx.ModelProto, source: Source, sizes: Sizes, say: Say) -> tuple[int, int]:
    """Halo and size multiple: by the graph, or measured where its operators do not show it.

    What the network says of itself must agree.
    """
    halo = graph_halo(model, source.scale, source.size_multiple)
    if source.halo is not None and source.halo != halo:
        raise ExportError(
            f"the network says that its receptive field reaches {source.halo} pixels, its graph "
            f"reaches {halo}; tiles would show seams"
        )
    if halo is not None:
        return halo, source.size_multiple
    measured = Measured(unrounded(model), source.scale, sizes)
    reach = measure_reach(measured)
    if reach.halo is not None and tiles_agree(measured, reach):
        say(f"its receptive field was measured: {reach.halo} pixels")
        if reach.multiple != source.size_multiple:
            say(f"tiles and frames are multiples of {reach.multiple} pixels, as its windows are")
        return reach.halo, reach.multiple
    say(f"{why_whole(model)}: this model is never run in tiles")
    return WHOLE_FRAME, source.size_multiple


def _silent(message: str) -> None:
    del message
