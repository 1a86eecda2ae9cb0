"""What the arguments and options of `framelift upscale` ask for, checked together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...common.errors import ConfigError
from ...common.notes import Say
from ..options.defaults import typed

if TYPE_CHECKING:
    from ...runtime.files.jobs import Job
    from ...runtime.files.settings import FileSettings
    from ...runtime.live.sources.address import Source
    from ...runtime.live.sources.opening import LiveOptions
    from ...runtime.live.targets.address import Target
    from ...runtime.video.clip.image_sequence import ImageSequence
    from ...runtime.video.writing.encoders import EncoderOptions

_FOR_VIDEOS = (
    "start",
    "end",
    "deinterlace",
    "resume",
    "audio",
    "no_audio",
    "codec",
    "crf",
    "preset",
    "pixel_format",
    "assume_transfer",
    "no_reuse",
)


_FPS_FOR_SEQUENCES = "--fps is for an image sequence, such as frame_%05d.png"


@dataclass(frozen=True)
class UpscaleOptions:
    """The arguments and options of the command."""

    file: FileSettings
    sources: tuple[str, ...]
    target: str
    fps: str | None
    recursive: bool
    timeout: float
    reconnect: float
    keep_all: bool
    quiet: bool
    verbose: bool
    as_json: bool

    @classmethod
    def of(cls, values: Mapping[str, Any], task: str = "super-resolution") -> UpscaleOptions:
        """Of the values that click has, for models of that task. Raises ConfigError."""
        own = cls.__dataclass_fields__.keys() & values.keys()
        return cls(file_settings(values, task), **{name: values[name] for name in own})


def file_settings(values: Mapping[str, Any], task: str = "super-resolution") -> FileSettings:
    """The options that are about a file, of the values that click has."""
    from ...runtime.files.settings import FileSettings

    changed: dict[str, Any] = {"task": task}
    if values.get("scale") is not None:
        changed["scale"] = str(values["scale"])
    if values["no_audio"] and values["audio"] not in (None, "none"):
        if typed("audio") == typed("no_audio"):
            raise ConfigError(f"--audio {values['audio']} and --no-audio exclude each other")
        changed["audio"] = values["audio"] if typed("audio") else "none"
    elif values["no_audio"]:
        changed["audio"] = "none"
    if typed("codec"):  # the defaults of these are for the default of that
        changed |= {n: None for n in ("crf", "preset", "pixel_format") if not typed(n)}
    names = FileSettings.__dataclass_fields__.keys() & values.keys()
    return FileSettings(**{name: values[name] for name in names} | changed)


@dataclass
class Request:
    """The options, with their texts parsed and their contradictions refused."""

    options: UpscaleOptions
    file: FileSettings
    source: Source
    target: Target
    encoder: EncoderOptions
    is_live: bool
    """From or to something that is no file."""
    is_several: bool
    """More than one file, or a folder; known of files after `plan`."""

    @classmethod
    def of(cls, options: UpscaleOptions) -> Request:
        """Parse. Raises ConfigError for what does not go together."""
        from ...runtime.files.output_names import is_sequence
        from ...runtime.live.sources.address import SourceKind, parse_source
        from ...runtime.live.targets.address import TargetKind, parse_target
        from ..options.command_line import hide_arguments

        file = options.file
        file.factor()
        encoder, span = file.encoder(), file.span()
        source, target = parse_source(options.sources[0]), parse_target(options.target)
        hide_arguments({name.text: name.shown for name in (source, target) if "://" in name.text})
        live = (source.kind, target.kind) != (SourceKind.FILE, TargetKind.FILE)
        file = replace(file, resume=file.resume and (typed("resume") or not live))
        several = len(options.sources) > 1
        if live and several:
            raise ConfigError("with several inputs all must be files; name a live source alone")
        if live and file.audio == "copy" and typed("audio"):
            raise ConfigError(
                "--audio copy works only from file to file: the sound of live sources is encoded"
            )
        if live and options.fps is not None and not is_sequence(source.path):
            raise ConfigError(_FPS_FOR_SEQUENCES)
        if live and (file.resume or file.deinterlace != "frame" or not span.is_whole):
            raise ConfigError(
                "--resume, --start, --end and --deinterlace work only from file to file"
            )
        encodes = target.kind in (TargetKind.FILE, TargetKind.STREAM)
        if not encodes and typed("codec", "crf", "preset"):
            raise ConfigError(
                f"{target.shown}: nothing is encoded for it; --codec, --crf and --preset are for "
                "files and streams"
            )
        return cls(options, file, source, target, encoder, live, several)

    def check_live(self) -> bool:
        """Whether a live run is of footage; raises what `check_live` raises."""
        from ...common.images import is_image
        from ...runtime.files.output_names import is_sequence
        from ...runtime.live.run import check_live
        from ...runtime.live.sources.address import SourceKind

        check_live(self.source, self.target, self.encoder, overwrite=self.file.overwrite)
        path = self.source.path
        return self.source.kind is not SourceKind.FILE or is_sequence(path) or not is_image(path)

    def plan(self, say: Say) -> list[Job]:
        """The files to make. Raises what `plan_many` raises, and ConfigError for options of videos
        where there are only images."""
        from ...runtime.files.jobs import plan_many
        from ...runtime.files.output_names import expanded

        options = self.options
        if frames := self._frames():
            self.is_several = False
            self._refuse_encoders_of_pictures([frames])
            return [frames]
        globbed = self.is_several or not self.source.path.exists()
        paths = expanded(options.sources, say) if globbed else [self.source.path]
        self.is_several = len(paths) > 1 or paths[0].is_dir()
        jobs = plan_many(
            paths,
            self.target.path,
            self.encoder,
            recursive=options.recursive,
            overwrite=self.file.overwrite,
            say=say,
        )
        if all(job.is_image for job in jobs) and (
            found := [name for name in _FOR_VIDEOS if self._asks_for(name)]
        ):
            raise ConfigError(
                f"--{found[0].replace('_', '-')} is for videos, and all inputs are images"
            )
        self._refuse_encoders_of_pictures(jobs)
        return jobs

    def _asks_for(self, name: str) -> bool:
        """Whether an option is on the command line and not at its default."""
        value = self.file.audio if name == "no_audio" else getattr(self.file, name)
        return typed(name) and value not in (None, False, "auto", "frame")

    def _frames(self) -> Job | None:
        """What is made of an image sequence as the frames of a video, if that is asked for."""
        from ...common.images import is_image
        from ...runtime.files.jobs import ANIMATION_SUFFIXES, plan_frames
        from ...runtime.files.output_names import is_sequence, is_template

        source, target, fps = self.source.path, self.target.path, self.options.fps
        sequence = not self.is_several and is_sequence(source)
        if fps is not None and not sequence:
            raise ConfigError(_FPS_FOR_SEQUENCES)
        animated = target.suffix.lower() in ANIMATION_SUFFIXES
        several = is_template(target) or target.is_dir() or not target.suffix
        if not sequence or (fps is None and (several or (is_image(target) and not animated))):
            return None
        found = self._images()
        return plan_frames(found, target, self.encoder, overwrite=self.file.overwrite)

    def _images(self) -> ImageSequence:
        """The image sequence. Raises ConfigError: no rate was named, and others of `find`."""
        from ...runtime.video.clip.image_sequence import ImageSequence, no_rate, parse_rate

        source, fps = self.source.path, self.options.fps
        if fps is None:
            raise no_rate(source)
        return ImageSequence.find(source).at_rate(parse_rate(fps))

    def _refuse_encoders_of_pictures(self, jobs: list[Job]) -> None:
        """Raise ConfigError for options about codecs where videos become pictures alone."""
        if not all(job.makes_images or job.makes_animation for job in jobs):
            return
        if self.file.resume and any(job.makes_animation for job in jobs):
            from ...runtime.video_to_images.animation import cannot_resume

            if typed("resume"):
                raise cannot_resume(self.target.path)
            self.file = replace(self.file, resume=False)
        sound = self.file.audio in ("copy", "aac") and typed("audio")
        if sound or typed("codec", "crf", "preset", "pixel_format"):
            raise ConfigError(
                "--codec, --crf, --preset, --pixel-format and --audio are for video files, and "
                f"{self.target.path.name} is images"
            )

    def live_options(self) -> LiveOptions:
        """How the live source is treated."""
        from ...runtime.files.output_names import is_sequence
        from ...runtime.live.sources.address import SourceKind
        from ...runtime.live.sources.network import Timeouts
        from ...runtime.live.sources.opening import LiveOptions

        options = self.options
        sequence = self.source.kind is SourceKind.FILE and is_sequence(self.source.path)
        return LiveOptions(
            Timeouts(options.timeout, max(options.timeout, Timeouts.first_frame_seconds)),
            options.reconnect,
            options.keep_all,
            self.file.factor(),
            self.file.compare,
            reuse=not self.file.no_reuse,
            assume_transfer=self.file.assume_transfer,
            sound_wanted=self.file.audio != "none",
            images=self._images() if sequence else None,
        )
