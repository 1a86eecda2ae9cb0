"""The server's folder: uploads, jobs and results, as they survive a restart.

    FOLDER/server.lock
    FOLDER/uploads/ID/     data, upload.json        what is being uploaded
    FOLDER/jobs/ID/        input.*, job.json, result.*
    FOLDER/requests/ID/    the same for POST /v1/upscale, which nobody asks for again

The names are made here: ids of 32 hexadecimal digits and suffixes that framelift knows.
All functions wait for the disk; the server calls them in threads.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from ...common.errors import FrameliftError, InputError, OutputError
from ...common.files import write_atomic
from .job import Job, job_from_json

ID = re.compile(r"[0-9a-f]{32}")
_DESCRIPTION = "job.json"


class Store:
    """Files below one folder, which no other server may use meanwhile."""

    def __init__(self, folder: Path) -> None:
        """Raises OutputError if the folder cannot be used, or another server uses it."""
        self.uploads, self.jobs = folder / "uploads", folder / "jobs"
        self._requests = folder / "requests"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for part in (self.uploads, self.jobs, self._requests):
                part.mkdir(exist_ok=True, mode=0o700)
            self._lock = FileLock(folder / "server.lock")
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise OutputError(
                f"{folder}: another `framelift serve` uses this folder; stop it or name another "
                "with --folder"
            ) from error
        except OSError as error:
            raise OutputError(f"{folder}: cannot be used ({error.strerror})") from error

    def close(self) -> None:
        """Let other servers use the folder."""
        self._lock.release()

    def job_folder(self, job: Job, *, lasting: bool = True) -> Path:
        """Where the job's files are; `lasting` is false for those of POST /v1/upscale."""
        return (self.jobs if lasting else self._requests) / job.id

    def adopt(self, upload_file: Path, job: Job, *, lasting: bool = True) -> Path:
        """Make a job of an uploaded file, which is moved. Returns the job's folder.

        The file is where it was if that fails.
        """
        folder = self.job_folder(job, lasting=lasting)
        folder.mkdir(mode=0o700)
        try:
            os.replace(upload_file, folder / job.input_file)
            if lasting:
                self.save(job)
        except BaseException:
            with contextlib.suppress(OSError):
                os.replace(folder / job.input_file, upload_file)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder

    def save(self, job: Job) -> None:
        """Write down what a job is and became, durably."""
        write_atomic(self.jobs / job.id / _DESCRIPTION, job.to_json().encode())

    def load(self) -> tuple[list[Job], list[str]]:
        """The jobs of the folder, oldest first, and a line about each that cannot be read.

        What a killed server left half done is removed: requests, and jobs that were never
        confirmed. Folders that cannot be read stay where they are.
        """
        for folder in self._requests.iterdir():
            shutil.rmtree(folder, ignore_errors=True)
        jobs, notes = [], []
        for folder in self.jobs.iterdir():
            if not ID.fullmatch(folder.name):
                continue
            try:
                jobs.append(self._read(folder))
            except FileNotFoundError:
                shutil.rmtree(folder, ignore_errors=True)
            except (FrameliftError, OSError) as error:
                notes.append(f"{folder}: left alone: {error}; remove this folder to free its space")
        return sorted(jobs, key=lambda job: job.created), notes

    def _read(self, folder: Path) -> Job:
        job = job_from_json((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        if job.id != folder.name:
            raise InputError("is the description of another job")
        return job

    def remove(self, job: Job, *, lasting: bool = True) -> None:
        """Remove all that there is of a job."""
        folder = self.job_folder(job, lasting=lasting)
        # The description goes first: a folder without it is not taken for a job after a crash.
        (folder / _DESCRIPTION).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def remove_unfinished(self, job: Job) -> None:
        """Remove what a failed job made, as far as possible; its input stays, to be looked at."""
        kept = {_DESCRIPTION, job.input_file}
        with contextlib.suppress(OSError):
            for path in self.job_folder(job).iterdir():
                if path.name in kept:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    with contextlib.suppress(OSError):
                        path.unlink()
