"""Trains several models at once, each in a process of its own, each within its time.

A run folder is that of `framelift train`, and `zoo.json` in it says how far the model is:
`spent_seconds` of training, the `steps` it was given, whether it is `done`. A run that would not
end within its minutes is stopped and resumed with fewer steps, so that its schedule always runs to
its end; resuming is what `framelift train --resume` does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from framelift.common.errors import ConfigError
from framelift.common.files import write_atomic
from framelift.common.notes import Say
from framelift.common.signals import signals_as_errors
from framelift.runtime.machine.host import available_processors
from framelift.train.checkpoints.file import load_checkpoint

from .plan import FOLDER, Model

COMMAND = (sys.executable, "-c", "from framelift.cli.main import main; main()", "train")
# What saving and validating take beside the steps, as a share of the time left.
_RESERVE = 0.05
# A plan that is wrong by less is kept.
_TOLERANCE = 0.08
# So long a run goes on between two changes of its plan, as a share of its time.
_PATIENCE = 0.15


def saved_step(folder: Path) -> int:
    """The step of the checkpoint, 0 if there is none."""
    path = folder / "model.safetensors"
    return int(load_checkpoint(path).training["steps"]) if path.is_file() else 0


@dataclass(frozen=True)
class Options:
    """What all trainings share: `jobs` of them at once, each with `threads` CPU threads, by
    default its share of the cores. `minutes` replaces those of the list, `extra` are settings.
    With `from_shipped`, models go on from their own shipped checkpoints, where there is one,
    instead of from the model that the list says.
    """

    data: tuple[Path, ...]
    runs: Path
    validation: Path | None = None
    vgg: str | None = None
    device: str = "auto"
    threads: int | None = None
    jobs: int = 1
    minutes: float | None = None
    extra: tuple[str, ...] = ()
    from_shipped: bool = False
    command: tuple[str, ...] = COMMAND
    """What trains one model."""
    poll_seconds: float = 0.5
    """How often the trainings are looked after."""
    saved_step: Callable[[Path], int] = saved_step
    """Which step the checkpoint in a run folder is of."""

    def start_of(self, model: Model) -> Path | None:
        """The checkpoint that a model's training begins with, once it is there."""
        own = FOLDER / f"{model.name}.safetensors"
        if self.from_shipped and own.is_file():
            return own
        return checkpoint_of(model.parent, self.runs) if model.parent else None

    def waits_for(self, model: Model) -> str:
        """The name of the model that must have been trained before; "" for none."""
        own = FOLDER / f"{model.name}.safetensors"
        return "" if self.from_shipped and own.is_file() else model.parent


class _State(msgspec.Struct):
    """What is kept of a run between sessions, in `zoo.json` beside it."""

    spent_seconds: float = 0.0
    steps: int | None = None
    """How many fit into its time, once that is known."""
    done: bool = False


@dataclass
class _Run:
    """A model in training."""

    model: Model
    folder: Path
    command: list[str]
    seconds: float  # that it may take in all
    state: _State
    saved_step: Callable[[Path], int]
    process: subprocess.Popen[bytes] | None = None
    log: IO[bytes] | None = None
    since: float = 0.0
    replanned: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        """Seconds of all sessions."""
        now = time.monotonic() - self.since if self.process else 0.0
        return self.state.spent_seconds + now

    def start(self) -> None:
        """Start the process, or go on with what an earlier one left."""
        steps = self.state.steps
        if steps:  # it went on while its plan was made, and cannot end before where it is
            steps = self.state.steps = max(steps, self.saved_step(self.folder))
        command = [*self.command, *(["--set", f"steps={steps}"] if steps else [])]
        if (self.folder / "state.pt").is_file():
            command.append("--resume")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = (self.folder / "output.log").open("ab")
        # A session of its own: a Ctrl-C is for the one that started it, which passes it on.
        self.process = subprocess.Popen(
            command,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
            env={**os.environ, "FRAMELIFT_CONFIG": ""},  # no defaults of who trains
        )
        self.since = self.replanned = time.monotonic()

    def stop(self) -> None:
        """Let it save and end."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.ended()

    def ended(self) -> None:
        """Wait for the process to end and note how far it came."""
        assert self.process is not None
        assert self.log is not None
        self.state.done = self.process.wait() == 0
        self.state.spent_seconds = round(self.spent, 1)
        self.process = None
        self.log.close()
        write_atomic(self.folder / "zoo.json", msgspec.json.encode(self.state))


def train_all(models: Sequence[Model], options: Options, say: Say) -> list[str]:
    """Train what is not trained yet; returns one line for each model that failed.

    Raises ConfigError, and Interrupted after SIGINT or SIGTERM, all runs saved.
    """
    _require_parents(models, options)
    waiting = [model for model in models if not is_trained(model.name, options.runs)]
    running: list[_Run] = []
    failed: dict[str, str] = {}
    try:
        with signals_as_errors("all runs saved; the same command goes on"):
            while waiting or running:
                for model in list(waiting):
                    parent = options.waits_for(model)
                    if parent in failed:
                        failed[model.name] = f"{model.name}: {parent} was not trained"
                        waiting.remove(model)
                    elif len(running) < options.jobs and _is_ready(parent, waiting, running):
                        waiting.remove(model)
                        running.append(_prepared(model, options))
                        running[-1].start()
                        say(
                            f"{model.name}: training, {running[-1].spent / 60:.1f} of "
                            f"{running[-1].seconds / 60:.1f} minutes spent"
                        )
                time.sleep(options.poll_seconds)
                for run in list(running):
                    if run.process is not None and run.process.poll() is None:
                        _fit(run, say)
                        continue
                    if run.process is not None:
                        run.ended()
                    running.remove(run)
                    if not run.state.done:
                        failed[run.model.name] = f"{run.model.name}: {_last_line(run.folder)}"
                    say(failed.get(run.model.name, f"{run.model.name}: trained"))
    finally:
        alive = [run for run in running if run.process is not None]
        for run in alive:
            assert run.process is not None
            run.process.send_signal(signal.SIGTERM)  # all at once, then wait
        for run in alive:
            run.ended()
    return list(failed.values())


def is_trained(name: str, runs: Path) -> bool:
    """Whether a run went to its end."""
    return _state(runs / name).done


def checkpoint_of(name: str, runs: Path) -> Path:
    """The checkpoint of this zoo's run if it was trained, else the shipped one."""
    ours = runs / name / "model.safetensors"
    return ours if is_trained(name, runs) else FOLDER / f"{name}.safetensors"


def steps_that_fit(step: int, per_second: float, seconds_left: float, steps: int) -> int:
    """The steps that a run at `step` of `steps` gets, at most `steps` and at least one more."""
    made = int(per_second * max(0.0, seconds_left) * (1 - _RESERVE))
    return min(steps, step + max(1, made))


def _require_parents(models: Sequence[Model], options: Options) -> None:
    names = {model.name for model in models}
    for model in models:
        parent = options.waits_for(model)
        if parent and parent not in names and not checkpoint_of(parent, options.runs).is_file():
            raise ConfigError(f"{model.name} starts from {parent}: name that one, too")


def _is_ready(parent: str, waiting: Sequence[Model], running: Sequence[_Run]) -> bool:
    busy = {m.name for m in waiting} | {run.model.name for run in running}
    return parent not in busy


def _prepared(model: Model, options: Options) -> _Run:
    folder = options.runs / model.name
    command = [
        *options.command,
        model.name,
        "--out",
        str(folder),
        "--quiet",
        "--device",
        options.device,
    ]
    for data in options.data:
        command += ["--data", str(data)]
    if options.validation is not None:
        command += ["--validate", str(options.validation)]
    if options.vgg is not None:
        command += ["--vgg", options.vgg]
    threads = options.threads or max(1, available_processors() // options.jobs)
    command += ["--threads", str(threads)]
    settings = [*model.set, *options.extra]
    if (start := options.start_of(model)) is not None:
        settings.append(f"init={json.dumps(str(start.resolve()), ensure_ascii=False)}")
    for setting in settings:
        command += ["--set", setting]
    minutes = model.minutes if options.minutes is None else options.minutes
    return _Run(model, folder, command, 60 * minutes, _state(folder), options.saved_step)


def _state(folder: Path) -> _State:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((folder / "zoo.json").read_bytes(), type=_State)
    return _State()


def _fit(run: _Run, say: Say) -> None:
    """Resume the run with fewer steps if it would not end in time."""
    if time.monotonic() - run.replanned < _PATIENCE * run.seconds:
        return
    if (progress := _progress(run.folder)) is None:
        return
    step, steps, per_second = progress
    planned = steps_that_fit(step, per_second, run.seconds - run.spent, steps)
    run.replanned = time.monotonic()
    if step >= planned or planned > (1 - _TOLERANCE) * steps:
        return
    say(f"{run.model.name}: {per_second:.1f} steps/s, {planned:,} steps instead of {steps:,}")
    run.stop()
    if not run.state.done:  # it may have ended by itself meanwhile
        run.state.steps = planned
        run.start()


def _progress(folder: Path) -> tuple[int, int, float] | None:
    """The last step logged, the run's steps, and steps per second; None before the first log."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines]
    except (OSError, ValueError):  # the run is just starting
        return None
    speeds = [record for record in records if "images_per_s" in record]
    if not speeds:
        return None
    batch = config["data"]["batch"]
    return speeds[-1]["step"], config["steps"], speeds[-1]["images_per_s"] / batch


def _last_line(folder: Path) -> str:
    text = (folder / "output.log").read_text(encoding="utf-8", errors="replace")
    lines = text.strip().splitlines()
    return lines[-1] if lines else "ended without a word"
