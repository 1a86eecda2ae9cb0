"""What `framelift upscale` does for each of its inputs, and its summary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...common.errors import ConfigError, FrameliftError, InputError, Interrupted, OutputError
from ...common.progress import above_bar
from ...common.text import counted
from ..output.json_output import print_json
from ..output.lines import print_line
from .results import Done, Failed, Summary, image_done, line_of, live_done, video_done

if TYPE_CHECKING:
    from ...runtime import Upscaler
    from ...runtime.files.jobs import Job
    from ...runtime.files.settings import FileSettings
    from ...runtime.live.run import LiveResult
    from ...runtime.live.sources.address import Source
    from ...runtime.live.sources.opening import LiveOptions
    from ...runtime.live.targets.address import Target


class Run:
    """The jobs of one command, and what became of them."""

    def __init__(
        self,
        upscaler: Upscaler,
        for_images: Upscaler,
        settings: FileSettings,
        *,
        quiet: bool,
        as_json: bool,
    ) -> None:
        """Of one `upscaler`, or of another one of the same scale `for_images`."""
        self._upscaler = upscaler
        self._for_images = for_images
        self._settings = settings
        self._quiet = quiet
        self._as_json = as_json
        self._notes: list[str] = []
        self._done: list[Done] = []
        self._failed: list[Failed] = []
        self._skipped: list[str] = []
        self._summary_on_stderr = False

    def info(self, line: str) -> None:
        """Say something that --quiet silences."""
        if not self._quiet:
            print_line(line, err=True)

    def note(self, line: str) -> None:
        """Say something that must be seen."""
        self._notes.append(line)
        with above_bar():
            print_line(f"note: {line}", err=True)

    def files(self, jobs: list[Job], *, several: bool) -> None:
        """Make files: of several, those after one that fails are made, too."""
        from ...runtime.files.jobs import with_scales
        from ...runtime.files.output_names import SCALE
        from ...runtime.video.clip.fit import Fit, known_factor

        factor = self._settings.factor()
        if isinstance(factor, Fit) and any(SCALE in job.target.name for job in jobs):
            raise ConfigError("{scale} in a name needs --scale, not a size")
        jobs = with_scales(jobs, known_factor(factor) or self._upscaler.scale)
        if several:
            self.many(jobs)
        else:
            (job,) = jobs
            job.check(self._settings.encoder(), overwrite=self._settings.overwrite)
            self.one(job)

    def one(self, job: Job) -> None:
        """Do a job; its error ends the command."""
        self._done.append(self._make(job))

    def many(self, jobs: list[Job]) -> None:
        """Do every job, go on after those that fail; folders are made as they are needed."""
        made: list[Path] = []
        try:
            for job in jobs:
                made += _make_folder(job.target.parent)
                self._one_of_many(job)
        except Interrupted as error:
            raise self._kept(error, jobs) from error
        finally:
            for folder in reversed(made):
                if not any(folder.iterdir()):
                    folder.rmdir()

    def _one_of_many(self, job: Job) -> None:
        try:
            if job.is_done() and not self._settings.overwrite:
                self._skipped.append(str(job.target))
                return
            self.one(job)
        except Interrupted:
            raise
        except FrameliftError as error:
            self._fail(job, str(error))
        except OSError as error:  # a name that the system refuses, such as one that is too long
            self._fail(job, f"{error.filename or job.source}: {error.strerror or error}")

    def _fail(self, job: Job, message: str) -> None:
        self._failed.append({"source": str(job.source), "error": message})
        print_line(f"failed: {message}", err=True)

    def _kept(self, error: Interrupted, jobs: list[Job]) -> Interrupted:
        """The error of a folder, of which more is left behind than of the file it stopped at."""
        anew = self._settings.overwrite
        count = len(self._done) if anew else sum(job.is_done() for job in jobs)
        if not count:
            return error
        files = "1 finished file is kept" if count == 1 else f"{count} finished files are kept"
        rest = (
            "; the same command makes them again, without --overwrite it skips what is there"
            if anew
            else ", run the same command again to continue"
        )
        return Interrupted(f"{str(error).partition(';')[0]}; {files}{rest}", error.exit_code)

    def live(self, source: Source, target: Target, options: LiveOptions) -> LiveResult:
        """Upscale from or to something that is no file."""
        from ...runtime.live.run import upscale_live
        from ...runtime.live.targets.address import TargetKind

        self._summary_on_stderr = target.kind is TargetKind.Y4M
        ahead = self._upscaler.lookahead
        if ahead:
            frames = "a frame" if ahead == 1 else f"{ahead} frames"
            self.note(f"{self._upscaler.spec.name} looks ahead: the picture is {frames} late")
        settings = self._settings
        result = upscale_live(
            source,
            target,
            self._upscaler,
            settings.encoder(),
            options,
            overwrite=settings.overwrite,
            quiet=self._quiet,
            say=self.note,
        )
        self._done.append(live_done(source, result))
        return result

    def report(self) -> None:
        """Print the summary; exit with 1 if a file of a folder failed."""
        err = self._summary_on_stderr
        if self._as_json:
            document: Summary = {
                "schema": 1,
                "upscaler": self._upscaler.describe(),
                "done": self._done,
                "skipped": self._skipped,
                "failed": self._failed,
                "notes": self._notes,
            }
            if self._for_images is not self._upscaler:
                document["upscaler_for_images"] = self._for_images.describe()
            print_json(document, indent=None, err=err)
        elif not self._quiet:
            for done in self._done:
                print_line(line_of(done), err=err)
        if self._skipped:
            self.info(f"{len(self._skipped)} already there (--overwrite makes them again)")
        if self._failed:
            total = len(self._done) + len(self._failed)
            names = ", ".join(Path(failure["source"]).name for failure in self._failed)
            raise FrameliftError(f"{len(self._failed)} of {total} files failed: {names}")

    def _make(self, job: Job) -> Done:
        from ...runtime.files.make import ImageResult, Manner, make_file

        settings = self._settings
        upscaler = self._for_images if job.is_image else self._upscaler
        manner = Manner(settings.overwrite, self._quiet, self.info, self.note)
        result = make_file(job, upscaler, settings, manner)
        if isinstance(result, ImageResult):
            return image_done(job, result)
        return video_done(job, result)


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder where there is none, and return those that were made, outermost first."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()][::-1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created ({error.strerror})") from error
    return missing


def raise_failure(result: LiveResult) -> None:
    """Raise what lost a live source for good, saying what the output holds."""
    if result.failure is None:
        return
    frames = result.stats.frames_written
    raise InputError(
        f"{result.failure}; {result.target.shown} has the {counted(frames, 'frame')} until then"
    )
