"""`framelift upscale`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..common.errors import ConfigError, FrameliftError, Interrupted
from .options.codec import codec_options
from .options.completions import backend_names, files, model_names
from .options.defaults import typed
from .options.device import device_option
from .options.finite import Finite
from .upscaling import require_name

if TYPE_CHECKING:
    from ..runtime import Upscaler


_FOR_VIDEOS = ("start", "end", "deinterlace", "resume", "no_audio", "codec", "crf", "preset")


@click.command()
@click.argument(
    "sources", metavar="IN...", nargs=-1, required=True, callback=require_name, shell_complete=files
)
@click.argument("target", metavar="OUT", callback=require_name, shell_complete=files)
@click.option(
    "--model",
    metavar="NAME|FILE",
    shell_complete=model_names,
    help=(
        "Bundled model (see `framelift models`) or .onnx file. [default: a bundled real-time "
        "model, ×2 for --scale up to 2, otherwise ×4; a video model for videos, a perceptual "
        "one for images; int8 on a CPU]"
    ),
)
@click.option(
    "--backend",
    default="auto",
    show_default=True,
    shell_complete=backend_names,
    help=(
        "Backend: auto, tensorrt, tensorrt-rtx, onnx-tensorrt, onnx-cuda, onnx-webgpu or onnx-cpu."
    ),
)
@device_option
@click.option(
    "--threads", type=click.IntRange(1), help="Number of inference threads. [default: all cores]"
)
@click.option("--tile", type=click.IntRange(1), help="Largest side of a tile, in input pixels.")
@codec_options
@click.option("--no-audio", is_flag=True, help="Do not copy the audio.")
@click.option(
    "--scale",
    type=Finite(0, 64, min_open=True),
    metavar="FACTOR",
    help=(
        "Output size divided by input size. The output of the model is resized if needed. "
        "[default: the model's scale]"
    ),
)
@click.option("--start", metavar="TIME", help="Start at this time: seconds or h:mm:ss.")
@click.option("--end", metavar="TIME", help="Stop before this time: seconds or h:mm:ss.")
@click.option(
    "--deinterlace",
    type=click.Choice(["frame", "field", "film"]),
    default="frame",
    show_default=True,
    help=(
        "What interlaced video becomes: a frame for each frame, a frame for each field (50 fields "
        "become 50 frames), or the film that 3:2 pulldown was made of."
    ),
)
@click.option(
    "--compare",
    is_flag=True,
    help="Show the input, enlarged bicubically, to the left of the output.",
)
@click.option(
    "--no-metadata",
    is_flag=True,
    help="Leave out EXIF, XMP, IPTC, resolution and text of images; colour profiles stay.",
)
@click.option(
    "-r", "--recursive", is_flag=True, help="Also upscale subfolders, into subfolders of OUT."
)
@click.option(
    "--resume",
    is_flag=True,
    help="If interrupted, keep the finished part; run the same command again to continue.",
)
@click.option(
    "--timeout",
    type=Finite(0.1),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a network stream may send nothing.",
)
@click.option(
    "--reconnect",
    type=Finite(0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to try to reconnect to a lost stream; 0 does not try.",
)
@click.option(
    "--keep-all", is_flag=True, help="Never drop frames of a live source; fall behind instead."
)
@click.option("-y", "--overwrite", is_flag=True, help="Replace existing outputs.")
@click.option("-q", "--quiet", is_flag=True, help="Print only notes and errors.")
@click.option("-v", "--verbose", is_flag=True, help="Also print why other backends were not used.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output."
)
def upscale(
    sources: tuple[str, ...],
    target: str,
    model: str | None,
    backend: str,
    device: int | None,
    threads: int | None,
    tile: int | None,
    codec: str,
    crf: int | None,
    preset: str | None,
    no_audio: bool,
    scale: float | None,
    start: str | None,
    end: str | None,
    deinterlace: str,
    compare: bool,
    no_metadata: bool,
    recursive: bool,
    resume: bool,
    timeout: float,
    reconnect: float,
    keep_all: bool,
    overwrite: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    task: str = "super-resolution",
) -> None:
    """Upscale IN, a video, an image or a folder of both, to OUT.

    Several inputs go into the folder OUT. For one, OUT may be a folder, too. The name of OUT may
    have {stem}, {suffix}, {folder} and {scale} in it, which each input fills in.

    Videos become H.264 in .mp4, .m4v, .mov or .mkv. Every frame keeps its time, and audio,
    subtitles, chapters and metadata are copied. An existing OUT is replaced only with --overwrite.
    Files of a folder that are already in OUT are skipped. OUT appears only when it is complete.

    IN may also be the number of a camera, an rtsp://, rtmp://, http://, udp:// or tcp:// URL, a
    named pipe, or - for standard input. OUT may be window, an rtmp://, udp:// or tcp:// URL, - for
    y4m on standard output, or null. Press Ctrl-C to stop a live source: the recording is completed
    and the exit code is 0. If the source is lost for good, the recording is completed, too, but the
    exit code is 1. Sound is kept only from file to file.

    \b
    framelift upscale clip.mp4 clip_x4.mp4
    framelift upscale photos/ photos_x4/ --recursive
    framelift upscale a.jpg b.jpg '{stem}_x{scale}{suffix}'
    framelift upscale 0 window
    framelift upscale rtsp://host/stream recording.mp4
    """
    from fractions import Fraction

    from ..common.files import check_target
    from ..common.images import is_image
    from ..common.signals import call_interruptibly, signals_as_errors
    from ..importer.loading import Engine, load_upscaler, models_to_run
    from ..runtime.jobs import plan_many, with_scales
    from ..runtime.live import (
        LiveOptions,
        SourceKind,
        TargetKind,
        Timeouts,
        check_live,
        parse_source,
        parse_target,
    )
    from ..runtime.output_names import expanded
    from ..runtime.video import ConvertOptions, Deinterlace, EncoderOptions, Span, parse_time
    from .options.command_line import hide_arguments
    from .upscaling import Run, Settings, leave, raise_failure

    if typed("codec"):  # the defaults of these are for the default of that
        crf = crf if typed("crf") else None
        preset = preset if typed("preset") else None
    encoder = EncoderOptions(codec, crf, preset)
    span = Span(parse_time(start or "0"), parse_time(end) if end else None)
    factor = None if scale is None else Fraction(str(scale))
    several = len(sources) > 1
    origin, goal = parse_source(sources[0]), parse_target(target)
    hide_arguments({name.text: name.shown for name in (origin, goal) if "://" in name.text})
    live = (origin.kind, goal.kind) != (SourceKind.FILE, TargetKind.FILE)
    resume = resume and (typed("resume") or not live)
    if live and several:
        raise ConfigError("several inputs are files that become files; name one live source")
    if live and (resume or deinterlace != "frame" or not span.is_whole):
        raise ConfigError("--resume, --start, --end and --deinterlace work only from file to file")
    lasting = LiveOptions(
        Timeouts(timeout, max(timeout, Timeouts.first_frame_seconds)),
        reconnect,
        keep_all,
        factor,
        compare,
        sound_wanted=not no_audio,
    )
    try:
        with signals_as_errors():
            if live:
                check_live(origin, goal, encoder, overwrite=overwrite)
                footage = origin.kind is not SourceKind.FILE or not is_image(origin.path)
            else:
                paths = expanded(sources) if several else [origin.path]
                if not several and not origin.path.exists():
                    paths = expanded(sources)
                several = len(paths) > 1 or paths[0].is_dir()
                jobs = plan_many(
                    paths, goal.path, encoder, recursive=recursive, overwrite=overwrite, say=_note
                )
                footage = not all(job.is_image for job in jobs)
                if not footage and typed(*_FOR_VIDEOS):
                    _require_video(
                        start
                        or end
                        or deinterlace != "frame"
                        or resume
                        or no_audio
                        or codec != EncoderOptions.codec
                        or crf is not None
                        or preset is not None
                    )
            models = models_to_run(task, model, scale, footage=footage)
            engine = Engine(backend, device, threads, tile)
            upscaler = call_interruptibly(lambda: load_upscaler(task, *models, engine, say=_note))
            convert = ConvertOptions(
                not no_audio,
                span,
                factor,
                compare,
                upscaler.spec.sha256 if resume else None,
                deinterlace=Deinterlace(deinterlace),
            )
            run = Run(
                upscaler, Settings(encoder, convert, overwrite, quiet, as_json, not no_metadata)
            )
            run.info(_runs(upscaler, verbose))
            if live:
                result = run.live(origin, goal, lasting)
            else:
                jobs = with_scales(jobs, scale or upscaler.scale)
                if several:
                    run.many(jobs)
                else:
                    check_target(jobs[0].target, overwrite=overwrite, source=jobs[0].source)
                    run.one(jobs[0])
    except Interrupted as error:
        leave(error.exit_code, str(error))
        raise
    run.report()
    try:
        if live:
            raise_failure(result)
    except FrameliftError as error:
        leave(error.exit_code, str(error), type(error).__name__)
        raise
    leave(0)


def _require_video(set_for_videos: object) -> None:
    """Raise ConfigError for options that would say nothing: there are images alone."""
    if set_for_videos:
        raise ConfigError(
            "--start, --end, --deinterlace, --resume, --codec, --crf, --preset and --no-audio are "
            "for videos, and the input is images alone"
        )


def _note(line: str) -> None:
    click.echo(f"note: {line}", err=True)


def _runs(upscaler: Upscaler, verbose: bool) -> str:
    """What runs, in one short line: of GPUs that are not there `doctor` tells."""
    from ..runtime.machine.host import has_gpu

    facts = upscaler.describe()
    choice = f"{facts['backend']} on {facts['device']}"
    if verbose and upscaler.selection:
        choice = upscaler.selection
    elif " not used: " in upscaler.selection and has_gpu():
        choice += "; better backends cannot be used, --verbose shows why"
    factor = f" ×{upscaler.scale}" if upscaler.scale > 1 else ""
    return f"{facts['model']}{factor}: {choice}"
