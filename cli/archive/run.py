"""What `framelift archive` does and shows."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from ...archive.cluster import Cluster, run_on_ray
from ...archive.plan.job import Archive, Outcome
from ...archive.plan.listing import Item, check_places, list_files, parse_tree, with_targets
from ...archive.plan.remaining import Plan, plan_run
from ...archive.plan.settings import digest, outcome_of
from ...archive.plan.shards import Shard, parse_shard
from ...archive.records.ledger import DESCRIPTION, FOLDER, Description, Ledger
from ...archive.run import Tally, run_here
from ...archive.worker.work import Worker
from ...common.errors import ConfigError, Interrupted
from ...common.progress import above_bar
from ...common.text import counted
from ...importer.loading import models_to_run, own_or_imported
from ...runtime.files.settings import FileSettings
from ...runtime.models.zoo import SCALES
from ...runtime.video.clip.fit import Fit, known_factor
from ..output.json_output import print_json
from ..output.lines import print_line
from .status import line_of

_NAMES_SHOWN = 5
_NOTES_KEPT = 99


@dataclass(frozen=True)
class ArchiveOptions:
    """The options of the command that are not about how each file is upscaled, by their names."""

    list_file: str | None
    shard: str | None
    retries: int
    ray: str | None
    workers: int | None
    cpus_per_worker: float
    gpus_per_worker: float
    split: float | None
    missing: bool
    quiet: bool
    as_json: bool


class Archiving:
    """One run of the command."""

    def __init__(
        self, source: str, out: Path, settings: FileSettings, options: ArchiveOptions
    ) -> None:
        self._notes: list[str] = []
        self._quiet, self._as_json = options.quiet, options.as_json
        self._out = out
        self._shard = parse_shard(options.shard) if options.shard else Shard()
        tree = parse_tree(source)
        check_places(tree, out)
        list_file = Path(options.list_file) if options.list_file else None
        found = list_files(tree, out, list_file, self._note)
        outcome = {**outcome_of(settings), "models": self._models(settings)}
        self._check_description(str(tree), outcome, settings)
        name = "all" if self._shard == Shard() else f"shard-{str(self._shard).replace('/', '-of-')}"
        self._archive = Archive(
            tree.root,
            out.absolute(),
            settings,
            digest(outcome),
            options.retries,
            options.missing,
            None if options.split is None else 60 * options.split,
            name,
        )
        records = Ledger(out, self._archive.digest).refresh()
        if line := records.unreadable_line():
            self._note(line)
        items = with_targets(found, settings.encoder(), records.renamed)
        self._plan = plan_run(
            [item for item in items if item.source in self._shard], self._archive, records
        )
        self._describe = Description(str(tree), len(found), outcome)
        self._cluster = _cluster(options)
        self._first: tuple[float, int] | None = None
        self._bytes_to_do = sum(item.size_bytes or 0 for item in self._plan.todo)
        self._tally = Tally()
        self._started = time.monotonic()

    def go(self) -> None:
        """Make what is left. Raises FrameliftError: nothing more can be made."""
        self._is_new = Description.read(self._out) is None
        self._describe.write(self._out)
        plan = self._plan
        part = "" if self._shard == Shard() else f" in shard {self._shard}"
        done, left = plan.done_before, len(plan.todo)
        self._info(f"{counted(len(plan.items), 'file')}{part}, {done} done before, {left} to do")
        self._started = time.monotonic()
        if not plan.todo:
            return
        with self._outcomes() as outcomes, self._bar(plan) as bar:
            for item, outcome in outcomes:
                bar.update(self._tally.add(item, outcome))
                self._show(item, outcome)

    @contextmanager
    def _outcomes(self) -> Iterator[Iterator[tuple[Item, Outcome]]]:
        """What becomes of each file, here or on a cluster."""
        todo = self._plan.todo
        if self._cluster is not None:
            with closing(run_on_ray(todo, self._archive, self._cluster, self._info)) as outcomes:
                yield outcomes
            return
        with Worker(self._archive, self._note) as worker:
            answer = worker.load(todo[0])
            if answer.kind:
                if self._is_new:  # nothing was made with these options
                    (self._out / FOLDER / DESCRIPTION).unlink(missing_ok=True)
                raise answer.error()
            if (runs := answer.loaded) is not None:
                factor = f" ×{runs.scale}" if runs.scale > 1 else ""
                self._info(f"{runs.model}{factor}: {runs.backend} on {runs.device}")
            yield run_here(todo, worker, self._note)

    def kept(self, error: Interrupted) -> Interrupted:
        """The error of an interrupted run, of which more is left than of a single file."""
        done = self._tally.done + self._plan.done_before
        files = f"{counted(done, 'finished file')} {'is' if done == 1 else 'are'}"
        text = str(error).partition(";")[0]
        return Interrupted(
            f"{text}; {files} kept, run the same command again to continue", error.exit_code
        )

    def report(self) -> str:
        """Print the summary; returns the error if files failed, else ""."""
        tally = self._tally
        seconds = time.monotonic() - self._started
        if self._as_json:
            document = {
                "schema": 1,
                "out": str(self._out),
                "shard": str(self._shard),
                "files": len(self._plan.items),
                "done_before": self._plan.done_before,
                "done": tally.done,
                "done_by_others": tally.earlier,
                "frames": tally.frames,
                "seconds": round(seconds, 3),
                "skipped": tally.there,
                "failed": [
                    {
                        "source": source,
                        "kind": outcome.row.kind if outcome.row else None,
                        "error": outcome.reason,
                    }
                    for source, outcome in tally.failed.items()
                ],
                "notes": self._notes,
            }
            print_json(document, indent=None)
        elif not self._quiet:
            print_line(
                f"{self._out}: {counted(tally.done, 'file')} made in "
                f"{tqdm.format_interval(seconds)}, {self._plan.done_before + tally.earlier} done "
                f"before, {len(tally.failed)} failed"
            )
        if tally.there:
            self._info(
                f"{counted(len(tally.there), 'file')} already there that the ledger does not have "
                "(--overwrite makes them again)"
            )
        if not tally.failed:
            return ""
        names = ", ".join(list(tally.failed)[:_NAMES_SHOWN])
        more = len(tally.failed) - _NAMES_SHOWN
        rest = f" and {more} more (framelift archive status {self._out})" if more > 0 else ""
        files = counted(len(self._plan.items), "file")
        return f"{len(tally.failed)} of {files} failed: {names}{rest}"

    def _models(self, settings: FileSettings) -> list[str]:
        """Name and hash of the models for videos and images, found before anything is begun."""
        scaling = settings.factor()
        # A size makes each file so many times larger that one or the other is enough.
        scales = list(map(float, SCALES)) if isinstance(scaling, Fit) else [known_factor(scaling)]
        names = {
            name
            for footage in (True, False)
            for scale in scales
            for name in models_to_run(settings.task, settings.model, scale, footage=footage)
            if name is not None
        }
        return sorted(own_or_imported(settings.task, name, say=self._note).sha256 for name in names)

    def _check_description(
        self, source: str, outcome: dict[str, object], settings: FileSettings
    ) -> None:
        before = Description.read(self._out)
        if before is not None and before.source != source:
            self._note(
                f"{self._out} was begun from {before.source}; files of equal names count once"
            )
        if before is None or before.outcome == outcome or settings.overwrite:
            return
        changed = [
            f"{name} {_shown(before.outcome.get(name))} then, {_shown(value)} now"
            for name, value in outcome.items()
            if before.outcome.get(name) != value
        ]
        raise ConfigError(
            f"{self._out}: was made with other options ({'; '.join(changed)}); pass the same ones, "
            "another OUT, or --overwrite to make all files again"
        )

    def _show(self, item: Item, outcome: Outcome) -> None:
        row = outcome.row
        with above_bar():
            if outcome.state == "failed":
                print_line(f"failed: {outcome.reason}", err=True)
            elif self._quiet or self._as_json:
                return
            elif outcome.state == "split":
                print_line(f"{item.target}: in {outcome.pieces} pieces")
            elif row is not None and outcome.state in ("done", "piece"):
                print_line(f"{self._count()} {line_of(row)}{self._left()}")

    def _count(self) -> str:
        return f"[{self._tally.files}/{len(self._plan.todo)}]"

    def _left(self) -> str:
        """The time left by the bytes of the sources, which say more than their number."""
        done, moment = self._tally.bytes_done, time.monotonic()
        if self._first is None:  # starting up is no part of the rate
            self._first = moment, done
        since, before = self._first
        through = self._tally.files >= len(self._plan.todo)
        if through or done >= self._bytes_to_do or done == before:
            return ""
        seconds = (moment - since) * (self._bytes_to_do - done) / (done - before)
        return f"; {tqdm.format_interval(seconds)} left"

    def _bar(self, plan: Plan) -> tqdm[None]:
        tqdm.monitor_interval = 0  # its thread would outlive the bar
        return tqdm(
            desc=self._out.name,
            total=len(plan.todo),
            unit=" files",
            dynamic_ncols=True,
            disable=self._quiet or not sys.stderr.isatty(),
        )

    def _info(self, line: str) -> None:
        if not self._quiet:
            print_line(line, err=True)

    def _note(self, line: str) -> None:
        """Say something that must be seen, once."""
        if line in self._notes:
            return
        self._notes = [*self._notes[-_NOTES_KEPT:], line]
        with above_bar():
            print_line(f"note: {line}", err=True)


def _cluster(options: ArchiveOptions) -> Cluster | None:
    if not options.ray:
        return None
    return Cluster(
        None if options.ray == "local" else options.ray,
        options.workers,
        options.cpus_per_worker,
        options.gpus_per_worker,
    )


def _shown(value: object) -> str:
    # The first digits of a hash are enough to distinguish two models.
    return " ".join(str(part)[:12] for part in value) if isinstance(value, list) else str(value)
