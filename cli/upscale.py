"""`framelift upscale`."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..imaging.errors import FrameliftError, Interrupted, OutputError

if TYPE_CHECKING:
    from ..runtime import Upscaler
    from ..runtime.jobs import Job
    from ..runtime.video import EncoderOptions


@click.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--model", metavar="NAME|FILE",
    help="A shipped model (`framelift models`) or an .onnx file. [default: the shipped ×4 model]",
)  # fmt: skip
@click.option("--backend", default="auto", show_default=True, help="auto, onnx-cpu, onnx-cuda, ...")
@click.option("--threads", type=click.IntRange(1), help="Inference threads. [default: all cores]")
@click.option("--tile", type=click.IntRange(1), help="Largest tile side in input pixels.")
@click.option("--codec", default="h264", show_default=True, help="h264, hevc or ffv1 (lossless).")
@click.option("--crf", type=int, help="Quality, 0 (lossless) to 51. [default: 18, hevc 20]")
@click.option("--preset", help="Encoder speed, ultrafast to veryslow. [default: medium]")
@click.option("--no-audio", is_flag=True, help="Leave the audio out.")
@click.option("-y", "--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option("-q", "--quiet", is_flag=True, help="Only notes and errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout.")
def upscale(
    source: Path,
    target: Path,
    model: str | None,
    backend: str,
    threads: int | None,
    tile: int | None,
    codec: str,
    crf: int | None,
    preset: str | None,
    no_audio: bool,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Upscale IN, a video, an image or a folder of both, to OUT.

    Videos become H.264 in .mp4, .m4v, .mov or .mkv, with every frame at its own time; audio,
    subtitles, chapters and metadata are copied. An existing OUT is refused without --overwrite;
    for a folder, files that are already in OUT are skipped. OUT appears only when it is complete.

    \b
    framelift upscale clip.mp4 clip_x4.mp4
    framelift upscale photos/ photos_x4/
    """
    from ..runtime.interrupt import call_interruptibly, signals_as_errors
    from ..runtime.jobs import plan_jobs
    from ..runtime.video import EncoderOptions

    options = EncoderOptions(codec, crf, preset)
    try:
        with signals_as_errors():
            jobs = plan_jobs(source, target, options, overwrite=overwrite)
            upscaler = call_interruptibly(lambda: _load(model, backend, threads, tile))
            run = Run(upscaler, options, overwrite=overwrite, audio=not no_audio, quiet=quiet)
            run.info(_runs(upscaler))
            if source.is_dir():
                run.folder(jobs, target)
            else:
                run.one(jobs[0])
    except Interrupted as error:
        _leave(error)
    run.report(as_json=as_json)


def _load(model: str | None, backend: str, threads: int | None, tile: int | None) -> Upscaler:
    from ..runtime import Upscaler
    from ..runtime.zoo import default_model

    return Upscaler.load(model or default_model(), backend, threads=threads, tile=tile)


def _runs(upscaler: Upscaler) -> str:
    facts = upscaler.describe()
    choice = upscaler.selection or f"using {facts['backend']} on {facts['device']}"
    return f"{facts['model']} ×{upscaler.scale}: {choice}"


def _leave(error: Interrupted) -> None:
    """End now if a thread is stuck in native code, where the interpreter's own end would hang."""
    if threading.active_count() > 1:
        click.echo(f"framelift: {error}", err=True)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(error.exit_code)
    raise error


class Run:
    """The jobs of one command, and what became of them."""

    def __init__(
        self,
        upscaler: Upscaler,
        options: EncoderOptions,
        *,
        overwrite: bool,
        audio: bool,
        quiet: bool,
    ) -> None:
        self._upscaler = upscaler
        self._options = options
        self._overwrite = overwrite
        self._audio = audio
        self._quiet = quiet
        self._notes: list[str] = []
        self._done: list[dict[str, Any]] = []
        self._failed: list[dict[str, str]] = []
        self._skipped: list[str] = []

    def info(self, line: str) -> None:
        """Say something that --quiet silences."""
        if not self._quiet:
            click.echo(line, err=True)

    def note(self, line: str) -> None:
        """Say something that must be seen."""
        self._notes.append(line)
        click.echo(f"note: {line}", err=True)

    def one(self, job: Job) -> None:
        """Do a job; its error ends the command."""
        self._done.append(self._do(job))

    def folder(self, jobs: list[Job], target: Path) -> None:
        """Do every job, go on after those that fail."""
        made = not target.exists()
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{target}: cannot be created ({error.strerror})") from error
        try:
            for job in jobs:
                if job.target.exists() and not self._overwrite:
                    self._skipped.append(str(job.target))
                    continue
                try:
                    self.one(job)
                except Interrupted:
                    raise
                except FrameliftError as error:
                    self._failed.append({"source": str(job.source), "error": str(error)})
                    click.echo(f"failed: {error}", err=True)
        finally:
            if made and not any(target.iterdir()):
                target.rmdir()

    def report(self, *, as_json: bool) -> None:
        """Print the summary; exit with 1 if a file of a folder failed."""
        if as_json:
            document = {
                "schema": 1,
                "upscaler": self._upscaler.describe(),
                "done": self._done,
                "skipped": self._skipped,
                "failed": self._failed,
                "notes": self._notes,
            }
            click.echo(json.dumps(document, ensure_ascii=False))
        elif not self._quiet:
            for result in self._done:
                click.echo(_summary(result))
        if self._skipped:
            self.info(f"{len(self._skipped)} already there (--overwrite makes them again)")
        if self._failed:
            total = len(self._done) + len(self._failed)
            names = ", ".join(Path(failure["source"]).name for failure in self._failed)
            raise FrameliftError(f"{len(self._failed)} of {total} files failed: {names}")

    def _do(self, job: Job) -> dict[str, Any]:
        return (self._image if job.is_image else self._video)(job)

    def _image(self, job: Job) -> dict[str, Any]:
        from ..runtime.images import upscale_image

        width, height = upscale_image(
            job.source, job.target, self._upscaler, overwrite=self._overwrite, say=self.note
        )
        return {"kind": "image", "source": str(job.source), "target": str(job.target),
                "width": width, "height": height}  # fmt: skip

    def _video(self, job: Job) -> dict[str, Any]:
        from ..runtime.video import upscale_video

        result = upscale_video(
            job.source, job.target, self._upscaler, self._options,
            overwrite=self._overwrite, audio=self._audio, quiet=self._quiet,
            say=self._say_through_bar(),
        )  # fmt: skip
        return {"kind": "video", "source": str(job.source), "target": str(job.target),
                "width": result.width_px, "height": result.height_px,
                "copied": result.copied, **result.stats.as_dict()}  # fmt: skip

    def _say_through_bar(self) -> Callable[[str], None]:
        from ..runtime.video.progress import above_bar

        def say(line: str) -> None:
            with above_bar():
                self.note(line)

        return say


def _summary(result: dict[str, Any]) -> str:
    size = f"{result['width']}×{result['height']}"
    if result["kind"] == "image":
        return f"{result['target']}: {size}"
    copied = f", {', '.join(result['copied'])} copied" if result["copied"] else ", no audio"
    latency = result["latency_ms"]
    return (
        f"{result['target']}: {result['frames']} frames, {size}, {result['fps']:.1f} fps, "
        f"latency p50 {latency['p50']:.0f} ms p95 {latency['p95']:.0f} ms{copied}"
    )
