"""Jobs wait here, are worked on in order, and notify those who watch."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from ...common.errors import FrameliftError
from ...common.files import FINISHED_PART_KEPT
from .errors import RequestError, not_found
from .job import Job, Progress, Result, State
from .lane import Entry, Lane
from .metrics import Metrics
from .process import Outcome, Running, Update, run_process
from .settings import Settings
from .store import Store
from .threads import in_thread

_LOG = logging.getLogger("framelift.serve")
_BUSY_SECONDS = 30
_CACHE = user_cache_path("framelift")


class JobQueue:
    """All jobs of a server. Use it from the server's event loop only.

    Videos and pictures have workers of their own, so that a picture never waits for a video.
    """

    def __init__(self, store: Store, settings: Settings, metrics: Metrics) -> None:
        self._store = store
        self._settings = settings
        self._metrics = metrics
        self._entries: dict[str, Entry] = {}
        self._videos, self._pictures = Lane(), Lane()
        self._tasks: list[asyncio.Task[None]] = []
        metrics.watch_queue(lambda: self._count(State.QUEUED), lambda: self._count(State.RUNNING))

    def _count(self, state: State) -> int:
        return sum(entry.job.state is state for entry in self._entries.values())

    async def start(self) -> None:
        """Take up the jobs of the folder and begin to work."""
        jobs, notes = await in_thread(self._store.load)
        for note in notes:
            _LOG.warning("%s", note)
        for job in jobs:
            entry = Entry(job, self._store.job_folder(job), lasting=True)
            self._entries[job.id] = entry
            if job.state.is_final:
                entry.finished.set()
            else:
                entry.goes_on = job.state is State.RUNNING
                job.state, job.started = State.QUEUED, None
                self._lane(job).add(entry)
        for lane in (self._videos, self._pictures):
            self._tasks += [
                asyncio.create_task(self._work(lane)) for _ in range(self._settings.workers)
            ]

    async def stop(self) -> None:
        """End all processes. Jobs that are not done go on when the server starts again."""
        running = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in [*self._tasks, *running]:
            task.cancel()
        await asyncio.gather(*self._tasks, *running, return_exceptions=True)
        for entry in self._entries.values():
            entry.finished.set()

    @property
    def unfinished(self) -> int:
        """Jobs that wait or run."""
        return self._count(State.QUEUED) + self._count(State.RUNNING)

    def require_room(self) -> None:
        """Raise RequestError if the queue is full."""
        if self._count(State.QUEUED) >= self._settings.limits.queue:
            raise RequestError(
                503,
                f"{self._settings.limits.queue} jobs are waiting already, this server's limit; "
                "try again later",
                "BusyError",
                {"Retry-After": str(_BUSY_SECONDS)},
            )

    async def add(self, upload_file: Path, job: Job, *, lasting: bool = True) -> None:
        """Queue a job for an uploaded file, which is moved into the job's folder."""
        folder = await in_thread(self._store.adopt, upload_file, job, lasting=lasting)
        entry = Entry(job, folder, lasting)
        self._entries[job.id] = entry
        self._lane(job).add(entry)
        self._notify_all()

    def _lane(self, job: Job) -> Lane:
        return self._pictures if job.is_picture else self._videos

    def jobs(self) -> list[Job]:
        """Those that can be asked for, newest first."""
        lasting = (entry.job for entry in self._entries.values() if entry.lasting)
        return sorted(lasting, key=lambda job: job.created, reverse=True)

    def get(self, job_id: str) -> Job:
        """The job of that id. Raises RequestError (404) if there is none."""
        return self._entry(job_id).job

    def _entry(self, job_id: str) -> Entry:
        entry = self._entries.get(job_id)
        if entry is None or not entry.lasting or entry.cancelled:
            raise not_found("job")
        return entry

    def document(self, job: Job) -> dict[str, object]:
        """The job as clients see it."""
        position = None
        if job.state is State.QUEUED:
            waiting = self._lane(job).waiting
            position = next((n for n, entry in enumerate(waiting) if entry.job is job), 0)
        return job.document(self._settings.keep_seconds, position)

    def folder(self, job: Job) -> Path:
        """Where the job's files lie."""
        return self._entries[job.id].folder

    async def watch(self, job_id: str) -> AsyncIterator[dict[str, Any] | None]:
        """The job's document now and after every change, to its end; None if it is deleted."""
        entry = self._entry(job_id)
        while True:
            changed = entry.changed
            if entry.cancelled:
                yield None
                return
            yield self.document(entry.job)
            if entry.job.state.is_final:
                return
            await changed.wait()

    async def wait(self, job: Job) -> None:
        """Wait until the job is done, failed or gone."""
        await self._entries[job.id].finished.wait()

    async def remove(self, job: Job) -> None:
        """Cancel a job, if it is not finished, and remove all that there is of it."""
        entry = self._entries.get(job.id)
        if entry is None or entry.cancelled:
            return
        entry.cancelled = True
        lane = self._lane(job)
        if entry in lane.waiting:
            lane.waiting.remove(entry)
            entry.finished.set()
        if not job.state.is_final:
            self._metrics.ended(job, "cancelled")
        if entry.task is not None:
            entry.task.cancel()
        await entry.finished.wait()
        await in_thread(self._store.remove, job, lasting=entry.lasting)
        self._entries.pop(job.id, None)
        self._notify_all()
        entry.notify()

    def _notify_all(self) -> None:
        """Wake all watchers of waiting jobs, whose positions may have changed."""
        for lane in (self._videos, self._pictures):
            for entry in lane.waiting:
                entry.notify()

    async def _work(self, lane: Lane) -> None:
        while True:
            entry = await lane.next()
            entry.job.state, entry.job.started = State.RUNNING, time.time()
            entry.task = asyncio.create_task(self._run(entry))
            self._notify_all()
            await asyncio.wait([entry.task])  # which raises nothing, also of a cancelled job
            # Here and not in the task, which never runs if it is cancelled before its first step.
            entry.task = None
            entry.finished.set()
            entry.notify()

    async def _run(self, entry: Entry) -> None:
        job = entry.job
        entry.notify()
        try:
            outcome = await self._outcome(entry)
            self._note(entry, outcome)
            if entry.lasting:
                await in_thread(self._store.save, job)
                if job.state is State.FAILED:
                    await in_thread(self._store.remove_unfinished, job)
        except asyncio.CancelledError:
            if not entry.cancelled:  # the server stops
                job.state, job.started = State.QUEUED, None
            raise
        except Exception:
            _LOG.exception("job %s cannot be worked on", job.id)
            if not job.state.is_final:  # else it is counted, and only the disk has failed
                self._fail(job, "ServerError", "the server could not run the job; its log says why")
            if entry.lasting:
                with contextlib.suppress(OSError, FrameliftError):
                    if job.state is State.FAILED:  # which may make room on a full disk
                        await in_thread(self._store.remove_unfinished, job)
                    await in_thread(self._store.save, job)

    async def _outcome(self, entry: Entry) -> Outcome:
        job = entry.job

        def report(update: Update) -> None:
            if update.input is not None:
                whole = not {"start", "end"} & set(job.options)
                entry.known_frames = update.input.frames if entry.goes_on and whole else None
            if update.progress is not None:
                job.progress = progress_of(update.progress, entry.known_frames)
            entry.notify()

        if entry.lasting:
            await in_thread(self._store.save, job)
        arguments = [
            job.command,
            job.input_file,
            job.result_file,
            "--json",
            "--quiet",
            "--overwrite",
            *self._settings.arguments,
            *job.arguments,
            *["--resume"] * (not job.is_picture),
        ]
        return await run_process(
            self._settings.command, arguments, entry.folder, self._settings.limits, report
        )

    def _note(self, entry: Entry, outcome: Outcome) -> None:
        """Write into the job what came out, with the client's names for the files."""
        job = entry.job
        job.finished, job.progress = time.time(), None
        if outcome.unexplained:
            _LOG.error(
                "job %s ended without a reason; its last lines:\n%s",
                job.id,
                outcome.unexplained.strip(),
            )
        if outcome.document is None:
            error = outcome.error or {"kind": "ServerError", "message": "there is no result"}
            # Nobody can run the same command again: what a failed job has finished is removed.
            message = error["message"].removesuffix(f"; {FINISHED_PART_KEPT}")
            self._fail(job, error["kind"], _with_names(message, entry))
            return
        (facts,) = outcome.document["done"]
        size = (entry.folder / job.result_file).stat().st_size
        job.result = Result(size, facts["width"], facts["height"], facts.get("frames"))
        job.notes = [_with_names(note, entry) for note in outcome.document["notes"]]
        job.state = State.DONE
        self._metrics.ended(job, "done", facts)

    def _fail(self, job: Job, kind: str, message: str) -> None:
        job.state, job.finished, job.progress = State.FAILED, time.time(), None
        job.error = {"kind": kind, "message": message}
        self._metrics.ended(job, "failed")

    async def sweep(self, older_than: float) -> None:
        """Remove jobs that were finished before that time."""
        for job in self.jobs():
            if job.finished is not None and job.finished < older_than:
                await self.remove(job)


def progress_of(running: Running, known: int | None) -> Progress:
    """The progress of the whole job; a job that goes on counts only what was left."""
    total, frames = running.total, running.frames
    if known is not None and total is not None and total < known:
        total, frames = known, frames + known - total
    return Progress(frames, total, running.fps)


def _with_names(message: str, entry: Entry) -> str:
    """The command's line about `clip.mp4`, as the client knows it, without folders of ours."""
    job = entry.job
    models = (text.partition("=")[2] for text in job.arguments if text.startswith("--model="))
    folders = [entry.folder, *(Path(model).parent for model in models), _CACHE, Path.home()]
    for folder in folders:
        if folder.is_absolute():
            message = message.replace(f"{folder}{os.sep}", "")
    return message.replace(job.input_file, job.name).replace(job.result_file, job.result_name)
