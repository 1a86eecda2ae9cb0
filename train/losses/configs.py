"""The terms that a training loss can be made of, as they are written in a config."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from .vgg import LAYERS


class _Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """A term of the loss."""

    @property
    def name(self) -> str:
        """What logs call it."""
        return str(self.__struct_config__.tag)


class PixelLossConfig(_Term, frozen=True, tag="pixel"):
    """Distance of the pixels of output and target, or of their means."""

    norm: Literal["l1", "l2", "charbonnier"] = "l2"
    # luma: BT.601's, which the literature's PSNR is of; chroma: R, G and B less luma;
    # means: over squares of 16 pixels a side
    of: Literal["rgb", "luma", "chroma", "means"] = "rgb"
    weight: float = 1.0

    @property
    def name(self) -> str:
        return f"{'pixel' if self.of == 'rgb' else self.of}_{self.norm}"


class FeatureLossConfig(_Term, frozen=True, tag="feature"):
    """Distance of VGG-16 features at one or more layers, each with its weight."""

    layers: dict[str, float] = msgspec.field(default_factory=lambda: {"relu2_2": 1.0})
    # squared: the paper's; unit: of features that are scaled to length 1 at each position
    distance: Literal["squared", "unit"] = "squared"
    vgg: str = ""  # weights of this term's VGG; empty: the config's `vgg`
    weight: float = 1.0

    def __post_init__(self) -> None:
        _check_layers(self.layers)

    @property
    def name(self) -> str:
        kind = "feature" if self.distance == "squared" else "unit_feature"
        return f"{kind}_{'+'.join(self.layers)}"


class StyleLossConfig(_Term, frozen=True, tag="style"):
    """Squared distance of the Gram matrices of VGG-16 features: textures, wherever they are.

    From the target's, or for `task = "style"` from the style image's.
    """

    layers: dict[str, float] = msgspec.field(
        default_factory=lambda: {"relu1_2": 1.0, "relu2_2": 1.0}
    )
    vgg: str = ""  # as for `FeatureLossConfig`
    weight: float = 1.0

    def __post_init__(self) -> None:
        _check_layers(self.layers)

    @property
    def name(self) -> str:
        return "style_" + "+".join(self.layers)


class TotalVariationConfig(_Term, frozen=True, tag="tv"):
    """Total variation of the output alone: smoothness for its own sake."""

    weight: float = 1.0


class SpectrumConfig(_Term, frozen=True, tag="spectrum"):
    """Energy above that of photographs at frequencies that the input cannot hold: meshes."""

    scale: int = 4  # the network's
    limit: float = 1.0  # of the target's energy
    grid: float = 1.0  # of that limit, at the frequencies of the input's pixel grid
    weight: float = 1.0

    def __post_init__(self) -> None:
        _check_scale(self.scale)
        for name, value in (("limit", self.limit), ("grid", self.grid)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be finite and above 0, not {value}")


class PhaseConfig(_Term, frozen=True, tag="phase"):
    """Texture that depends on where within a pixel of the input it lies: the grid people see."""

    scale: int = 4  # the network's
    limit: float = 1.0  # times as much as in the target
    weight: float = 1.0

    def __post_init__(self) -> None:
        _check_scale(self.scale)
        if not 0 <= self.limit < math.inf:
            raise ValueError(f"limit must be a number of at least 0, not {self.limit}")


class ExcessConfig(_Term, frozen=True, tag="excess"):
    """Detail where the target has none nearby: specks beside edges, ringing and noise."""

    reach: int = 2  # pixels of the output: how far detail of the target allows for detail
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.reach <= 64:
            raise ValueError(f"reach must be between 0 and 64, not {self.reach}")


class StabilityConfig(_Term, frozen=True, tag="stability"):
    """Squared distance of the outputs for the input and for the input with noise: no flicker."""

    noise: float = 8.0  # σ, 8-bit codes
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.noise <= 255:
            raise ValueError(f"noise must be above 0 and at most 255, not {self.noise}")


class AdversarialConfig(_Term, frozen=True, tag="adversarial"):
    """What a discriminator, trained beside the network, thinks of its outputs."""

    network: Literal["unet", "patch"] = "unet"  # a logit for each pixel, or for 8×8 pixels
    channels: int = 32  # width at full resolution; doubled three times
    # relativistic: each output against its own original; hinge: outputs and originals on their own
    objective: Literal["relativistic", "hinge"] = "relativistic"
    lr: float = 1e-4  # of the discriminator's Adam; follows the schedule of the network's
    betas: tuple[float, float] = (0.9, 0.99)
    r1: float = 1.0  # weight of the gradient penalty on photographs; 0: none
    r1_every: int = 8  # it is taken every so many steps, so many times
    weight: float = 1.0

    def __post_init__(self) -> None:
        for name, least in (("channels", 1), ("r1_every", 1)):
            if (value := getattr(self, name)) < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
        if not 0 < self.lr <= 1:
            raise ValueError(f"lr must be above 0 and at most 1, not {self.lr}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be in [0, 1), not {list(self.betas)}")
        if not 0 <= self.r1 < math.inf:
            raise ValueError(f"r1 must be a number of at least 0, not {self.r1}")


LossConfig = (
    PixelLossConfig
    | FeatureLossConfig
    | StyleLossConfig
    | TotalVariationConfig
    | SpectrumConfig
    | PhaseConfig
    | ExcessConfig
    | StabilityConfig
    | AdversarialConfig
)


def _check_scale(scale: int) -> None:
    if scale < 2:
        raise ValueError(
            f"scale must be at least 2, not {scale}: a network that does not enlarge needs no such "
            "term"
        )


def _check_layers(layers: dict[str, float]) -> None:
    for layer, weight in layers.items():
        if layer not in LAYERS:
            raise ValueError(f"layers must be of {', '.join(LAYERS)}, not {layer!r}")
        if not math.isfinite(weight):
            raise ValueError(f"layers.{layer} must be a finite number, not {weight}")
    if not layers:
        raise ValueError("layers must name at least one VGG-16 layer")
