"""The models that ship with framelift, found by name."""

from __future__ import annotations

from pathlib import Path

from ...common.errors import ModelError
from ...common.text import suggestion

MODELS = Path(__file__).parent

DEFAULT_STYLE = "starry-night"
"""What `framelift stylize` runs when no model is named."""

# What runs when no model is named: of a scale, the first of these that ships. Videos are
# compressed, so what was trained on that comes first; small is meant for real time on processors.
# An image is one frame, whose quality is worth the wait. Perceptual models are sharper, but viewers
# who saw pairs blind did not prefer them (docs/models.md).
_KINDS_FOR_IMAGES = ("", "-perceptual")
_KINDS_FOR_FOOTAGE = ("-video", *_KINDS_FOR_IMAGES)
_SIZES_FOR_IMAGES = ("medium", "small", "nano")
_SIZES_FOR_FOOTAGE = ("small", "medium", "nano")
SCALES = (2, 4)
"""Of the models that are taken where none is named."""
_USUAL_SCALE = 4


def shipped_models(folder: Path | None = None) -> dict[str, Path]:
    """Name to path of every shipped model, in alphabetical order."""
    return {path.stem: path for path in sorted((folder or MODELS).glob("*.onnx"))}


def default_model(
    factor: float | None = None,
    folder: Path | None = None,
    *,
    footage: bool = True,
    on_cpu: bool = False,
) -> str:
    """Name of the shipped model that is used when none is named.

    It is a real-time one of the smallest scale that reaches `factor` (output over input size),
    or the largest there is; without a factor, ×4. Of that scale the first that ships, by kind and
    then by size: for `footage` the one trained on that, plain, perceptual, and small, medium, nano;
    else plain, perceptual, and medium, small, nano. With `on_cpu` it is that network in int8, if
    there is one: on processors, other than on GPUs, int8 is about twice as fast.

    Raises:
        ModelError: no such model is shipped.
    """
    shipped = shipped_models(folder)
    wanted = _USUAL_SCALE if factor is None else factor
    enough = [scale for scale in SCALES if scale >= wanted]
    too_small = [scale for scale in reversed(SCALES) if scale < wanted]
    sizes = _SIZES_FOR_FOOTAGE if footage else _SIZES_FOR_IMAGES
    for scale in (*enough, *too_small):
        for kind in _KINDS_FOR_FOOTAGE if footage else _KINDS_FOR_IMAGES:
            for size in sizes:
                if (name := f"realtime-{size}-x{scale}{kind}") in shipped:
                    int8 = f"{name}-int8"
                    return int8 if on_cpu and int8 in shipped else name
    raise ModelError("this installation has no bundled models: pass an .onnx file with --model")


def default_uses(on_cpu: bool, folder: Path | None = None) -> dict[str, list[str]]:
    """What each shipped model is taken for when none is named: "images", "footage" or "styles".

    Models that run only when named are left out. `on_cpu` is as for `default_model`.
    """
    shipped = shipped_models(folder)
    uses: dict[str, list[str]] = {}
    if DEFAULT_STYLE in shipped:
        uses[DEFAULT_STYLE] = ["styles"]
    for scale in SCALES:
        for use, footage in (("images", False), ("footage", True)):
            try:
                name = default_model(scale, folder, footage=footage, on_cpu=on_cpu)
            except ModelError:  # no real-time model ships
                return uses
            if use not in uses.setdefault(name, []):  # where a scale is missing, another's model
                uses[name].append(use)
    return uses


def resolve(model: str | Path, folder: Path | None = None) -> Path:
    """The path of `model`, which is a path to an .onnx file or the name of a shipped model.

    A path need not exist if it looks like one; reading it then says that it is missing.

    Raises:
        ModelError: a name that is not a file or a bundled model; near names are suggested.
    """
    path = Path(model)
    if path.suffix == ".onnx" or path.is_file() or len(path.parts) > 1:
        return path
    shipped = shipped_models(folder)
    if str(model) in shipped:
        return shipped[str(model)]
    if path.exists():
        return path
    where = "`framelift models` lists them" if shipped else "this installation has none"
    raise ModelError(
        f"{str(model)!r} is not a file or a bundled model{suggestion(str(model), shipped)}: {where}"
    )
