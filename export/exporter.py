"""Checkpoint to a validated, self-describing ONNX file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import onnx

from ..common.errors import ConfigError, ExportError, InputError, OutputError
from ..common.files import atomic_output, check_target
from ..common.notes import Say
from ..common.text import one_line
from ..runtime.models.contract import DEEP_BITS
from ..runtime.models.digest import PREFIX, seal
from ..runtime.models.file import WHOLE_FRAME
from ..runtime.models.metadata import ACTIVATION_BYTES, FORMAT
from ..runtime.models.tensors import all_tensors, not_finite
from ..runtime.ort.library import load_onnxruntime
from .check.node_rules import tensorrt_problems
from .check.targets import TARGETS, choose_opset, parse_targets, shuffles_integers
from .check.typed_graph import TypedGraph
from .deep_form import to_deep
from .graph.cleanup import clean_up
from .graph.contract import apply_frame_contract, with_sizes
from .int8.gate import MAX_DROP_DB, Quantised, to_int8
from .parity.comparison import Parity
from .parity.gate import Gate
from .parity.half_gate import Peak
from .parity.session import unrounded
from .parity.sizes import Sizes
from .reach.activation import measured_activation_bytes
from .reach.halo import graph_halo
from .reach.measured import Measured, measure_reach, tiles_agree
from .reach.whole_frame import why_whole
from .source.load import load_source
from .source.network import Source, weights_sha256
from .torch_export import export_core

PRECISIONS = ("fp32", "fp16", "int8")
DEPTHS = (8, DEEP_BITS)
MAX_VALUES = 2**31 - 1


@dataclass(frozen=True)
class ExportConfig:
    """How to export. Raises ConfigError for values that make no sense.

    Attributes:
        opset: ONNX opset; None picks the best one that all `targets` read.
        targets: where the model must run, such as "onnxruntime" or "tensorrt11".
        precision: "fp32", "fp16" or "int8".
        depth: bits per channel of the frames: 8 (uint8) or 16 (uint16, 0 to 65535).
        size: height and width of the frames; None accepts any size.
        batch: frames at a time; None accepts any number.
        calibration: folder of images, or a video, to calibrate int8 on. int8 needs it.
        quality_set: folder of images to judge int8 on; None uses some of `calibration`.
        max_drop_db: PSNR that int8 may lose on these images; None is 0.15.
        licence: licence of the weights, stored in the metadata.
        overwrite: replace an existing file.
    """

    opset: int | None = None
    targets: tuple[str, ...] = TARGETS
    precision: str = "fp32"
    depth: int = 8
    size: tuple[int, int] | None = None
    batch: int | None = None
    calibration: Path | None = None
    quality_set: Path | None = None
    max_drop_db: float | None = None
    licence: str = ""
    overwrite: bool = False

    def __post_init__(self) -> None:
        parse_targets(self.targets)
        if self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise ConfigError(f"unknown precision {self.precision!r}: use one of {known}")
        self._check_depth()
        if self.batch is not None and self.batch < 1:
            raise ConfigError(f"batch is {self.batch}: use 1 or more")
        if self.size is not None and min(self.size) < 1:
            raise ConfigError(f"size is {self.size[0]}x{self.size[1]}: sides start at 1")
        if self.precision == "int8" and self.calibration is None:
            raise ConfigError(
                "int8 needs frames to be calibrated on: pass --calibration FOLDER or VIDEO"
            )
        judged_by = (self.calibration, self.quality_set, self.max_drop_db)
        if self.precision != "int8" and any(value is not None for value in judged_by):
            raise ConfigError(
                "--calibration, --quality-set and --max-drop are for --precision int8: pass it, too"
            )

    def _check_depth(self) -> None:
        if self.depth not in DEPTHS:
            raise ConfigError(f"depth is {self.depth}: use 8 or 16")
        if self.depth == 8:
            return
        if self.precision == "int8":
            raise ConfigError("int8 has 8 bits: use --depth 16 with --precision fp32 or fp16")
        without = [target for target in self.targets if target.startswith("tensorrt")]
        if without and self.targets != TARGETS:
            raise ConfigError(
                f"TensorRT has no uint16, so that {without[0]} cannot run a model of --depth 16: "
                "leave this target out (Framelift runs the model on TensorRT, as bytes)"
            )

    @property
    def readers(self) -> tuple[str, ...]:
        """The targets that can run the file as it is written."""
        if self.depth == 8:
            return self.targets
        return tuple(target for target in self.targets if not target.startswith("tensorrt"))


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
    if target.suffix != ".onnx":
        raise OutputError(f"{target}: the name of a model must end in .onnx")
    check_target(target, overwrite=config.overwrite, source=source)
    for frames in (config.calibration, config.quality_set):
        if frames is not None and not frames.exists():
            raise InputError(f"{frames}: no such file or folder")
    loaded = load_source(source)
    if config.precision == "int8" and loaded.task != "super-resolution":
        raise ConfigError(
            f"{source}: int8 is judged by PSNR against originals, and a {loaded.task} model has "
            "none; use --precision fp32 or fp16"
        )
    height, width = config.size or (None, None)
    batch = config.batch or loaded.batch
    asked = Sizes(batch, height, width, loaded.size_multiple, loaded.minimum)
    _require_addressable(asked, loaded.scale)
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
    int8 = None
    if config.precision == "fp16":
        from .graph.half import to_half

        gate.require(model)
        model = to_half(model)
    elif config.precision == "int8":
        Gate(loaded.network, sizes).require(model)
        int8 = _quantised(
            model,
            describe(loaded, config, target.stem, opset, halo, []),
            config,
            replace(sizes, multiple=multiple),
            say,
        )
        model = with_sizes(int8.model, loaded.scale, asked.shape)
    parity, half = gate.require(model, config.precision), None
    if config.precision == "fp16":
        parity, half = gate.require_half(model)
    _check(model)
    _require_finite(model)
    _require_portable(model, config.targets, say)
    if config.depth == DEEP_BITS:
        model, parity, half = to_deep(model, loaded.network, asked, config.precision, say)
        _check(model)
    metadata = describe(loaded, config, target.stem, opset, halo, parity)
    if int8 is not None:
        metadata["framelift.quantisation"] = json.dumps(int8.record())
    if half is not None:
        metadata["framelift.half_precision"] = json.dumps(half.record())
    if config.depth == DEEP_BITS:
        metadata[PREFIX + "depth"] = str(config.depth)
    activation = measured_activation_bytes(model, asked)
    if activation is not None:
        metadata[PREFIX + ACTIVATION_BYTES] = str(activation)
    onnx.helper.set_model_props(model, metadata)
    seal(model)
    with atomic_output(target, overwrite=config.overwrite, source=source) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
    return Exported(target, opset, config.precision, halo, loaded.parameters, parity, int8, half)


def describe(
    source: Source, config: ExportConfig, name: str, opset: int, halo: int, parity: list[Parity]
) -> dict[str, str]:
    """The `framelift.` metadata of contract 2."""
    tools = {tool: version(tool) for tool in ("framelift", "torch", "onnx", "onnxscript")}
    tools["onnxruntime"] = str(load_onnxruntime().__version__)  # of either of its packages
    return {
        "framelift.format": str(FORMAT),
        "framelift.name": name,
        "framelift.task": source.task,
        "framelift.scale": str(source.scale),
        "framelift.size_multiple": str(source.size_multiple),
        "framelift.minimum_side": str(source.minimum),
        "framelift.halo": str(halo),
        "framelift.precision": config.precision,
        "framelift.opset": str(opset),
        "framelift.targets": " ".join(config.readers),
        "framelift.network": json.dumps({**source.description, "parameters": source.parameters}),
        "framelift.training": json.dumps(source.training),
        "framelift.weights_sha256": weights_sha256(source.weights),
        "framelift.parity": _parity_json(parity),
        "framelift.created_with": json.dumps(tools),
        "framelift.licence": config.licence,
    }


def _require_addressable(sizes: Sizes, scale: int) -> None:
    """Refuse fixed sizes beyond what TensorRT counts in 31 bits and the gate could ever run."""
    batch, height, width = (size or 1 for size in sizes.shape)
    if 3 * batch * height * width * scale**2 > MAX_VALUES:
        raise ExportError(
            f"{batch} × {height}x{width}: the upscaled frames have more than 2^31 values, too many "
            "for one run; leave the sizes open, and large frames are run in tiles"
        )


def _parity_json(parity: list[Parity]) -> str:
    return json.dumps({case.label(): case.record() for case in parity})


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

    return to_int8(
        model,
        describe_candidate,
        int(metadata["framelift.scale"]),
        sizes,
        config.calibration,
        config.quality_set,
        MAX_DROP_DB if config.max_drop_db is None else config.max_drop_db,
        say,
        symmetric=any(target.startswith("tensorrt") for target in config.targets),
        float_shuffle=not shuffles_integers(config.targets),
    )


def _reach(model: onnx.ModelProto, source: Source, sizes: Sizes, say: Say) -> tuple[int, int]:
    """Halo and size multiple: by the graph, or measured where its operators do not tell.

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
        say(f"its reach was measured: {reach.halo} pixels")
        if reach.multiple != source.size_multiple:
            say(f"tiles and frames are multiples of {reach.multiple} pixels, as its windows are")
        return reach.halo, reach.multiple
    say(f"{why_whole(model)}: this model is never run in tiles")
    return WHOLE_FRAME, source.size_multiple


def _check(model: onnx.ModelProto) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"ONNX's checker refuses the model: {one_line(error)}") from error


def _require_finite(model: onnx.ModelProto) -> None:
    """Refuse weights that the gate's frames did not show, and those beyond what float16 holds."""
    for tensor in all_tensors(model):
        if found := not_finite(tensor):
            raise ExportError(
                f"the model's weights contain {found} (tensor {tensor.name!r}); nothing was written"
            )


def _require_portable(model: onnx.ModelProto, targets: tuple[str, ...], say: Say) -> None:
    """Refuse what a target's parser does not take; say what is risky in it."""
    graph = TypedGraph(model)
    for target in targets:
        if not target.startswith("tensorrt"):
            continue  # the gate ran it on ONNX Runtime
        for found in tensorrt_problems(graph, target):
            line = f"{target}: {found.where}: {found.problem}; {found.remedy}"
            if found.is_error:
                raise ExportError(f"{line}, or leave this target out; nothing was written")
            say(line)


def _silent(message: str) -> None:
    del message
