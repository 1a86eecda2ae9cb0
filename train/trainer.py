"""The training loop. Read `Trainer.run` from top to bottom."""

from __future__ import annotations

import io
import json
import math
import pickle
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from ..imaging.errors import CheckpointError, ConfigError, Interrupted, TrainingError
from ..imaging.quality import SetQuality
from .checkpoint import Checkpoint, load_checkpoint, save_checkpoint, write_atomic
from .config import TrainConfig
from .data.crops import CropSampler, prefetch
from .data.degradation import MARGIN, degrade, target_of
from .data.photos import PhotoSet, find_photos
from .losses import WeightedLoss
from .networks import build_network
from .schedule import learning_rate_factor
from .validation import load_originals, validate


class Trainer:
    """One training run in a folder of its own.

    The folder holds `config.json` (resolved), `model.safetensors` (the checkpoint, contract 1),
    `state.pt` (what resuming needs) and `history.jsonl` (one line per log and validation).
    """

    def __init__(self, config: TrainConfig, folder: Path, device: torch.device) -> None:
        self.config = config
        self.folder = folder
        self.device = device
        self.scale = config.network.scale
        data = config.data
        self.crop = data.crop + 2 * MARGIN * self.scale  # the margin is cut after degrading
        self.photos: PhotoSet = find_photos([Path(f) for f in data.folders], self.crop)
        self.sampler = CropSampler(
            self.photos.photos, self.crop, data.batch, config.seed, data.cache_mb << 20
        )
        folder_name = config.validation.folder
        self.originals = load_originals(Path(folder_name)) if folder_name else []

        torch.manual_seed(config.seed)
        self.network = build_network(config.network).to(device)
        if config.init:
            self._initialise(Path(config.init))
        averaging = get_ema_multi_avg_fn(config.ema)  # type: ignore[no-untyped-call]
        self.averaged = AveragedModel(self.network, multi_avg_fn=averaging)
        self.loss = WeightedLoss(config.loss).to(device)
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer.name]
        self.optimizer = kind(
            self.network.parameters(),
            lr=config.optimizer.lr,
            betas=config.optimizer.betas,
            weight_decay=config.optimizer.weight_decay,
        )
        self.step = 0
        self.seconds = 0.0  # of training, over all sessions of the run
        self.scores: SetQuality | None = None
        self._stop_signal: int | None = None

    def run(self, quiet: bool = False) -> Path:
        """Train from the current step to the last one; returns the path of the checkpoint.

        Raises TrainingError for a loss that is not finite (the last checkpoint stays) and
        Interrupted after Ctrl-C or SIGTERM (state saved).
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self.folder / "config.json", msgspec.json.encode(self.config))
        self._forget_history_after(self.step)
        bar = tqdm(total=self.config.steps, initial=self.step, unit="step", disable=quiet)
        batches = prefetch(self.sampler, self.step, self.config.steps)
        meter = Meter()
        with bar, closing(batches), self._signals_noted():
            while self.step < self.config.steps:
                started = time.perf_counter()
                batch = next(batches)
                waited = time.perf_counter() - started
                losses = self._train_step(batch)
                self.step += 1
                elapsed = time.perf_counter() - started
                self.seconds += elapsed
                meter.add(losses, len(batch), elapsed, waited)
                bar.update()

                last = self.step == self.config.steps
                if self.step % self.config.log_every == 0 or last:
                    record = meter.take()
                    self._log({"lr": self.optimizer.param_groups[0]["lr"], **record})
                    shown = {k: f"{v:.4g}" for k, v in record.items() if k != "data_wait_share"}
                    bar.set_postfix(shown)
                if self.originals and (self.step % self.config.validation.every == 0 or last):
                    self._validate(bar)
                if self.step % self.config.checkpoint_every == 0 or last:
                    self.save()
                if self._stop_signal is not None:
                    self._stop()
        return self.folder / "model.safetensors"

    def _train_step(self, batch: NDArray[np.uint8]) -> dict[str, float]:
        factor = learning_rate_factor(self.config.schedule, self.step, self.config.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.optimizer.lr * factor
        hr = torch.from_numpy(batch).to(self.device, non_blocking=True)
        hr = hr.permute(0, 3, 1, 2).float().div_(255)
        lr = degrade(hr, self.scale, self.config.data.degradation)
        target = target_of(hr, self.scale)

        self.network.train()
        total, parts = self.loss(self.network(lr), target)
        losses = {"loss": float(total.detach()), **{k: float(v) for k, v in parts.items()}}
        if not math.isfinite(losses["loss"]):
            names = sorted(set(self.sampler.files(self.step)))
            raise TrainingError(
                f"the loss became {losses['loss']} at step {self.step}; lower optimizer.lr or set "
                f"optimizer.clip_norm. Last checkpoint: {self.folder / 'model.safetensors'}. "
                f"Photographs of this batch: {', '.join(names)}"
            )
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        if self.config.optimizer.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.optimizer.clip_norm)
        self.optimizer.step()
        self.averaged.update_parameters(self.network)
        return losses

    def _validate(self, bar: tqdm[None]) -> None:
        self.scores = validate(self.averaged.module, self.originals, self.scale, self.device)
        self._log({"psnr_y": self.scores.psnr_db, "ssim_y": self.scores.ssim})
        bar.write(
            f"step {self.step}: PSNR {self.scores.psnr_db:.2f} dB, SSIM {self.scores.ssim:.4f}"
        )

    def save(self) -> None:
        """Write the checkpoint and the state to resume from, each atomically."""
        state = {
            "config": msgspec.json.encode(self.config).decode(),
            "fingerprint": self.photos.fingerprint,
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomic(self.folder / "state.pt", buffer.getvalue())
        weights = self.averaged.module.state_dict()
        checkpoint = Checkpoint(self.config.network, weights, self._summary())
        save_checkpoint(self.folder / "model.safetensors", checkpoint)

    def resume(self) -> None:
        """Take up the run that the folder holds. Raises CheckpointError or ConfigError."""
        path = self.folder / "state.pt"
        if not path.is_file():
            raise CheckpointError(f"cannot resume: {path} does not exist")
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
            raise CheckpointError(f"cannot resume: {path} is damaged ({error})") from error
        saved = json.loads(state["config"])
        for key, value in json.loads(msgspec.json.encode(self.config)).items():
            if key not in ("steps", "log_every", "checkpoint_every") and saved.get(key) != value:
                raise ConfigError(
                    f"cannot resume {self.folder}: `{key}` was {saved.get(key)}, now {value}; "
                    "use the same config or another run folder"
                )
        if state["fingerprint"] != self.photos.fingerprint:
            raise ConfigError(f"cannot resume {self.folder}: the training photographs have changed")
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.seconds = state["seconds"]

    def _initialise(self, path: Path) -> None:
        checkpoint = load_checkpoint(path)
        if checkpoint.network_config != self.config.network:
            raise ConfigError(f"init {path}: holds another network: {checkpoint.network_config}")
        self.network.load_state_dict(checkpoint.weights)

    def _summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = {
            "steps": self.step,
            "loss": msgspec.to_builtins(self.config.loss),
            "batch": self.config.data.batch,
            "crop": self.config.data.crop,
            "degradation": self.config.data.degradation,
            "photographs": len(self.photos.photos),
            "data_fingerprint": self.photos.fingerprint,
            "seconds": round(self.seconds),
            "seed": self.config.seed,
            "ema": self.config.ema,
        }
        if self.scores is not None:
            summary["validation"] = {
                "folder": Path(self.config.validation.folder).name,
                "psnr_y": round(self.scores.psnr_db, 3),
                "ssim_y": round(self.scores.ssim, 4),
            }
        return summary

    def _log(self, record: dict[str, float]) -> None:
        with (self.folder / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, **record}) + "\n")

    def _forget_history_after(self, step: int) -> None:
        path = self.folder / "history.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        write_atomic(path, "".join(line + "\n" for line in kept).encode())

    @contextmanager
    def _signals_noted(self) -> Iterator[None]:
        """During the block, Ctrl-C and SIGTERM are noted and acted on after the current step."""

        def note(number: int, frame: FrameType | None) -> None:
            self._stop_signal = number

        before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self) -> None:
        self.save()
        assert self._stop_signal is not None
        raise Interrupted(
            f"stopped at step {self.step} of {self.config.steps}, state saved in {self.folder}; "
            "continue with --resume",
            exit_code=128 + self._stop_signal,
        )


class Meter:
    """Means of losses and speeds between two log lines."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._images = 0
        self._seconds = 0.0
        self._waited = 0.0

    def add(self, losses: dict[str, float], images: int, seconds: float, waited: float) -> None:
        """Note one step: its losses, images, duration and the part spent waiting for data."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        self._images += images
        self._seconds += seconds
        self._waited += waited

    def take(self) -> dict[str, float]:
        """The means since the last call; empties the meter."""
        record = {name: value / self._steps for name, value in self._sums.items()}
        record["images_per_s"] = self._images / self._seconds
        record["data_wait_share"] = self._waited / self._seconds
        self._reset()
        return record
