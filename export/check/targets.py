"""Which opsets an exported model may have: what every tool of the chain can write and read.

The facts, with source and date of each, are in targets.toml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from ...common.errors import ConfigError, ExportError
from ...common.text import suggestion
from .facts import Release, facts

RTX = "tensorrt-rtx"
TARGETS = ("onnxruntime", "tensorrt10", "tensorrt11", RTX)


@dataclass(frozen=True)
class Window:
    """Opsets `lowest` … `highest` (both included) and IR versions that one tool takes."""

    tool: str
    lowest: int
    highest: int
    highest_ir: int | None = None

    def admits(self, opset: int) -> bool:
        """Whether the tool takes that opset."""
        return self.lowest <= opset <= self.highest


def parse_targets(names: Sequence[str]) -> tuple[str, ...]:
    """The named targets in their usual order, without repeats; all for none.

    A name may carry a version: "onnxruntime==1.24". Raises ConfigError for unknown ones, and for
    two versions of one.
    """
    asked: dict[str, str] = {}
    for name in names:
        tool, equals, version = name.partition("==")
        if equals and not version:
            raise ConfigError(f"target {name!r} names no version: write {tool}==X.Y or {tool}")
        if asked.setdefault(tool, name) != name:
            raise ConfigError(f"targets {asked[tool]!r} and {name!r} are one tool: name it once")
    for tool in asked:
        _require_known(tool)
    return tuple(asked[name] for name in TARGETS if name in asked) or TARGETS


def target_window(target: str) -> Window:
    """What a target reads: its named version, else the installed one, else the newest known.

    For TensorRT the oldest known of the major is taken, since the engine is built elsewhere.
    Raises ConfigError for an unknown target, and for a version that is malformed or older than the
    facts reach.
    """
    name, _, asked = target.partition("==")
    _require_known(name)
    entry = facts().targets[name]
    releases, label = entry.releases, entry.name
    if asked:
        major = _number(asked, target)[0]
        if name in ("tensorrt10", "tensorrt11") and name != f"tensorrt{major}":
            raise ConfigError(f"{target}: {asked} is of TensorRT {major}, another target")
        release = _release(releases, asked, target)
        label = f"{label.rstrip('0123456789. ')} {asked}"
    elif name == "onnxruntime":
        installed = _installed("onnxruntime") or _installed("onnxruntime-gpu")
        release = releases[-1] if installed is None else _release(releases, installed, target)
        label = label if installed is None else f"{label} {installed}"
    else:
        release = releases[0]
    return Window(label, entry.lowest_opset, release.highest_opset, release.highest_ir)


def newer_than_known(target: str) -> str | None:
    """The newest release that is known, for a target that names a newer one; else None."""
    name, _, asked = target.partition("==")
    newest = facts().targets[name].releases[-1].since
    return newest if asked and _number(asked, target) > _number(newest, target) else None


def has_tensorrt_rules(target: str) -> bool:
    """Whether the target reads models with TensorRT's parser."""
    return facts().targets[target.partition("==")[0]].rules == "tensorrt"


def shuffles_integers(targets: Sequence[str]) -> bool:
    """Whether ONNX Runtime, as the targets name it, else as installed, moves uint8 in DepthToSpace.

    Raises ConfigError for a version that is malformed.
    """
    since = _number(facts().targets["onnxruntime"].integer_shuffle_since, "onnxruntime")
    for target in targets:
        name, _, asked = target.partition("==")
        if name == "onnxruntime":
            release = asked or _installed("onnxruntime") or _installed("onnxruntime-gpu")
            return release is None or _number(release, target) >= since
    return True


def export_windows(targets: Sequence[str]) -> list[Window]:
    """The windows that an export must satisfy: exporter, the onnx library, each target."""
    import onnx

    exporter = facts().exporter
    return [
        Window(exporter.name, exporter.lowest_opset, exporter.highest_opset),
        Window(f"onnx {onnx.__version__}", 7, onnx.defs.onnx_opset_version()),
        *(target_window(target) for target in targets),
    ]


def choose_opset(asked: int | None, targets: Sequence[str]) -> int:
    """The opset to export with: `asked`, or the exporter's preferred one if all take it.

    Raises ExportError, naming the tool that sets the limit and the nearest opset that works.
    """
    windows = export_windows(targets)
    lowest = max(windows, key=lambda window: window.lowest)
    highest = min(windows, key=lambda window: window.highest)
    if lowest.lowest > highest.highest:
        raise ExportError(
            f"no opset suits all: {lowest.tool} starts at {lowest.lowest}, {highest.tool} ends at "
            f"{highest.highest}; name fewer targets or upgrade {highest.tool}"
        )
    if asked is None:
        preferred = facts().exporter.preferred_opset
        return min(max(preferred, lowest.lowest), highest.highest)
    if lowest.lowest <= asked <= highest.highest:
        return asked
    nearest, limit = (
        (lowest.lowest, lowest) if asked < lowest.lowest else (highest.highest, highest)
    )
    raise ExportError(
        f"opset {asked}: {limit.tool} takes {limit.lowest} to {limit.highest}; "
        f"the nearest that works is {nearest}"
    )


def installed_rtx() -> str | None:
    """The version of TensorRT for RTX's Python bindings, if they are installed."""
    return _installed("tensorrt-rtx-cu13-bindings")


def _require_known(tool: str) -> None:
    if tool in TARGETS:
        return
    hint = suggestion(tool, TARGETS, 1)
    raise ConfigError(f"unknown target {tool!r}{hint}: use one of {', '.join(TARGETS)}")


def _release(releases: Sequence[Release], asked: str, target: str) -> Release:
    number = _number(asked, target)
    known = [release for release in releases if _number(release.since, target) <= number]
    if not known:
        raise ConfigError(f"{target}: versions before {releases[0].since} are not known")
    return known[-1]


def _number(text: str, target: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(".")[:2])
    except ValueError:
        raise ConfigError(f"{target}: {text!r} is not a version such as 1.24") from None


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
