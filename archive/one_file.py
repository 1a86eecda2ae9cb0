"""One file through the right upscaler, as `framelift upscale` makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..common.images import is_image, upscale_image
from ..common.notes import Say
from ..common.signals import call_interruptibly
from ..importer.loading import load_upscaler, models_to_run
from ..runtime import Upscaler
from ..runtime.video import FrameStep, upscale_video
from .settings import FileSettings

Facts = dict[str, Any]


class FileUpscaler:
    """Keeps the models that it has loaded from file to file."""

    def __init__(self, settings: FileSettings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self._upscalers: dict[tuple[str, str | None], Upscaler] = {}

    def __call__(self, source: Path, target: Path, *, replace: bool) -> Facts:
        """Upscale one image or video; `replace` allows to overwrite. Returns what a row holds.

        Raises what `upscale_video`, `upscale_image` and `load` raise.
        """
        upscaler = self.load(images=is_image(source))
        facts = upscaler.describe()
        made = self._image if is_image(source) else self._video
        return {
            "model": facts["model"],
            "model_sha256": upscaler.spec.sha256,
            "backend": facts["backend"],
            **made(upscaler, source, target, replace),
        }

    def load(self, *, images: bool) -> Upscaler:
        """The upscaler for images or for videos. Raises what `load_upscaler` raises."""
        settings = self._settings
        factor = settings.factor()
        models = models_to_run(
            settings.task,
            settings.model,
            None if factor is None else float(factor),
            footage=not images,
        )
        if models not in self._upscalers:
            self._upscalers[models] = call_interruptibly(
                lambda: load_upscaler(settings.task, *models, settings.engine(), say=self._say)
            )
        return self._upscalers[models]

    def _image(self, upscaler: Upscaler, source: Path, target: Path, replace: bool) -> Facts:
        settings = self._settings
        step = FrameStep(upscaler, factor=settings.factor(), compare=settings.compare)
        width, height = upscale_image(source, target, step.once, overwrite=replace, say=self._say)
        return {"width": width, "height": height, "frames": 1}

    def _video(self, upscaler: Upscaler, source: Path, target: Path, replace: bool) -> Facts:
        settings = self._settings
        result = upscale_video(
            source,
            target,
            upscaler,
            settings.encoder(),
            settings.convert(upscaler.spec.sha256),
            overwrite=replace,
            quiet=True,
            say=self._say,
        )
        frames = result.stats.frames_written + result.frames_resumed
        return {"width": result.width_px, "height": result.height_px, "frames": frames}
