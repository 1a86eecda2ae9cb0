"""The training loop. Read `Trainer.run` from top to bottom."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor
from tqdm import tqdm

from ...common.errors import CheckpointError, Interrupted, OutputError, TrainingError
from ...common.files import write_atomic
from ...common.signals import signals_noted
from ...common.text import one_line
from ..checkpoints.file import Checkpoint, save_checkpoint
from ..checkpoints.initial import initial_weights, origin_of
from ..checkpoints.summary import Changes
from ..config.schema import MIN_STYLE_SIDE, TrainConfig
from ..data.crops import prefetch
from ..data.degradation import with_noise
from ..data.pairs import Pairs, seeds_of
from ..data.photos import PhotoSet, find_photos
from ..data.style_image import StyleImage, read_style_image
from ..distributed import Processes
from ..failures import failures_explained, too_large_explained
from ..logs.history import Log, Meter, open_logs
from ..logs.progress import Progress, summary_of
from ..logs.screen import Screen, progress_bar
from ..losses import WeightedLoss
from ..networks import build_network
from ..validation.scores import Validator
from .average import Average
from .guard import Guard
from .pairs import crop_with_margin, pairs_of
from .schedule import learning_rate_factor
from .state import (
    changed_settings,
    is_saved,
    load_state,
    require_same_run,
    save_state,
    saved_config,
)
from .step import NotFiniteError, Stepper, StepReport
from .teacher import Teacher
from .verdict import Verdict

NOTICE = "finishing this step, then saving; Ctrl-C again stops at once"


class Trainer:
    """One training run in a folder of its own.

    The folder holds `config.json` (resolved), `model.safetensors` (the checkpoint, contract 1),
    `state.pt` (what resuming needs), `history.jsonl` (one line per log and validation) and
    `tensorboard/`. Of several processes the first one alone writes.
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        device: torch.device,
        processes: Processes | None = None,
        *,
        resumes: bool = False,
    ) -> None:
        """Get ready to train, from `init` or at random, or with `resumes` where the folder's run
        ended, which needs nothing of `init` any more. Raises what `resume` and the files do.
        """
        self.config = config
        self.folder = folder
        self.device = device
        self.processes = processes or Processes()
        self.scale = config.network.scale
        folders = [Path(folder) for folder in config.data.folders]
        self.photos: PhotoSet = find_photos(folders, crop_with_margin(config))
        self.pairs: Pairs[Any] = pairs_of(config, self.photos, self.processes, device)
        validates = bool(config.validation.folder) and self.processes.leads
        self.validator = Validator(config, device) if validates else None

        torch.manual_seed(config.seed)
        self.progress = Progress()
        with too_large_explained(config.network):
            self.network = build_network(config.network).to(device)
            if config.init and not resumes:
                self._start_from(Path(config.init))
            self.averaged = Average(self.network, config.ema)
        self.processes.synchronise_norms(self.network, device)
        self.teacher = Teacher(Path(config.teacher), config, device) if config.teacher else None
        self.style: StyleImage | None = None
        if config.task == "style":
            path = Path(config.style.image)
            self.style = read_style_image(path, config.style.side, MIN_STYLE_SIDE)
        pixels = self.style.pixels if self.style else None
        self.loss = WeightedLoss(config.loss, config.vgg, pixels).to(device)
        self.stepper = Stepper(self.network, self.loss, config, device, self.processes)
        self.changed: Changes = {}
        self.guard = Guard(config, folder, self.loss, device, self.processes)
        if resumes:
            self.resume()

    @property
    def step(self) -> int:
        """How many steps are made."""
        return self.progress.step

    def run(self, quiet: bool = False) -> Path:
        """Train from the current step to the last one; returns the path of the checkpoint.

        Raises TrainingError for a loss or weights that are not finite, for a network that is lost
        (the last checkpoint stays) or for want of memory, and Interrupted after Ctrl-C, SIGTERM or
        SIGHUP (state saved).
        """
        steps, leads = self.config.steps, self.processes.leads
        bar = progress_bar(steps, self.step, quiet=quiet)
        meter = Meter()
        with (
            self._open_logs() as logs,
            bar,
            signals_noted(NOTICE if leads else "") as stop,
            closing(self.reports()) as reports,
        ):
            if self.step == steps and leads and not is_saved(self.folder, self.step, self.config):
                self.save()  # stopped between the state and it: no step is left that would save
            for report in reports:
                meter.add(report.losses, report.images, report.seconds, report.waited)
                bar.update()
                last = self.step == steps
                if not report.kept:
                    self._tell(bar, f"step {self.step}: left out, its gradients were not finite")
                if self.step % self.config.log_every == 0 or last:
                    record = meter.take()
                    self._log(logs, {"lr": self.stepper.learning_rate, **record})
                    shown = {k: f"{v:.4g}" for k, v in record.items() if k != "data_wait_share"}
                    bar.set_postfix(shown)
                if self.validator and (self.step % self.config.validation.every == 0 or last):
                    self._validate(self.validator, logs, bar)
                if self.step % self.config.checkpoint_every == 0 or last:
                    verdict = self._require_sound()
                    self.save()
                    if last and verdict and (warning := self.guard.warning(verdict)):
                        self._tell(bar, warning)
                if number := self.processes.largest(stop.number, self.device):
                    self._stop(number)
        return self.folder / "model.safetensors"

    def reports(self) -> Generator[StepReport, None, None]:
        """Make the steps that are left, one for each report taken."""
        steps, workers = self.config.steps, self.config.data.workers
        with (
            failures_explained(self.config),
            closing(prefetch(self.pairs.draw, self.step, steps, workers)) as batches,
        ):
            while self.step < steps:
                started = time.perf_counter()
                drawn = next(batches)
                waited = time.perf_counter() - started
                losses = self._train_step(*self.pairs.load(drawn, self.step))
                self.progress.step += 1
                elapsed = time.perf_counter() - started
                self.progress.seconds += elapsed
                kept = not self.stepper.left_out or self.stepper.finds_scale
                images = self.config.data.batch * self.processes.count
                yield StepReport(losses, images, elapsed, waited, kept)

    def _train_step(self, lr: Tensor, target: Tensor) -> dict[str, float]:
        if self.teacher:
            target = self.teacher.targets(lr, self.step)
        seeds = seeds_of(
            self.config.seed, self.step, self.processes.part_of(self.config.data.batch)
        )
        noisy = with_noise(lr, self.loss.noise, seeds) if self.loss.noise else None
        factor = learning_rate_factor(self.config.schedule, self.step, self.config.steps)
        self.guard.batch = lr, target, noisy
        try:
            losses = self.stepper.step(lr, target, factor, noisy)
        except NotFiniteError as error:
            names = self.pairs.names(self.step)
            raise TrainingError(
                f"{error} at step {self.step}; {self.guard.advice()}. "
                f"{self.pairs.source} of this batch: {', '.join(names)}"
            ) from error
        if not self.stepper.left_out:
            self.averaged.update(self.network)
        elif not self.stepper.finds_scale:
            self.progress.left_out += 1
        return losses

    def _require_sound(self) -> Verdict | None:
        networks = [self.network, self.averaged.module] if self.config.ema else [self.network]
        numbers = {**self._modules(), **self.stepper.state()}
        return self.guard.require_sound(self.step, numbers, networks)

    def _tell(self, bar: tqdm[None], line: str) -> None:
        """Print something beside the progress bar; the first process does so for all."""
        if self.processes.leads:
            bar.write(line, file=Screen(sys.stderr))

    def _validate(self, validator: Validator, logs: Sequence[Log], bar: tqdm[None]) -> None:
        scores = validator(self.averaged.module)
        record = scores.record()
        rounded = {name: round(value, 4) for name, value in record.items()}
        folder = Path(self.config.validation.folder).name
        images = len(scores.quality.images)
        self.progress.validation = {
            "folder": folder,
            "images": images,
            "step": self.step,
            **rounded,
        }
        self._log(logs, record)
        for log in logs:
            log.pictures(self.step, scores.pictures)
        bar.write(f"step {self.step}: {scores.line()}", file=Screen(sys.stdout))

    def _start_from(self, path: Path) -> None:
        weights = initial_weights(path, self.config.network)
        try:
            self.network.load_state_dict(weights)
        except RuntimeError as error:  # the names in a community file did not show everything
            raise CheckpointError(
                f"init {path}: weights do not fit the network "
                f"({one_line(error, 200)}); use another file"
            ) from error
        self.progress.origin = origin_of(path, "init")

    def save(self) -> None:
        """Write the checkpoint and the state to resume from, each atomically."""
        if not self.processes.leads:
            return
        state = {
            "fingerprint": self.photos.fingerprint,
            "order": self.photos.order,
            "style_image": self.style.sha256 if self.style else "",
            "teacher": self.teacher.origin["sha256"] if self.teacher else "",
            "processes": self.processes.count,
            **self.progress.state(),
            **self._modules(),
            **self.stepper.state(),
        }
        save_state(self.folder / "state.pt", self.config, state)
        weights = self.averaged.module.state_dict()
        teacher = self.teacher.origin if self.teacher else None
        summary = summary_of(
            self.config, self.progress, self.photos, self.style, teacher, self.processes.count
        )
        checkpoint = Checkpoint(self.config.network, weights, summary)
        save_checkpoint(self.folder / "model.safetensors", checkpoint)
        self.guard.saved_at, self.guard.saved_lr = self.step, self.config.optimizer.lr

    def _modules(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
        }

    def resume(self) -> None:
        """Take up the run that the folder holds. Raises CheckpointError or ConfigError."""
        path = self.folder / "state.pt"
        state = load_state(path, self.config, self.device)
        used = {
            "style image": self.style.sha256 if self.style else "",
            "teacher": self.teacher.origin["sha256"] if self.teacher else "",
        }
        require_same_run(state, self.folder, self.config, self.photos, used, self.processes.count)
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.stepper.load_state(state)
        self.progress.load(state)
        before = saved_config(path, state).optimizer
        self.guard.saved_at, self.guard.saved_lr = self.step, before.lr
        self.changed = changed_settings(before, self.config)
        if self.changed:
            changes = {**self.progress.changes, str(self.step): self.changed}
            self.progress.changes = changes

    def _open_logs(self) -> AbstractContextManager[Sequence[Log]]:
        if not self.processes.leads:
            return nullcontext([])
        try:  # only now, when all that was given has proved usable
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"run folder {self.folder}: {error.strerror}") from error
        write_atomic(self.folder / "config.json", msgspec.json.encode(self.config))
        return open_logs(self.folder, self.step, self.config.tensorboard)

    def _log(self, logs: Sequence[Log], record: Mapping[str, float]) -> None:
        for log in logs:
            log.write(self.step, record)

    def _stop(self, number: int) -> None:
        try:
            self._require_sound()
        except TrainingError as error:
            raise Interrupted(f"stopped, not saved: {error}", 128 + number) from error
        self.save()
        raise Interrupted(
            f"stopped at step {self.step} of {self.config.steps}, state saved in {self.folder}; "
            "continue with --resume",
            exit_code=128 + number,
        )
