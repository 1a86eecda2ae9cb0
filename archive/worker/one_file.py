"""One file through the right upscaler, as `framelift upscale` makes it."""

from __future__ import annotations

from dataclasses import replace as replace_field
from pathlib import Path

import av

from ...common.errors import ConfigError
from ...common.notes import Say, silent
from ...common.signals import call_interruptibly
from ...importer.loading import load_upscaler, models_to_run
from ...runtime import Upscaler
from ...runtime.files.input_size import factor_for
from ...runtime.files.jobs import Job, becomes_image
from ...runtime.files.make import ImageResult, Manner, make_file
from ...runtime.files.settings import FileSettings
from ...runtime.video.clip.fit import Fit, known_factor
from ...runtime.video.pieces import Piece, join_pieces, plan_pieces, upscale_piece
from ...runtime.video.whole_file import ConvertOptions
from ..plan.films import MadeWith
from .messages import Made, Planned


class FileUpscaler:
    """Keeps the models that it has loaded from file to file."""

    def __init__(self, settings: FileSettings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self._upscalers: dict[tuple[str, str | None], Upscaler] = {}

    def __call__(self, source: Path, target: Path, *, replace: bool) -> Made:
        """Upscale one image or video; `replace` allows to overwrite.

        Raises what `make_file` and `load` raise.
        """
        job = Job(source, target, becomes_image(source, target))
        upscaler = self.load(images=job.is_image, source=source)
        manner = Manner(replace, quiet=True, inform=silent, say=self._say)
        result = make_file(job, upscaler, self._settings, manner)
        frames = 1 if isinstance(result, ImageResult) else result.frames
        return _made(upscaler, frames, result.width_px, result.height_px)

    def plan(self, source: Path, seconds: float) -> Planned:
        """Cut a video into pieces. Raises what `plan_pieces` and `load` raise."""
        upscaler = self.load(images=False, source=source)
        pieces = plan_pieces(source, seconds, say=self._say)
        return Planned(pieces, _made_with(upscaler))

    def piece(self, source: Path, piece: Piece, place: Path, made_with: MadeWith) -> Made:
        """Upscale a piece. Raises what `upscale_piece` and `load` raise.

        Raises ConfigError: the pieces before were made with another model or other libraries.
        """
        upscaler = self._same(source, made_with)
        _, frames = upscale_piece(
            source,
            piece,
            place,
            upscaler,
            self._settings.encoder(),
            self._in_segments(upscaler),
            say=self._say,
        )
        return _made(upscaler, frames)

    def join(
        self,
        source: Path,
        target: Path,
        pieces: list[Piece],
        places: list[Path],
        made_with: MadeWith,
        *,
        replace: bool,
    ) -> Made:
        """Join pieces. Raises what `join_pieces` and `piece` raise."""
        upscaler = self._same(source, made_with)
        result = join_pieces(
            source,
            target,
            list(zip(pieces, places, strict=True)),
            upscaler,
            self._settings.encoder(),
            self._in_segments(upscaler),
            overwrite=replace,
            say=self._say,
        )
        return _made(upscaler, result.frames_resumed, result.width_px, result.height_px)

    def _same(self, source: Path, made_with: MadeWith) -> Upscaler:
        """The upscaler, if it and the libraries are those that the film was begun with."""
        upscaler = self.load(images=False, source=source)
        here = _made_with(upscaler)
        if here.model != made_with.model:
            raise ConfigError(
                f"{source}: its pieces are made with {made_with.model}, and here "
                f"{here.model} would run; name one model for all machines with --model"
            )
        if here != made_with:
            raise ConfigError(
                f"{source}: its pieces are made with FFmpeg libraries of other versions than those "
                "here; install the same packages on all machines"
            )
        return upscaler

    def _in_segments(self, upscaler: Upscaler) -> ConvertOptions:
        sha256 = upscaler.spec.sha256
        return replace_field(self._settings.convert(sha256), resume=sha256)

    def load(self, *, images: bool, source: Path | None = None) -> Upscaler:
        """The upscaler for images or for videos, or for one of them, where that depends on its
        size. Raises what `load_upscaler` raises.
        """
        settings = self._settings
        scaling = settings.factor()
        scale = known_factor(scaling)
        if isinstance(scaling, Fit) and source is not None and settings.model is None:
            scale = factor_for(scaling, source)
        models = models_to_run(settings.task, settings.model, scale, footage=not images)
        if models not in self._upscalers:
            self._upscalers[models] = call_interruptibly(
                lambda: load_upscaler(settings, *models, say=self._say)
            )
        return self._upscalers[models]


def _made(
    upscaler: Upscaler, frames: int, width: int | None = None, height: int | None = None
) -> Made:
    facts = upscaler.describe()
    model, backend = str(facts["model"]), str(facts["backend"])
    return Made(model, upscaler.spec.sha256, backend, frames, width, height)


def _made_with(upscaler: Upscaler) -> MadeWith:
    return MadeWith(
        f"{upscaler.spec.name} {upscaler.spec.sha256[:12]}",
        {name: list(version) for name, version in av.library_versions.items()},
    )
