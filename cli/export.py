"""`framelift export`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from ..common.errors import (
    CheckpointError,
    ConfigError,
    ForeignModelError,
    Interrupted,
)
from ..common.libraries.needed import needed_for
from .options.defaults import typed
from .options.shared import licence_option, targets_option
from .options.types import Finite
from .output.lines import print_line

if TYPE_CHECKING:
    from ..export.config import ExportConfig
    from ..export.exporter import Exported
    from ..export.int8.gate import Quantised


@dataclass(frozen=True)
class ExportOptions:
    """The arguments and options of the command, by their names."""

    checkpoint: Path
    output: Path | None
    opset: int | None
    targets: tuple[str, ...]
    precision: str
    depth: str
    fixed: str | None
    batch: int | None
    calibration: Path | None
    quality_set: Path | None
    max_drop: float | None
    licence: str
    overwrite: bool
    triton: Path | None
    engine: Path | None

    def config(self) -> ExportConfig:
        """How to export. Raises ConfigError."""
        from ..export.check.targets import parse_targets
        from ..export.config import ExportConfig

        # The user's defaults of these are for int8.
        judged = self.precision == "int8" or typed("calibration", "quality_set", "max_drop")
        return ExportConfig(
            opset=self.opset,
            targets=parse_targets(self.targets),
            precision=self.precision,
            depth=int(self.depth),
            size=None if self.fixed is None else parse_size(self.fixed),
            batch=self.batch,
            calibration=self.calibration if judged else None,
            quality_set=self.quality_set if judged else None,
            max_drop_db=self.max_drop if judged else None,
            licence=self.licence,
            overwrite=self.overwrite,
        )


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="MODEL.onnx",
    help="File to write. [default: CHECKPOINT with the suffix .onnx]",
)
@click.option("--opset", type=int, help="ONNX opset. [default: the best one that all targets read]")
@targets_option("Where the model must run")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8"]),
    default="fp32",
    show_default=True,
    help="Precision of the numbers inside the network.",
)
@click.option(
    "--depth",
    type=click.Choice(["8", "16"]),
    default="8",
    show_default=True,
    help="Bits per channel of the frames: 8 (uint8), or 16 (uint16, 0 to 65535).",
)
@click.option("--fixed", metavar="HxW", help="Accept only frames of this height and width.")
@click.option("--batch", type=int, help="Accept only this many frames at a time.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FOLDER|VIDEO",
    help="Frames to calibrate int8 on. Use frames like those that you will upscale.",
)
@click.option(
    "--quality-set",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="High-resolution images to judge int8 on. [default: some of --calibration]",
)
@click.option(
    "--max-drop",
    type=Finite(0),
    metavar="DB",
    help="PSNR that int8 may lose on these images. [default: 0.15]",
)
@licence_option
@click.option("-y", "--overwrite", is_flag=True, help="Replace an existing model.")
@click.option(
    "--triton",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Add the model to this Triton model repository; CHECKPOINT may then be a MODEL.onnx.",
)
@click.option(
    "--engine",
    type=click.Path(path_type=Path),
    metavar="FILE.plan",
    help="With --triton: also serve this engine of the model (see `framelift engine build`).",
)
def export(**options: Any) -> None:  # noqa: ANN401 - the fields of ExportOptions
    """Export a checkpoint to an ONNX model.

    The model is one file, describes itself, and takes and returns frames. CHECKPOINT is a
    checkpoint of `framelift train` or a community super-resolution model (.pth, .safetensors). The
    model is compared with PyTorch on a photograph, on noise and on extreme frames, at several
    sizes. It is written only if they agree.
    """
    chosen = ExportOptions(**options)
    checkpoint, triton, engine = chosen.checkpoint, chosen.triton, chosen.engine
    if engine is not None and triton is None:
        raise ConfigError("--engine is for --triton: name the repository too")
    if engine is not None and chosen.depth != "8":
        raise ConfigError("--engine is for models of 8 bits: TensorRT has no uint16")
    if triton is not None and checkpoint.suffix == ".onnx":
        _refuse_export_options()
        _serve(checkpoint, triton, engine)
        return
    if checkpoint.is_dir():
        raise CheckpointError(f"checkpoint {checkpoint}: is a folder; name a file in it")
    if checkpoint.suffix == ".onnx":
        _refuse_onnx(checkpoint)
    with needed_for("export", "framelift[train,cpu]"):
        from ..export.exporter import export_checkpoint

        config = chosen.config()
    target = chosen.output or checkpoint.with_suffix(".onnx")
    if triton is not None:
        from ..export.triton.repository import check_before_export

        check_before_export(triton, engine, target.stem, config.precision)
    _report(_interruptible(lambda: export_checkpoint(checkpoint, target, config, _say)))
    if triton is not None:
        _serve(target, triton, engine)


def _interruptible(work: Callable[[], Exported]) -> Exported:
    """Do the work in another thread: PyTorch's exporter would swallow a Ctrl-C."""
    from ..common.signals import call_interruptibly, signals_as_errors
    from .dispatch.leaving import leave

    try:
        with signals_as_errors():
            return call_interruptibly(work)
    except Interrupted as error:
        leave(error.exit_code, str(error))
        raise


def parse_size(text: str) -> tuple[int, int]:
    """Height and width of "HxW". Raises ConfigError."""
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdecimal() and width.isdecimal()):
        raise ConfigError(
            f"{text!r} is not a size: write height and width as HxW, such as 1080x1920"
        )
    return int(height), int(width)


def _refuse_export_options() -> None:
    """Raise ConfigError for options that an exported model would be served without."""
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        served = parameter.name in ("checkpoint", "triton", "engine")
        if source is ParameterSource.COMMANDLINE and not served:
            raise ConfigError(
                f"{max(parameter.opts, key=len)} is for the export of a checkpoint, and this model "
                "is exported already; leave it out"
            )


def _serve(model: Path, repository: Path, engine: Path | None) -> None:
    from ..export.triton.repository import write_repository

    for version in write_repository(model, repository, engine):
        click.echo(version)


def _say(message: str) -> None:
    print_line(message, err=True)


def _report(exported: Exported) -> None:
    limit = f"off by > {exported.parity[0].allowed}"
    _say(f"parity with PyTorch    max |Δ|  {limit:>11}      PSNR")
    for case in exported.parity:
        decibels = "equal" if case.psnr_db is None else f"{case.psnr_db:.1f} dB"
        _say(
            f"{case.label():<22} {case.max_difference:>7}   {case.off_share:>10.4%}  {decibels:>8}"
        )
    if exported.int8 is not None:
        _report_int8(exported.int8)
    elif exported.half is not None:
        half = exported.half
        _say(
            f"in half precision the largest value is {half.magnitude:,.4g} (`{half.value}`, "
            f"{half.frames}); the fp16 maximum is 65,504"
        )
        _say("for GPUs and smaller files: on CPUs Framelift computes it in float32")
    size_kb = exported.path.stat().st_size / 1000
    _say(
        f"opset {exported.opset}, {exported.precision}, {exported.parity[0].depth}-bit frames, "
        f"{exported.parameters:,} parameters, "
        f"{size_kb:.0f} kB"
    )
    click.echo(exported.path)


def _report_int8(int8: Quantised) -> None:
    verdict = int8.verdict
    _say(
        f"{int8.form} activations, {int8.method}, {int8.calibration_frames} calibration frames: "
        f"PSNR {verdict.psnr_fp32_db:.2f} to {verdict.psnr_int8_db:.2f} dB on "
        f"{verdict.quality_images} images, {verdict.drop_db:+.3f} dB lost, at most "
        f"{verdict.worst_drop_db:+.3f} ({verdict.worst_image})"
    )
    _say(
        f"flat frames of full colours are at most {verdict.flat_difference} codes off "
        f"({verdict.flat_colour}), squares of them at {verdict.saturated_db:.1f} dB"
    )
    _say(int8.speed_line())


def _refuse_onnx(path: Path) -> NoReturn:
    from ..runtime.models.file import read_spec

    try:
        read_spec(path)
    except ForeignModelError as error:
        raise CheckpointError(
            f"{path} is an ONNX model, not a checkpoint: `framelift import {path} -o MODEL.onnx` "
            "makes a framelift model of it"
        ) from error
    raise CheckpointError(
        f"{path} is a framelift model already: name the checkpoint that it was exported from"
    )
