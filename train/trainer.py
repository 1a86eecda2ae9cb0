"""The training loop. Read `Trainer.run` from top to bottom."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor
from tqdm import tqdm

from ..imaging.atomic import write_atomic
from ..imaging.errors import (
    CheckpointError,
    ConfigError,
    Interrupted,
    OutputError,
    TrainingError,
)
from .average import Average
from .checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from .config import MIN_STYLE_SIDE, TrainConfig
from .data.crops import CropSampler, HostCrops, prefetch
from .data.degradation import MARGIN, Reduction, with_noise
from .data.footage.cache import open_cache
from .data.footage.clips import find_clips
from .data.footage.pairs import FootagePairs
from .data.on_device import DeviceCrops
from .data.pairs import Pairs, PhotoPairs, seeds_of
from .data.photos import PhotoSet, find_photos
from .data.style_image import StyleImage, read_style_image
from .distributed import Processes
from .failures import failures_explained, too_large_explained
from .guard import Guard
from .initial import initial_weights, origin_of
from .logs import Log, Meter, open_logs
from .losses import WeightedLoss
from .networks import build_network
from .schedule import learning_rate_factor
from .screen import Screen
from .signals import signals_noted
from .state import changed_settings, load_state, save_state, saved_config
from .step import NotFiniteError, Stepper
from .validation import Validator
from .verdict import Verdict

NOTICE = "finishing this step, then saving; Ctrl-C again stops at once"


@dataclass(frozen=True)
class StepReport:
    """One step that was made."""

    losses: Mapping[str, float]
    images: int  # of all processes
    seconds: float
    waited: float  # seconds of it without data to work on
    kept: bool = True  # False where the gradients were not finite and no weight was changed


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
        data = config.data
        crop = data.crop + 2 * MARGIN * self.scale  # the margin is cut after degrading
        self.photos: PhotoSet = find_photos([Path(f) for f in data.folders], crop)
        self.part = self.processes.part_of(data.batch)
        self.pairs: Pairs[Any] = (
            self._footage()
            if data.degradation == "codec"
            else self._photographs(crop, data.degradation)
        )
        validates = bool(config.validation.folder) and self.processes.leads
        self.validator = Validator(config, device) if validates else None

        torch.manual_seed(config.seed)
        self.origin: dict[str, Any] = {}
        with too_large_explained(config.network):
            self.network = build_network(config.network).to(device)
            if config.init and not resumes:
                self._start_from(Path(config.init))
            self.averaged = Average(self.network, config.ema)
        self.processes.synchronise_norms(self.network, device)
        self.style = _style_image(config)
        pixels = self.style.pixels if self.style else None
        self.loss = WeightedLoss(config.loss, config.vgg, pixels).to(device)
        self.stepper = Stepper(self.network, self.loss, config, device, self.processes)
        self.step = 0
        self.seconds = 0.0  # of training, over all sessions of the run
        self.validation: dict[str, Any] = {}  # the last scores, their folder and step
        self.left_out = 0  # steps whose gradients were not finite
        self.changes: dict[str, Any] = {}  # by step, settings that were changed on resuming there
        self.changed: dict[str, Any] = {}  # those of this session
        self.guard = Guard(config, folder, self.loss, device, self.processes)
        if resumes:
            self.resume()

    def run(self, quiet: bool = False) -> Path:
        """Train from the current step to the last one; returns the path of the checkpoint.

        Raises TrainingError for a loss or weights that are not finite, for a network that is lost
        (the last checkpoint stays) or for want of memory, and Interrupted after Ctrl-C, SIGTERM or
        SIGHUP (state saved).
        """
        steps, leads = self.config.steps, self.processes.leads
        bar = tqdm(
            total=steps, initial=self.step, unit="step", disable=quiet, dynamic_ncols=True,
            file=Screen(sys.stderr),  # a lost terminal must not cost the run
        )  # fmt: skip
        meter = Meter()
        with (
            self._open_logs() as logs,
            bar,
            signals_noted(NOTICE if leads else "") as stop,
            closing(self.reports()) as reports,
        ):
            if self.step == steps and leads and not self._is_saved():
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
        with failures_explained(self.config), closing(
            prefetch(self.pairs.draw, self.step, steps, workers)
        ) as batches:  # fmt: skip
            while self.step < steps:
                started = time.perf_counter()
                drawn = next(batches)
                waited = time.perf_counter() - started
                losses = self._train_step(*self.pairs.load(drawn, self.step))
                self.step += 1
                elapsed = time.perf_counter() - started
                self.seconds += elapsed
                kept = not self.stepper.left_out or self.stepper.finds_scale
                images = self.config.data.batch * self.processes.count
                yield StepReport(losses, images, elapsed, waited, kept)

    def _train_step(self, lr: Tensor, target: Tensor) -> dict[str, float]:
        seeds = seeds_of(self.config.seed, self.step, self.part)
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
            self.left_out += 1
        return losses

    def _require_sound(self) -> Verdict | None:
        networks = [self.network, self.averaged.module] if self.config.ema else [self.network]
        numbers = {**self._modules(), **self.stepper.state()}
        return self.guard.require_sound(self.step, numbers, networks)

    def _tell(self, bar: tqdm[None], line: str) -> None:
        """Say something beside the progress bar; one process speaks for all."""
        if self.processes.leads:
            bar.write(line, file=Screen(sys.stderr))

    def _photographs(self, crop: int, kind: Reduction) -> PhotoPairs:
        """Pairs that are cut from photographs and degraded as they are drawn."""
        data = self.config.data
        sampler = CropSampler(
            self.photos.photos,
            crop,
            data.batch * self.processes.count,
            self.config.seed,
            data.cache_mb << 20,
            self.part,
        )
        if data.detail:
            sampler.prefer_detail(self.scale, data.detail, data.workers)
        crops = (
            DeviceCrops(sampler, self.device, data.workers)
            if data.on_device
            else HostCrops(sampler, self.device)
        )
        return PhotoPairs(sampler, crops, self.scale, kind)

    def _footage(self) -> FootagePairs:
        """Pairs that are cut from coded sequences, which the first run makes."""
        data, folders = self.config.data, [Path(folder) for folder in self.config.data.folders]
        cache = open_cache(
            data.codec,
            self.scale,
            self.config.seed,
            self.photos.photos,
            self.photos.order,
            find_clips(folders),
            data.workers,
        )
        return FootagePairs(
            cache,
            data.crop,
            self.scale,
            data.batch * self.processes.count,
            self.config.seed,
            self.part,
            self.device,
            data.detail,
            data.codec.clean,
            data.workers,
        )

    def _validate(self, validator: Validator, logs: Sequence[Log], bar: tqdm[None]) -> None:
        scores = validator(self.averaged.module)
        record = scores.record()
        rounded = {name: round(value, 4) for name, value in record.items()}
        folder = Path(self.config.validation.folder).name
        images = len(scores.quality.images)
        self.validation = {"folder": folder, "images": images, "step": self.step, **rounded}
        self._log(logs, record)
        for log in logs:
            log.pictures(self.step, scores.pictures)
        bar.write(f"step {self.step}: {scores.line()}", file=Screen(sys.stdout))

    def _start_from(self, path: Path) -> None:
        weights = initial_weights(path, self.config.network)
        try:
            self.network.load_state_dict(weights)
        except RuntimeError as error:  # the names of a community file told less than all
            summary = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"init {path}: weights do not fit the network ({summary}); give another file"
            ) from error
        self.origin = origin_of(path)

    def _is_saved(self) -> bool:
        """Whether the folder's checkpoint is of this step."""
        try:
            held = load_checkpoint(self.folder / "model.safetensors")
        except CheckpointError:
            return False
        of_this_step = held.training.get("steps") == self.step
        return of_this_step and held.network_config == self.config.network

    def save(self) -> None:
        """Write the checkpoint and the state to resume from, each atomically."""
        if not self.processes.leads:
            return
        state = {
            "fingerprint": self.photos.fingerprint,
            "order": self.photos.order,
            "style_image": self.style.sha256 if self.style else "",
            "processes": self.processes.count,
            "step": self.step,
            "seconds": self.seconds,
            "origin": self.origin,
            "validation": self.validation,
            "left_out": self.left_out,
            "changes": self.changes,
            **self._modules(),
            **self.stepper.state(),
        }
        save_state(self.folder / "state.pt", self.config, state)
        weights = self.averaged.module.state_dict()
        checkpoint = Checkpoint(self.config.network, weights, self._summary())
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
        if state["fingerprint"] != self.photos.fingerprint:
            raise ConfigError(
                f"cannot resume {self.folder}: the training photographs have changed (or, in a run "
                "of an older framelift, some were counted twice)"
            )
        if state.get("order", self.photos.order) != self.photos.order:
            raise ConfigError(
                f"cannot resume {self.folder}: the training photographs come in another order; "
                "give the folders in the order of the first run, the files under their old names"
            )
        if self.style and state.get("style_image") != self.style.sha256:
            raise ConfigError(f"cannot resume {self.folder}: the style image has changed")
        before, now = state.get("processes", 1), self.processes.count
        if before != now:
            raise ConfigError(
                f"cannot resume {self.folder}: it ran in {before} process(es), now {now}; a step "
                "would be of another size"
            )
        if state["step"] > self.config.steps:
            raise ConfigError(
                f"cannot resume {self.folder}: it is at step {state['step']} already, "
                f"beyond steps = {self.config.steps}"
            )
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.stepper.load_state(state)
        self.origin = state.get("origin", self.origin)
        self.validation = state.get("validation", {})
        self.step = self.guard.saved_at = state["step"]
        self.seconds = state["seconds"]
        self.left_out = state.get("left_out", 0)
        before = saved_config(path, state).optimizer
        self.guard.saved_lr = before.lr
        self.changed = changed_settings(before, self.config)
        self.changes = state.get("changes", {})
        if self.changed:
            self.changes = {**self.changes, str(self.step): self.changed}

    def _summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = {
            "steps": self.step,
            "loss": msgspec.to_builtins(self.config.loss),
            "batch": self.config.data.batch * self.processes.count,
            "crop": self.config.data.crop,
            "degradation": self.config.data.degradation,
            "photographs": len(self.photos.photos),
            "data_fingerprint": self.photos.fingerprint,
            "seconds": round(self.seconds),
            "seed": self.config.seed,
            "ema": self.config.ema,
            "optimizer": msgspec.to_builtins(self.config.optimizer),
            "amp": self.config.compute.amp,
        }
        if self.origin:
            summary["init"] = self.origin
        if self.left_out:
            summary["steps_left_out"] = self.left_out
        if self.changes:
            summary["changes"] = self.changes
        if self.style is not None:
            image = {"name": self.style.path.name, "sha256": self.style.sha256}
            summary["style_image"] = image
        if self.validation:
            summary["validation"] = self.validation
        return summary

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


def _style_image(config: TrainConfig) -> StyleImage | None:
    if config.task != "style":
        return None
    return read_style_image(Path(config.style.image), config.style.side, MIN_STYLE_SIDE)
