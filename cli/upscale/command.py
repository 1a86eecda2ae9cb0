"""`framelift upscale`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from ...common.errors import FrameliftError, Interrupted
from ..options.completions import backend_names, files, model_names
from ..options.sections import SectionedCommand
from ..options.shared import codec_options, device_option, threads_option, tile_option
from ..options.types import Finite, require_both, require_name
from ..output.lines import print_line
from .options import Request, UpscaleOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...runtime import Upscaler
    from ...runtime.files.jobs import Job
    from .run import Run


@click.command(cls=SectionedCommand)
@click.argument(
    "sources",
    metavar="IN...",
    nargs=-1,
    required=False,
    callback=require_name,
    shell_complete=files,
)
@click.argument(
    "target", metavar="OUT", required=False, callback=require_both, shell_complete=files
)
@click.option(
    "--model",
    metavar="NAME|FILE",
    shell_complete=model_names,
    help=(
        "Bundled model (see `framelift models`) or .onnx file. [default: a bundled real-time "
        "model, ×2 where IN becomes up to twice as large, otherwise ×4; a video model for videos; "
        "int8 on a CPU]"
    ),
)
@click.option(
    "--backend",
    metavar="NAME",
    default="auto",
    show_default=True,
    shell_complete=backend_names,
    help=(
        "Backend: auto, tensorrt, tensorrt-rtx, onnx-tensorrt, onnx-cuda, onnx-webgpu or onnx-cpu."
    ),
)
@device_option
@threads_option
@tile_option
@codec_options
@click.option(
    "--pixel-format",
    metavar="NAME",
    help=(
        "Pixel format of videos: same, for the depth and chroma of the source, or one of "
        "FFmpeg's names such as yuv420p10le; bgr24, rgb24, bgr48le or rgb48le for frames "
        "without a header on standard output. [default: same, as far as players of the "
        "container know it; RGB for ffv1]"
    ),
)
@click.option(
    "--assume-transfer",
    type=click.Choice(["sdr", "pq", "hlg"]),
    help=("Read videos that state BT.2020 but no transfer function as SDR, HDR with PQ, or HLG."),
)
@click.option(
    "--audio",
    type=click.Choice(["copy", "aac", "none"]),
    help=(
        "Copy the audio, encode it as AAC, or leave it out. [default: copy what OUT can hold, "
        "encode the rest as AAC, for .webm as Opus]"
    ),
)
@click.option("--no-audio", is_flag=True, help="The same as --audio none.")
@click.option(
    "--no-reuse",
    is_flag=True,
    help=(
        "Compute every pixel of every frame. By default, what did not change since the last frame "
        "is not computed again; the output is the same."
    ),
)
@click.option(
    "--scale",
    type=Finite(0, 64, min_open=True),
    metavar="FACTOR",
    help=(
        "Output size divided by input size. The output of the model is resized if needed. "
        "[default: the model's scale]"
    ),
)
@click.option(
    "--size",
    metavar="WxH",
    help="Make the output as large as fits into this size, such as 1920x1080, in its own shape.",
)
@click.option("--width", type=click.IntRange(1, 65535), help="Width of the output in pixels.")
@click.option("--height", type=click.IntRange(1, 65535), help="Height of the output in pixels.")
@click.option("--start", metavar="TIME", help="Start at this time: seconds or h:mm:ss.")
@click.option("--end", metavar="TIME", help="Stop before this time: seconds or h:mm:ss.")
@click.option(
    "--fps",
    metavar="RATE",
    help=(
        "Frames per second of an image sequence that becomes a video, such as 25, 23.976 or "
        "24000/1001."
    ),
)
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
def upscale(**options: Any) -> None:  # noqa: ANN401
    """Upscale videos, images, folders and live streams.

    IN is a video, an image or a folder of both.

    Several inputs go into the folder OUT. For one, OUT may be a folder, too. The name of OUT may
    have {stem}, {suffix}, {folder} and {scale} in it, which each input fills in.

    Videos become H.264, those of more than 8 bits HEVC, in .mp4, .m4v, .mov or .mkv; in .webm they
    become AV1. Every frame keeps its time, and audio, subtitles, chapters and metadata are copied.
    An existing OUT is replaced only with --overwrite. Files of a folder that are already in OUT are
    skipped. OUT appears only when it is complete.

    An image sequence such as frame_%05d.png becomes a video with --fps, and a video becomes a
    sequence, or an animated .gif, .webp or .apng.

    IN may also be the number of a camera, an rtsp://, rtmp://, http://, udp:// or tcp:// URL, a
    named pipe, or - for standard input. OUT may be window, an rtmp://, rtsp://, srt://, udp:// or
    tcp:// URL, - for y4m on standard output, or null. Press Ctrl-C to stop a live source: the
    recording is completed and the exit code is 0. If the source is lost for good, the recording is
    completed, too, but the exit code is 1.

    \b
    framelift upscale clip.mp4 clip_x4.mp4
    framelift upscale photos/ photos_x4/ --recursive
    framelift upscale a.jpg b.jpg '{stem}_x{scale}{suffix}'
    framelift upscale 0 window
    framelift upscale rtsp://host/stream recording.mp4
    """
    run_upscale(options)


def run_upscale(values: Mapping[str, Any], task: str = "super-resolution") -> None:
    """Do what the options ask for, with models for `task`: "super-resolution" or "style".

    `values` are those that click has.
    """
    from ...common.garbage import no_search_for_garbage
    from ...common.signals import signals_as_errors

    # Else NumPy starts a thread for each processor, for linear algebra, of which there is little.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from ..dispatch.leaving import leave
    from .run import raise_failure

    with no_search_for_garbage():
        request = Request.of(UpscaleOptions.of(values, task))
    result = None
    try:
        with signals_as_errors():
            if request.is_live:
                footage = request.check_live()
                run = _loaded(request, footage=footage)
                result = run.live(request.source, request.target, request.live_options())
            else:
                with no_search_for_garbage():
                    jobs = request.plan(_note)
                    run = _loaded(request, jobs)
                run.files(jobs, several=request.is_several)
    except Interrupted as error:
        leave(error.exit_code, str(error))
        raise
    run.report()
    try:
        if result is not None:
            raise_failure(result)
    except FrameliftError as error:
        leave(error.exit_code, str(error), type(error).__name__)
        raise
    leave(0)


def _loaded(request: Request, jobs: Sequence[Job] = (), *, footage: bool = False) -> Run:
    """The run with its upscaler loaded; the line that names it is printed."""
    from ...common.cache_folder import cache_folder
    from ...common.signals import call_interruptibly
    from ...importer.loading import load_upscaler, models_to_run
    from ...runtime.files.input_size import largest_factor
    from ...runtime.models.remembered import remembering
    from .run import Run

    options, settings = request.options, request.file
    left = jobs
    if len({job.is_image for job in jobs}) > 1 and not settings.overwrite:
        left = [job for job in jobs if _may_be_left(job)] or jobs[:1]
    footage = footage or not all(job.is_image for job in left)
    scale = None if settings.model else largest_factor(settings.factor(), jobs)

    def load(*, footage: bool) -> Upscaler:
        models = models_to_run(settings.task, settings.model, scale, footage=footage)
        with remembering(cache_folder() / "prepared"):
            return call_interruptibly(lambda: load_upscaler(settings, *models, say=_note))

    upscaler = load(footage=footage)
    both = footage and any(job.is_image for job in left)
    differ = both and not settings.model and settings.task == "super-resolution"
    for_images = load(footage=False) if differ else upscaler
    run = Run(upscaler, for_images, settings, quiet=options.quiet, as_json=options.as_json)
    run.info(_runs(upscaler, options.verbose))
    if for_images is not upscaler:
        run.info(f"images: {_runs(for_images, options.verbose)}")
    if upscaler.window > 1 and footage and not settings.no_reuse:
        run.info(
            f"{upscaler.spec.name} looks at {upscaler.window} frames at once: nothing is reused "
            "from frame to frame"
        )
    return run


def _may_be_left(job: Job) -> bool:
    """Whether there is no output yet; a name that the system refuses fails later, with its file."""
    try:
        return not job.is_done()
    except OSError:
        return True


def _note(line: str) -> None:
    print_line(f"note: {line}", err=True)


def _runs(upscaler: Upscaler, verbose: bool) -> str:
    """What runs, in one short line; `doctor` is for GPUs that are missing."""
    from ...runtime.machine.host import has_gpu

    facts = upscaler.describe()
    choice = f"{facts['backend']} on {facts['device']}"
    if verbose and upscaler.selection:
        choice = upscaler.selection
    elif " not used: " in upscaler.selection and has_gpu():
        choice += "; better backends cannot be used, --verbose shows why"
    factor = f" ×{upscaler.scale}" if upscaler.scale > 1 else ""
    return f"{facts['model']}{factor}: {choice}"
