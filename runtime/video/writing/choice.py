"""Which codec and pixel format a clip is stored in, and how many bits its frames have meanwhile.

Depth and chroma of the source are kept as far as the codec can and, if nothing was asked for, as
far as players of the container go. A note names everything that is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....common.errors import ConfigError
from ..clip.frame import ClipFacts
from ..clip.hdr import encoder_options
from ..clip.pixel_format import PixelFormat, named_format
from .dynamic_hdr import can_state
from .encoders import AUTO, AUTO_8_BITS, AUTO_DEEP, RAW_FORMATS, SAME, EncoderOptions

_DEEP = 16
_FOR_PLAYERS = (".mp4", ".m4v")
_VP9_ALPHA = (".webm", ".mkv")
_PRORES_444 = "4444"


@dataclass(frozen=True)
class Choice:
    """What was chosen for a clip."""

    encoder: EncoderOptions
    """With a codec and a pixel format by name."""
    depth: int
    """Bits per channel of the frames between reading and writing: 8 or 16."""
    notes: tuple[str, ...] = ()
    """Lines without a subject."""


def choose(
    facts: ClipFacts, options: EncoderOptions, suffix: str, deep_problem: str | None
) -> Choice:
    """Choose for a clip that becomes a file with that suffix.

    `deep_problem` is why the model takes 8 bits only, or `None`: see `Upscaler.deep_problem`.

    Raises ConfigError: it is HDR video, and 8 bits would be all that is left. The message is a
    clause without a subject.
    """
    if options.pixel_format in RAW_FORMATS:
        raise ConfigError(
            f"cannot be stored as {options.pixel_format}, which is for raw frames on standard "
            "output; name a pixel format of YUV"
        )
    source = facts.pixel_format
    hdr = facts.colour.hdr
    notes = []
    if deep_problem is not None and hdr is not None:
        raise ConfigError(f"is HDR video ({hdr}), which needs more than 8 bits: {deep_problem}")
    if deep_problem is not None and (source.is_deep or _asks_for_depth(options)):
        notes.append(f"upscaled with 8 bits per channel: {deep_problem}")
        source = replace(source, bits=8)
    codec = _codec(options, source, hdr)
    if options.codec == AUTO and codec == AUTO_DEEP and not _asks_for_depth(options):
        what = f"is HDR video ({hdr})" if hdr else f"has {source.bits} bits per channel"
        notes.append(f"{what} and becomes {codec}; --codec names another")
    wanted = source
    if hdr is not None and not source.is_deep and options.pixel_format is None:
        wanted = replace(source, bits=10)
    options = replace(options, codec=codec)
    stored = _stored(options, wanted, suffix)
    if hdr is not None and not stored.is_deep and options.pixel_format != SAME:
        raise ConfigError(
            f"is HDR video ({hdr}), which 8 bits per channel cannot hold ({codec}, {stored.name}); "
            "use --codec hevc, or --pixel-format yuv420p10le"
        )
    notes += _lost(source, stored, options, suffix)
    if codec == "prores" and options.preset is None and stored.chroma == 3:
        options = replace(options, preset=_PRORES_444)
    notes += _hdr_lost(facts, options)
    wants_depth = source.is_deep or hdr is not None or _asks_for_depth(options)
    deep = stored.is_deep and wants_depth and deep_problem is None
    return Choice(replace(options, pixel_format=stored.name), _DEEP if deep else 8, tuple(notes))


def _asks_for_depth(options: EncoderOptions) -> bool:
    """Whether a pixel format of more than 8 bits is named."""
    return options.pixel_format not in (None, SAME) and options.stored_format.is_deep


def _codec(options: EncoderOptions, source: PixelFormat, hdr: str | None) -> str:
    if options.codec != AUTO:
        return options.codec
    if options.pixel_format not in (None, SAME):
        return AUTO_DEEP if options.stored_format.is_deep else AUTO_8_BITS
    deep = source.is_deep or (hdr is not None and options.pixel_format is None)
    return AUTO_DEEP if deep else AUTO_8_BITS


def _stored(options: EncoderOptions, wanted: PixelFormat, suffix: str) -> PixelFormat:
    if options.pixel_format is None:
        return _nearest(wanted, _known_to_players(options, suffix))
    if options.pixel_format == SAME:
        return _nearest(wanted, _of_preset(options, suffix))
    stored = options.stored_format
    if stored.has_alpha and stored.name not in _of_preset(options, suffix):
        raise ConfigError(
            f"cannot be stored as {stored.name} in {suffix} ({options.codec}), which cannot "
            "store alpha; use .webm, .mkv, or --codec prores with .mov"
        )
    return stored


def _nearest(wanted: PixelFormat, names: Iterable[str]) -> PixelFormat:
    """The format that loses least, alpha before chroma before bits, and of those the smallest."""

    def cost(format_: PixelFormat) -> tuple[int, ...]:
        return (
            wanted.has_alpha != format_.has_alpha,
            max(0, wanted.chroma - format_.chroma),
            max(0, wanted.bits - format_.bits),
            wanted.is_rgb != format_.is_rgb,
            format_.bits,
            format_.chroma,
        )

    return min((named_format(name) for name in names), key=cost)


def _of_preset(options: EncoderOptions, suffix: str) -> list[str]:
    """The formats of a codec; those of ProRes depend on its profile, alpha of VP9 on the file."""
    names = list(options.encoder.formats)
    if options.codec == "vp9" and suffix.lower() not in _VP9_ALPHA:
        names = [name for name in names if not named_format(name).has_alpha]
    if options.codec != "prores" or options.preset is None:
        return names
    return [name for name in names if ("444" in name) == (options.preset == _PRORES_444)]


def _known_to_players(options: EncoderOptions, suffix: str) -> list[str]:
    """The formats of a codec that players of a container know."""
    formats = [named_format(name) for name in _of_preset(options, suffix)]
    match options.codec:
        case "h264" if suffix.lower() != ".mkv":
            formats = [f for f in formats if f.chroma == 1 and f.bits == 8]
        case "hevc" if suffix.lower() in _FOR_PLAYERS:
            formats = [f for f in formats if f.chroma == 1 and f.bits <= 10]
        case "vp9":
            formats = [f for f in formats if f.chroma == 1]
        case "h264" | "hevc":
            formats = [f for f in formats if f.chroma > 0]
        case "ffv1":  # so that frames are kept bit for bit
            formats = [f for f in formats if f.is_rgb]
    return [format_.name for format_ in formats]


def _lost(
    source: PixelFormat, stored: PixelFormat, options: EncoderOptions, suffix: str
) -> list[str]:
    if source.has_alpha and not stored.has_alpha:
        alone = replace(source, has_alpha=False)
        kept = "the alpha channel is left out; --codec prores, ffv1 and vp9 (not in .mp4) keep it"
        return [kept, *_lost(alone, stored, options, suffix)]
    lost = []
    if stored.bits < source.bits:
        lost.append(f"{source.bits} bits per channel are reduced to {stored.bits}")
    if stored.chroma < source.chroma:
        was = f"{'RGB' if source.is_rgb else source.chroma_name}"
        lost.append(f"{was} is reduced to {stored.chroma_name}")
    if not lost or options.pixel_format not in (None, SAME):
        return [" and ".join(lost)] if lost else []
    best = _nearest(source, _of_preset(options, suffix))
    if options.pixel_format is None and best != stored:
        why = f"which players of {suffix} know; --pixel-format same keeps more"
    else:
        why = f"the most that {options.codec} has"
        if options.codec == "prores" and options.preset not in (None, _PRORES_444):
            why += f" in its profile {options.preset}"
    return [f"{' and '.join(lost)}, {why}"]


def _hdr_lost(facts: ClipFacts, options: EncoderOptions) -> list[str]:
    lost = []
    static = replace(facts.hdr, is_dynamic=False)
    if static and not encoder_options(options.encoder.library, static):
        lost.append(
            f"the metadata of the mastering display and the light is left out: {options.codec} "
            "cannot state it here, hevc and av1 can"
        )
    if facts.hdr.is_dynamic and not can_state(options.encoder.library):
        lost.append(
            f"HDR10+ metadata of single frames is left out: {options.codec} cannot state it here, "
            "hevc and av1 can"
        )
    return lost
