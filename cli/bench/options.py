"""Options that the commands of `framelift bench` share, and where their reports go."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...common.errors import ConfigError
from ..options.completions import backend_names
from ..options.shared import Decorator, codec_options, device_option, threads_option, together
from ..output.lines import print_line

if TYPE_CHECKING:
    from ...benchmarks.report.documents import AnyDocument
    from ...imaging.coding import Coding

_MAX_SIDE = 8192


def parse_size(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    """(width, height) of WIDTHxHEIGHT."""
    width, _, height = value.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"--size {value!r} is not WIDTHxHEIGHT, such as 480x270")
    size = int(width), int(height)
    if not all(1 <= side <= _MAX_SIDE for side in size):
        raise ConfigError(f"--size {value!r} has a side outside 1 to {_MAX_SIDE} pixels")
    return size


def parse_sizes(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[int, int], ...]:
    """The sizes of an option that may be given several times."""
    return tuple(parse_size(ctx, param, value) for value in values)


def parse_percent(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """0.05 of "5%" or "5"."""
    if value is None:
        return None
    try:
        percent = float(value.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent < float("inf"):
        raise ConfigError(f"--fail-above {value!r} is not a percentage such as 5%")
    return percent / 100


def originals_option(name: str, *, required: bool) -> Decorator:
    """The argument `name`, for commands that score pictures."""
    return click.option(
        "--hr",
        name,
        type=click.Path(path_type=Path),
        metavar="DIR",
        required=required,
        multiple=True,
        help="Folder of original (high-resolution) images. Repeatable.",
    )


def frames_option(default: int, least: int | None = None) -> Decorator:
    """For commands that measure on a clip; where `least` is None, the benchmark itself checks."""
    return click.option(
        "--frames",
        type=int if least is None else click.IntRange(least),
        default=default,
        show_default=True,
        help="Measure at most this many frames.",
    )


STDOUT = Path("-")


@dataclass(frozen=True)
class Targets:
    """Where a report goes; None is left out, `-` is stdout, where the table is left out then."""

    json: Path | None = None
    markdown: Path | None = None
    html: Path | None = None

    @property
    def files(self) -> list[Path]:
        """What will be written."""
        return [path for path in self._paths if path != STDOUT]

    @property
    def prints(self) -> bool:
        """Whether one goes to stdout."""
        return STDOUT in self._paths

    @property
    def _paths(self) -> list[Path]:
        return [path for path in (self.json, self.markdown, self.html) if path is not None]

    def check(self) -> None:
        """Raise OutputError, ConfigError or MissingDependencyError before any work is done."""
        from ...common.files import check_target

        if self._paths.count(STDOUT) > 1:
            raise ConfigError("-: is named for two reports; print one, write the other to a file")
        resolved = [os.path.realpath(path) for path in self.files]
        for path in self.files:
            if resolved.count(os.path.realpath(path)) > 1:
                raise ConfigError(f"{path}: is named for two reports; name a file for each")
            check_target(path, overwrite=True)
        if self.html is not None:
            from ...benchmarks.report.page import require_jinja

            require_jinja()

    def write(self, document: AnyDocument) -> None:
        """Write the document in each form."""
        from ...benchmarks.report.model import to_json, write_text
        from ...benchmarks.report.page import to_html
        from ...benchmarks.report.tables import to_markdown

        forms = ((self.json, to_json), (self.markdown, to_markdown), (self.html, to_html))
        for path, form in forms:
            if path == STDOUT:
                click.echo(form(document), nl=False)
            elif path is not None:
                write_text(form(document), path)


iterations_option = click.option(
    "--iterations",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="Make at least this many calls of each case, after warm-up.",
)
size_option = click.option(
    "--size",
    metavar="WIDTHxHEIGHT",
    callback=parse_size,
    default="480x270",
    show_default=True,
    help="Size of the input frame, in pixels.",
)


def _with_placement(command: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(command)
    def wrapped(
        backend: str,
        device: int | None,
        threads: int | None,
        **options: Any,  # noqa: ANN401 - the command's own
    ) -> None:
        from ...benchmarks.shared.settings import Placement

        command(**options, placement=Placement(backend=backend, device=device, threads=threads))

    return wrapped


placement_options = together(
    click.option(
        "--backend",
        metavar="NAME",
        default="auto",
        show_default=True,
        help="Backend: auto, or one that `framelift doctor` lists.",
        shell_complete=backend_names,
    ),
    device_option,
    threads_option,
    _with_placement,
)


def _with_encoder(command: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(command)
    def wrapped(
        codec: str,
        crf: int | None,
        preset: str | None,
        **options: Any,  # noqa: ANN401 - the command's own
    ) -> None:
        from ...runtime.video.writing.encoders import EncoderOptions

        command(**options, encoder=EncoderOptions(codec, crf, preset))

    return wrapped


encoder_options = together(codec_options, _with_encoder)
vgg_option = click.option(
    "--vgg",
    metavar="SOURCE",
    help="VGG-16 weights: torchvision (downloads them), or a .pth or .npz file.",
)


def _with_targets(command: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(command)
    def wrapped(
        json_target: Path | None,
        markdown_target: Path | None,
        html_target: Path | None,
        **options: Any,  # noqa: ANN401 - the command's own
    ) -> None:
        targets = Targets(json_target, markdown_target, html_target)
        targets.check()
        command(**options, targets=targets)

    return wrapped


report_options = together(
    click.option(
        "--json",
        "json_target",
        type=click.Path(path_type=Path, allow_dash=True),
        help="Write the report with all samples as JSON; - prints it instead of the tables.",
    ),
    click.option(
        "--markdown",
        "markdown_target",
        type=click.Path(path_type=Path, allow_dash=True),
        help="Write the tables as Markdown; - prints them.",
    ),
    click.option(
        "--html",
        "html_target",
        type=click.Path(path_type=Path, allow_dash=True),
        help="Write a page with tables and charts, in one file; - prints it.",
    ),
    _with_targets,
)


def shipped_or(models: tuple[str, ...]) -> tuple[str, ...]:
    """The models named, else all super-resolution models that ship. Raises ConfigError if none."""
    from ...runtime.models.file import read_spec
    from ...runtime.models.zoo import shipped_models

    shipped = shipped_models().items()
    chosen = models or tuple(name for name, path in shipped if read_spec(path).scale > 1)
    if not chosen:
        raise ConfigError("this installation has no bundled models: name one")
    return chosen


def parse_codings(text: str | None) -> tuple[Coding, ...]:
    """The codings of "x264:23,vp9:38". Raises ConfigError."""
    from ...imaging.coding import parse_coding

    parts = (part.strip() for part in (text or "").split(","))
    return tuple(parse_coding(part) for part in parts if part)


def say(line: str) -> None:
    """Tell what is being done, on a terminal only."""
    if sys.stderr.isatty():
        print_line(line, err=True)


def show(document: AnyDocument, targets: Targets) -> None:
    """Print the tables, unless a report goes to stdout, and write the files."""
    from ...benchmarks.report.tables import to_text

    if not targets.prints:
        click.echo(to_text(document), nl=False)
    targets.write(document)
