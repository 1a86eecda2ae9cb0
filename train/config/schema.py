"""All that determines a training run, as frozen structures with defaults and checks.

Written as TOML (`config_file` reads it); docs/configuration.md is the reference of every key.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from ..data.degradation import MARGIN, Degradation
from ..data.footage.config import CodecConfig
from ..losses import (
    AdversarialConfig,
    FeatureLossConfig,
    LossConfig,
    PhaseConfig,
    PixelLossConfig,
    SpectrumConfig,
    StabilityConfig,
    StyleLossConfig,
)
from ..losses.vgg import LAYERS, smallest_side
from ..networks import NetworkConfig, RealtimeConfig, StyleConfig, Task, task_of
from ..networks.style import REDUCTION

MIN_STYLE_SIDE = 32
"""Smaller style images have nothing left at VGG-16's deepest layers."""

MIN_ADVERSARIAL_CROP = 32
"""The deepest level of a discriminator is an eighth of the crop a side."""

MAX_LR = 1e30
"""Beyond, float32 overflows in the optimiser itself."""


class DataConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Photographs and how training pairs are made of them."""

    folders: tuple[str, ...] = ()
    crop: int = 192  # side of the high-resolution training crop, pixels
    batch: int = 16  # crops per step and process
    degradation: Degradation = "bicubic"
    codec: CodecConfig = CodecConfig()  # sequences and encoders of the "codec" degradation
    cache_mb: int = 2048  # decoded photographs kept in memory, MiB
    detail: float = 0.0  # how much crops with detail are preferred; 0: not, 1: in proportion
    workers: int = 2  # threads that decode and cut
    on_device: bool = False  # keep the decoded photographs on the training device and cut there


class StyleImageConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The picture whose style is learnt, for `task = "style"`."""

    image: str = ""
    side: int = 256  # its longer side is resized to this, pixels; 0: as it is


class OptimizerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Adam (Kingma & Ba 2015), AdamW, or Muon (Jordan et al. 2024) and AdamW for the rest."""

    name: Literal["adam", "adamw", "muon"] = "adam"
    lr: float = 1e-3  # Muon's is of another kind: 1e-3 to 5e-3
    betas: tuple[float, float] = (0.9, 0.999)  # of Adam
    weight_decay: float = 0.0
    clip_norm: float = 0.0  # gradients are scaled down to this norm; 0 is off
    momentum: float = 0.95  # muon
    adam_lr: float = 1e-3  # muon: of biases, norms and the last layer

    def __post_init__(self) -> None:
        for name in ("lr", "adam_lr"):
            if not 0 < (lr := getattr(self, name)) <= MAX_LR:
                raise ValueError(f"{name} must be above 0 and at most {MAX_LR:g}, not {lr}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), not {self.momentum}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be in [0, 1), not {list(self.betas)}")
        for name in ("weight_decay", "clip_norm"):
            if not 0 <= (value := getattr(self, name)) < math.inf:
                raise ValueError(f"{name} must be a number of at least 0, not {value}")


class ScheduleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Learning rate over the run, as a factor of `optimizer.lr`."""

    kind: Literal["constant", "cosine", "step"] = "constant"
    warmup: int = 0  # steps of linear increase from 0
    final: float = 0.0  # cosine: the last factor
    milestones: tuple[int, ...] = ()  # step: where the factor is multiplied by gamma
    gamma: float = 0.5

    def __post_init__(self) -> None:
        if self.warmup < 0 or min(self.milestones, default=0) < 0:
            raise ValueError("warmup and milestones are steps: at least 0")
        if self.milestones and self.kind != "step":
            raise ValueError(f'milestones are for kind = "step", not "{self.kind}"')
        if not 0 <= self.final <= 1:
            raise ValueError(f"final must be in [0, 1], not {self.final}")
        if not 0 < self.gamma <= 1:
            raise ValueError(f"gamma must be above 0 and at most 1, not {self.gamma}")


class ComputeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a step is computed; what it computes stays the same, to the precision chosen.

    But for `accumulate` beside a `spectrum` or `phase` loss, which are of all pictures that pass at
    once.
    """

    amp: Literal["off", "bf16", "fp16"] = "off"  # of the network, VGG and (bf16) Muon's matrices
    channels_last: bool = False  # memory layout that GPU convolutions in half precision prefer
    compile: bool = False  # torch.compile
    accumulate: int = 1  # parts a batch is computed in, one after the other, to save memory


class ValidationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Y-PSNR and Y-SSIM on a folder of high-resolution images, by the standard protocol."""

    folder: str = ""  # empty: no validation
    every: int = 1000  # steps
    pictures: int = 4  # images of the folder shown in TensorBoard
    feature_layer: str = ""  # VGG-16 layer of the feature distance; empty: not computed
    vgg: str = ""  # weights for it; empty: the config's `vgg`
    histogram_matching: bool = False  # the paper's post-processing of the output before scoring


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that determines a training run."""

    network: NetworkConfig
    loss: tuple[LossConfig, ...]
    steps: int
    task: Task = "super-resolution"
    style: StyleImageConfig = StyleImageConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    compute: ComputeConfig = ComputeConfig()
    validation: ValidationConfig = ValidationConfig()
    vgg: str = "torchvision"  # weights of VGG-16 for feature and style terms
    ema: float = 0.0  # decay of the averaged weights that are kept; 0: the weights themselves
    seed: int = 0
    checkpoint_every: int = 1000  # steps
    log_every: int = 50  # steps
    tensorboard: bool = True  # scalars and validation pictures in the run folder
    init: str = ""  # weights to start from, of the same network; realtime: see networks.inherit
    teacher: str = ""  # a checkpoint whose outputs are the targets instead of the photographs

    def __post_init__(self) -> None:
        if not self.loss:
            raise ValueError("loss must have at least one term")
        if sum(isinstance(term, StabilityConfig) for term in self.loss) > 1:
            raise ValueError("loss can have one stability term")
        self._check_adversarial()
        self._check_teacher()
        self._check_task()
        self._check_crop()
        self._check_codec()
        self._check_counts()
        for index, term in enumerate(self.loss):
            self._check_term(f"loss.{index}", term)
        self._check_ranges()

    def _check_crop(self) -> None:
        """Crops are whole pixels of the input, and larger than the margin of the losses."""
        scale, multiple = self.network.scale, self.size_multiple
        least = max(scale * MARGIN, 2 * multiple)
        if self.data.crop % (scale * multiple) or self.data.crop < least:
            raise ValueError(
                f"data.crop must be a multiple of {scale * multiple} (scale {scale}) "
                f"and at least {least}, not {self.data.crop}"
            )

    def _check_counts(self) -> None:
        for name, value in (
            ("steps", self.steps),
            ("data.batch", self.data.batch),
            ("data.workers", self.data.workers),
            ("compute.accumulate", self.compute.accumulate),
            ("checkpoint_every", self.checkpoint_every),
            ("log_every", self.log_every),
            ("validation.every", self.validation.every),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if self.compute.accumulate > self.data.batch:
            raise ValueError(
                f"compute.accumulate must be at most data.batch, "
                f"not {self.compute.accumulate} of {self.data.batch}"
            )

    def _check_term(self, place: str, term: LossConfig) -> None:
        """A term of the loss suits the crop and the scale; `place` is its name in messages."""
        if not math.isfinite(term.weight):
            raise ValueError(f"{place}.weight must be a finite number, not {term.weight}")
        if isinstance(term, FeatureLossConfig | StyleLossConfig):
            deepest = max(term.layers, key=LAYERS.index)
            if (least := smallest_side(deepest)) > self.data.crop:
                raise ValueError(
                    f"data.crop must be at least {least} for {place} (layer {deepest} of "
                    f"VGG-16), not {self.data.crop}"
                )
        if isinstance(term, SpectrumConfig | PhaseConfig):
            scale = self.network.scale
            if scale < 2:
                raise ValueError(f"{place} ({term.name}) needs a network that enlarges")
            if term.scale != scale:
                raise ValueError(f"{place}.scale must be {scale}, the network's, not {term.scale}")

    def _check_ranges(self) -> None:
        if not 0 <= self.seed < 1 << 63:
            raise ValueError(f"seed must be at least 0 and below 2^63, not {self.seed}")
        if not 0 <= self.data.detail < math.inf:
            raise ValueError(f"data.detail must be a number of at least 0, not {self.data.detail}")
        if min(self.data.cache_mb, self.validation.pictures) < 0:
            raise ValueError("data.cache_mb and validation.pictures must be at least 0")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be in [0, 1), not {self.ema}")
        if (layer := self.validation.feature_layer) and layer not in LAYERS:
            raise ValueError(
                f"validation.feature_layer must be one of {', '.join(LAYERS)}, not {layer!r}"
            )

    def _check_adversarial(self) -> None:
        """One discriminator, for a task with originals, beside a term that says which output."""
        terms = [term for term in self.loss if isinstance(term, AdversarialConfig)]
        if not terms:
            return
        if len(terms) > 1:
            raise ValueError("loss can have one adversarial term")
        if len(self.loss) == 1:
            raise ValueError(
                "loss needs a term beside the adversarial one, such as pixel or feature: a "
                "discriminator alone does not ask for the same picture"
            )
        if self.task != "super-resolution":
            raise ValueError(f'an adversarial term is for super-resolution, not for "{self.task}"')
        if self.data.crop < MIN_ADVERSARIAL_CROP:
            raise ValueError(
                f"data.crop must be at least {MIN_ADVERSARIAL_CROP} for an adversarial term, "
                f"not {self.data.crop}"
            )

    def _check_teacher(self) -> None:
        """A teacher gives the mean of what a picture could be: a target for pixel terms alone."""
        if not self.teacher:
            return
        if self.task != "super-resolution":
            raise ValueError(f'teacher is for super-resolution, not for task = "{self.task}"')
        for index, term in enumerate(self.loss):
            if not isinstance(term, PixelLossConfig):
                raise ValueError(
                    f"loss.{index} ({term.name}) compares with photographs; a run with a teacher "
                    "has pixel terms only"
                )

    def _check_codec(self) -> None:
        """Frames of the "codec" degradation hold a crop and are even after reduction."""
        if self.data.degradation != "codec":
            return
        multiple = 2 * self.network.scale
        for side in self.data.codec.size:
            if side % multiple or side < self.data.crop:
                raise ValueError(
                    f"data.codec.size must be multiples of {multiple} (twice the scale) and at "
                    f"least data.crop ({self.data.crop}), not {list(self.data.codec.size)}"
                )
        if self.data.on_device:
            raise ValueError('data.on_device is not for degradation = "codec"; set it to false')

    def _check_task(self) -> None:
        """A style needs a style network and term; super-resolution has no use for the rest."""
        suited = task_of(self.network)
        if suited != self.task:
            name = type(self.network).__struct_config__.tag
            raise ValueError(f'network "{name}" is for task = "{suited}", not "{self.task}"')
        if self.task == "super-resolution":
            if self.style.image:
                raise ValueError('style.image is for task = "style"')
            return
        if not any(isinstance(term, StyleLossConfig) for term in self.loss):
            raise ValueError('task = "style" needs a [[loss]] term of kind = "style"')
        if self.style.side and self.style.side < MIN_STYLE_SIDE:
            raise ValueError(
                f"style.side must be 0 or at least {MIN_STYLE_SIDE}, not {self.style.side}"
            )
        if self.validation.folder:
            raise ValueError(
                "validation is for super-resolution; a style has no original to compare with"
            )

    @property
    def size_multiple(self) -> int:
        """What the sides of the network's input must be multiples of."""
        match self.network:
            case RealtimeConfig(stride=stride):
                return stride
            case StyleConfig():
                return REDUCTION
            case _:
                return 1
