"""`framelift archive`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...common.errors import ConfigError, FrameliftError, Interrupted
from ..options.completions import files
from ..options.sections import SectionedCommand
from ..options.types import Finite, require_name
from ..upscale.command import upscale
from ..upscale.options import file_settings

if TYPE_CHECKING:
    from ...runtime.files.settings import FileSettings

LEFT_OUT = frozenset({"timeout", "reconnect", "keep_all", "verbose", "recursive", "fps"})
"""Those options of `framelift upscale` that do not concern a file."""

_OF_A_FILE = [
    option
    for option in upscale.params
    if isinstance(option, click.Option) and option.name not in LEFT_OUT
]

_OWN: list[click.Parameter] = [
    click.Argument(["source"], metavar="IN", callback=require_name, shell_complete=files),
    click.Argument(["target"], metavar="OUT", callback=require_name, shell_complete=files),
    click.Option(
        ["--list", "list_file"],
        metavar="FILE",
        help=(
            "Upscale only the files that this file names, with one path or glob below IN on "
            "each line; - reads standard input."
        ),
    ),
    click.Option(
        ["--shard"],
        metavar="I/N",
        help=(
            "Make only the I-th of N disjoint parts, counted from 0. auto reads both from a "
            "Kubernetes indexed job or a Slurm array; auto/N reads only I."
        ),
    ),
    click.Option(
        ["--retries"],
        type=click.IntRange(0),
        default=2,
        show_default=True,
        help=(
            "How often to try a file again in this run if its process was lost or the backend "
            "failed."
        ),
    ),
    click.Option(
        ["--ray"],
        is_flag=False,
        flag_value="local",
        metavar="[ADDRESS]",
        help="Share the files among a Ray cluster at host:port, or auto. Without an address, start "
        "one on this machine.",
    ),
    click.Option(
        ["--workers"],
        type=click.IntRange(1),
        help="Number of workers that Ray starts. [default: as many as there is room for]",
    ),
    click.Option(
        ["--cpus-per-worker"],
        type=Finite(0, min_open=True),
        default=1.0,
        show_default=True,
        metavar="N",
        help="CPUs for each worker; also its inference threads, without --threads.",
    ),
    click.Option(
        ["--gpus-per-worker"],
        type=Finite(0),
        default=0.0,
        show_default=True,
        metavar="N",
        help="GPUs for each worker; 0.5 lets two share one.",
    ),
    click.Option(
        ["--split"],
        type=Finite(0, min_open=True),
        metavar="MINUTES",
        help="Cut videos that are longer than this into equal pieces, upscale these on different "
        "workers or shards, and join them.",
    ),
    click.Option(
        ["--missing"], is_flag=True, help="Make finished files again if they are no longer in OUT."
    ),
]

_HELP = """Upscale a whole folder tree, on one machine or many.

Every image and video below IN is upscaled to the same tree in OUT. IN may also be a glob, such as
'cameras/*/2026-11-*.mp4', or a single file. The options of `framelift upscale` for files work here,
too. Files are upscaled in a child process, so a crash costs one try of one file.

A ledger in OUT has a row for each try of each file. Run the same command again to continue:
finished files are not made again, failed ones are tried again. Several machines can work on one
OUT, each on its shard. The exit code is 1 if files failed.

\b
framelift archive footage/ footage_x2/ --scale 2
framelift archive footage/ footage_x2/ --scale 2 --shard 0/3
framelift archive footage/ footage_x2/ --scale 2 --ray auto --gpus-per-worker 0.5
framelift archive status footage_x2/        done, failed with reasons, left, rate, time left

Write ./status for a folder that is named status.
"""


def _archive(source: str, target: str, **options: Any) -> None:  # noqa: ANN401
    from ...archive.cluster import HeadLostError
    from ...common.signals import signals_as_errors
    from ..dispatch.leaving import leave_at_once
    from .run import ArchiveOptions, Archiving
    from .status import show_status

    if source == "status":
        show_status(Path(target), as_json=options["as_json"])
        return
    settings = _settings(options)
    with signals_as_errors():
        names = ArchiveOptions.__dataclass_fields__.keys()
        own = ArchiveOptions(**{name: options[name] for name in names})
        run = Archiving(source, Path(target), settings, own)
        try:
            run.go()
        except Interrupted as error:
            raise run.kept(error) from error
        except HeadLostError as error:
            leave_at_once(error.exit_code, str(error), type(error).__name__)
    failed = run.report()
    if failed:
        raise FrameliftError(failed)


def _settings(options: dict[str, Any]) -> FileSettings:
    from ..options.defaults import typed

    if options["ray"]:
        options["threads"] = options["threads"] or max(1, int(options["cpus_per_worker"]))
    elif typed("workers", "cpus_per_worker", "gpus_per_worker"):
        raise ConfigError("--workers, --cpus-per-worker and --gpus-per-worker are for --ray")
    if options["split"] is not None and (options["start"] or options["end"]):
        raise ConfigError("--split is for whole videos; leave out --start and --end")
    if options["split"] is not None and options["deinterlace"] != "frame":
        raise ConfigError("--split works with one frame for each frame; leave out --deinterlace")
    settings = file_settings(options)
    settings.check()
    return settings


archive = SectionedCommand("archive", callback=_archive, params=[*_OWN, *_OF_A_FILE], help=_HELP)
