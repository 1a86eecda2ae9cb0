"""`--model` to an `Upscaler`: a bundled model, a Framelift file, or a foreign one, imported."""

from __future__ import annotations

from ..common.errors import ConfigError, ForeignModelError
from ..common.notes import Say
from ..runtime import ModelSpec, Upscaler
from ..runtime.files.settings import FileSettings
from ..runtime.models.file import read_spec
from ..runtime.models.zoo import DEFAULT_STYLE, default_model, resolve


def models_to_run(
    task: str, model: str | None, scale: float | None, *, footage: bool
) -> tuple[str, str | None]:
    """The model to run, and what to run instead on a processor.

    `scale` is output size over input size; `footage` says whether videos are among the inputs.
    Raises ModelError: none is named and no model ships.
    """
    if model:
        return model, None
    if task == "style":
        return DEFAULT_STYLE, None
    on_gpu, on_cpu = (default_model(scale, footage=footage, on_cpu=cpu) for cpu in (False, True))
    return on_gpu, on_cpu


def load_upscaler(
    settings: FileSettings, model: str, cpu_model: str | None, *, say: Say
) -> Upscaler:
    """Load what `models_to_run` names.

    Raises what `Upscaler.load`, `own_or_imported` and `with_stroke_size` raise.
    """
    source: str | ModelSpec = model
    if cpu_model is None:  # else it is a bundled one, which need not be read where the other runs
        source = own_or_imported(settings.task, model, say=say)
    if settings.style_size != 1:
        from .strokes import with_stroke_size

        spec = source if isinstance(source, ModelSpec) else read_spec(resolve(source))
        source = with_stroke_size(spec, settings.style_size)
    return Upscaler.load(
        source,
        settings.backend,
        threads=settings.threads,
        device=settings.device,
        cpu_model=cpu_model,
        tile=settings.tile,
        say=say,
    )


def own_or_imported(task: str, model: str, *, say: Say) -> ModelSpec:
    """The framelift model of that name or file; a foreign one is imported, with one line.

    Raises:
        ModelError: there is no such model, or it is damaged.
        ConfigError: another command is for it.
    """
    path = resolve(model)
    try:
        spec = read_spec(path)
    except ForeignModelError:
        from .cache import import_to_cache

        kept = import_to_cache(path, task)
        say(kept.line)
        return kept.spec
    _require_task(task, spec)
    return spec


def _require_task(task: str, spec: ModelSpec) -> None:
    """Raise ConfigError for a model that another command is for."""
    if spec.task != task:
        right = {"super-resolution": "upscale", "style": "stylize"}.get(spec.task)
        remedy = f"use `framelift {right}`" if right else "no command of this framelift runs it"
        raise ConfigError(f"{spec.name} is a {spec.task} model: {remedy}")
