"""Configs: strict, with the right key suggested; presets; overrides."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from framelift.common.errors import ConfigError
from framelift.train.config.errors import vocabulary
from framelift.train.config.file import load_config
from framelift.train.config.preset_files import preset_names, preset_summary
from framelift.train.config.schema import ScheduleConfig
from framelift.train.loop.schedule import learning_rate_factor
from framelift.train.losses import (
    AdversarialConfig,
    ExcessConfig,
    FeatureLossConfig,
    PhaseConfig,
    PixelLossConfig,
    SpectrumConfig,
)
from framelift.train.networks import CompactConfig, RealtimeConfig, build_network

MINIMAL = """
steps = 10
[network]
name = "realtime"
scale = 2
[[loss]]
kind = "pixel"
"""


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads(name: str) -> None:
    assert load_config(name, folders=["photos"]).data.folders == ("photos",)


def test_presets_of_the_paper_are_the_papers() -> None:
    for scale in (4, 8):
        pixel, feature = (load_config(f"johnson-x{scale}-{kind}") for kind in ("pixel", "feature"))
        assert pixel.loss == (PixelLossConfig(),)
        assert feature.loss == (FeatureLossConfig(layers={"relu2_2": 1.0}),)
        for config in (pixel, feature):
            assert config.network.scale == scale
            assert (config.data.batch, config.data.crop, config.steps) == (4, 288, 200_000)
            assert (config.optimizer.name, config.optimizer.lr) == ("adam", 1e-3)
            assert config.data.degradation == "johnson"


def test_realtime_presets_come_in_three_sizes_and_two_kinds() -> None:
    """The perceptual ones can be fine-tuned from the plain ones: their networks are the same."""
    parameters = {}
    for scale in (2, 4):
        for size in ("nano", "small", "medium"):
            name = f"realtime-{size}-x{scale}"
            plain, perceptual = (load_config(preset) for preset in (name, f"{name}-perceptual"))
            assert plain.network == perceptual.network
            assert {type(term) for term in plain.loss} == {PixelLossConfig}
            kinds = [PixelLossConfig, FeatureLossConfig, SpectrumConfig]
            holding_colour = [PixelLossConfig, *kinds]
            without_specks = [*holding_colour, PhaseConfig, ExcessConfig]
            chroma = [PhaseConfig, PixelLossConfig, ExcessConfig]
            with_discriminator = [*holding_colour, *chroma, AdversarialConfig]
            terms = [type(term) for term in perceptual.loss]
            assert terms in (holding_colour, without_specks, with_discriminator)
            deployed = build_network(plain.network).deploy()
            parameters[name] = sum(parameter.numel() for parameter in deployed.parameters())
        footage = load_config(f"realtime-small-x{scale}-video")
        assert footage.network == load_config(f"realtime-small-x{scale}").network
        assert footage.data.degradation == "codec"
    assert parameters == {
        "realtime-nano-x2": 22_860,
        "realtime-small-x2": 69_100,
        "realtime-medium-x2": 304_140,
        "realtime-nano-x4": 42_512,
        "realtime-small-x4": 79_504,
        "realtime-medium-x4": 361_840,
    }


def test_compact_presets_have_the_communitys_sizes() -> None:
    assert load_config("compact-x2").network == CompactConfig(2, 64, 16)
    assert load_config("compact-x4").network == CompactConfig(4, 64, 16)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_says_what_it_is(name: str) -> None:
    assert preset_summary(name).endswith(".")


def test_defaults_overrides_and_folders(tmp_path: Path) -> None:
    config = load_config(
        write(tmp_path, MINIMAL), ["optimizer.lr=5e-4", "network.channels=16", "init=a b.st"], ["x"]
    )
    assert config.network == RealtimeConfig(scale=2, channels=16)
    assert config.optimizer.lr == 5e-4
    assert config.init == "a b.st"
    assert config.data.folders == ("x",)


def test_saved_json_config_is_read_back(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL))
    (tmp_path / "config.json").write_bytes(msgspec.json.encode(config))
    assert load_config(str(tmp_path / "config.json")) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "[optimizer]\nlearnrate = 1",
            r"unknown key `learnrate` in `optimizer`; it has name, lr, betas, weight",
        ),
        ("batch = 4", r"unknown key `batch` in `loss\.0`, did you mean `data\.batch`\?"),
        ("[optimiser]\nlr = 1", r"unknown key `optimiser`, did you mean `optimizer`\?"),
        ("[schedule]\nwarmpu = 1", r"unknown key `warmpu` in `schedule`, did you mean `warmup`\?"),
        ("[data.codec]\nnoice = 1", r"`noice` in `data.codec`, did you mean `noise`\?"),
        ("[data.codec]\nnoise = nan", "noise is a share: within 0 and 1, not nan"),
        ("[data.codec]\nkept = 40", r"kept must be within 1 and frames \(32\), not 40"),
        (
            '[data]\ndegradation = "codec"\ncrop = 64\n[data.codec]\nsize = [66, 64]',
            r"data\.codec\.size must be multiples of 4 .* and at least data\.crop \(64\)",
        ),
        (
            '[data]\ndegradation = "codec"\non_device = true\ncrop = 64',
            'data.on_device is not for degradation = "codec"',
        ),
        (
            "[[data.codec.encoders]]\nname = 'vp9'\nweight = 1\nquality = [20, 80]",
            r"quality of vp9 must be \[low, high\] within 0 and 63, not \[20, 80\]",
        ),
        (
            "[[loss]]\nkind = 'feature'\nlayers = {relu2_2 = nan}",
            r"layers\.relu2_2 must be a finite number, not nan",
        ),
        (
            "[[loss]]\nkind = 'feature'\nlayers = {relu1_1 = 1, relu5_1 = 1}\n[data]\ncrop = 8",
            r"data\.crop must be at least 16 for loss\.1 \(layer relu5_1 of VGG-16\), not 8",
        ),
        ("[data.codec]\nblur_sigma = [3, 1]", r"blur_sigma must be \[low, high\] within 0 and 4"),
        ("[[loss]]\nkind = 'style'\nlayer = {}", r"`layer` in `loss\.1`, did you mean `layers`\?"),
        (
            "[[loss]]\nkind = 'feature'\nnorm = 'l1'",
            'unknown key `norm` in `loss.1`: it is for kind = "pixel"; '
            '"feature" has layers, distance, vgg',
        ),
        (
            "[[loss]]\nkind = 'pixel'\nlayers = {}",
            'in `loss.1`: it is for kind = "feature" or "style"; "pixel" has norm, of, weight',
        ),
        ("[[loss]]\nlayers = {}", "`loss.1.kind` is missing"),
        ("[[loss]]\nkind = 'spectrum'", "loss.1.scale must be 2, the network's, not 4"),
        (
            "[[loss]]\nkind = 'spectrum'\nlimit = 0",
            "limit must be finite and above 0, not 0.0",
        ),
        (
            "[[loss]]\nkind = 'spectrum'\ngrid = -1",
            "grid must be finite and above 0, not -1.0",
        ),
        ("[[loss]]\nkind = 'spectrum'\nscale = 1", "scale must be at least 2, not 1"),
        (
            "[[loss]]\nkind = 'styel'",
            "`loss.1.kind` must be one of pixel, feature, style, tv, spectrum, phase, excess, "
            r"stability, adversarial, not 'styel', did you mean 'style'\?",
        ),
        ("[compute]\namp = 'bf61'", r"`compute.amp` must be one of .*, did you mean 'bf16'\?"),
        (
            "[compute]\naccumulate = 17",
            "compute.accumulate must be at most data.batch, not 17 of 16",
        ),
        ("[data]\nworkers = 0", "data.workers must be at least 1, not 0"),
        (
            "[optimizer]\nlr = 0.0",
            r"lr must be above 0 and at most 1e\+30, not 0.0 - at `opt",
        ),
        ("[optimizer]\nlr = nan", "lr must be above 0 and at most"),
        ("[optimizer]\nbetas = [0.9, 1.5]", r"betas must be in \[0, 1\), not \[0.9, 1.5\]"),
        ("[optimizer]\nadam_lr = 0.0", "adam_lr must be above 0 and at most"),
        ("[optimizer]\nmomentum = 1.0", r"momentum must be in \[0, 1\), not 1.0"),
        ("[optimizer]\nclip_norm = nan", "clip_norm must be a number of at least 0, not nan"),
        ("[optimizer]\nweight_decay = -1", "weight_decay must be a number of at least 0"),
        ("[schedule]\nwarmup = -5", "warmup and milestones are steps: at least 0"),
        ("[schedule]\nmilestones = [5, 8]", 'milestones are for kind = "step", not "constant"'),
        ("[schedule]\nmilestones = [5, -5]", "warmup and milestones are steps: at least 0"),
        ("[schedule]\nfinal = 2.0", r"final must be in \[0, 1\], not 2.0 - at `schedule`"),
        ("[schedule]\ngamma = -0.5", "gamma must be above 0 and at most 1"),
        ("[validation]\npictures = -1", "validation.pictures must be at least 0"),
        ("[data]\ncache_mb = -1", "data.cache_mb and .* must be at least 0"),
        (
            "[validation]\nfeature_layer = 'relu9'",
            "validation.feature_layer must be one of relu1_1, ",
        ),
        ("[data]\ncrop = 191", r"data.crop must be a multiple of 2 \(scale 2\)"),
        ('[data]\ncrop = "big"', r"Expected `int`, got `str` - at `data.crop`"),
        (
            "[optimizer]\nname = 'sgd'",
            r"`optimizer.name` must be one of adam, adamw, muon, not 'sgd'",
        ),
    ],
)
def test_wrong_settings_are_explained(tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, f"{MINIMAL}\n{change}"))


def test_unknown_network_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`network.name` must be .*, did you mean 'compact'\?"):
        load_config(write(tmp_path, MINIMAL), ['network={name="compac"}'])


def test_words_and_keys_are_those_of_the_network_that_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    with pytest.raises(
        ConfigError, match=r"`network.norm` must be one of batch, none, not 'instance'"
    ):
        load_config(path, ['network={name="johnson", norm="instance"}'])
    with pytest.raises(
        ConfigError, match=r"`network.norm` must be one of batch, instance, not 'none'"
    ):
        load_config(path, ['network={name="style", norm="none"}'])
    with pytest.raises(
        ConfigError,
        match=r'`channels` in `network`: it is for name = "realtime" or "johnson" or "style"; ',
    ):
        load_config(path, ['network={name="compact", channels=8}'])


def test_crop_must_suit_a_strided_stem(tmp_path: Path) -> None:
    text = MINIMAL.replace("scale = 2", "scale = 2\nstride = 2") + "[data]\ncrop = 98"
    with pytest.raises(ConfigError, match=r"data.crop must be a multiple of 4 \(scale 2\)"):
        load_config(write(tmp_path, text))


def test_items_of_a_list_are_overridden_by_number(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    assert load_config(path, ["loss.0.norm=l1"]).loss == (PixelLossConfig(norm="l1"),)
    with pytest.raises(
        ConfigError, match=r"--set loss.1.norm=l1: `1` must be the number of an item, 0 to 0"
    ):
        load_config(path, ["loss.1.norm=l1"])
    with pytest.raises(ConfigError, match=r"`norm` must be the number of an item"):
        load_config(path, ["loss.norm=l1"])
    with pytest.raises(ConfigError, match=r"what holds `x` is not a section"):
        load_config(path, ["steps.x=1"])


def test_impossible_values_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ema must be in \[0, 1\), not 1\.5"):
        load_config(write(tmp_path, MINIMAL), ["ema=1.5"])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("realtime-smal-x4", r"no such preset \(did you mean realtime-small-x4, realtime"),
        ("nowhere.toml", "No such file"),
        ("broken.toml", "not valid TOML"),
    ],
)
def test_unreadable_configs_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.toml").write_text("steps = = 3")
    with pytest.raises(ConfigError, match=message):
        load_config(source)


@pytest.mark.parametrize("override", ["steps", "=3", "data..batch=3"])
def test_override_without_key_or_value_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(ConfigError, match=r"write KEY=VALUE, such as steps=500"):
        load_config(write(tmp_path, MINIMAL), [override])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data=3", "Expected `object`, got `int` - at `data`"),
        ("loss=3", r"`loss` must be a list of tables: write \[\[loss\]\] above each term"),
        ("network={scale=2}", "`network.name` is missing"),
        ("loss.0.weight=nan", r"loss\.0\.weight must be a finite number, not nan"),
        ("seed=-1", r"seed must be at least 0 and below 2\^63, not -1"),
    ],
)
def test_wrong_overrides_are_explained(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, MINIMAL), [override], ["photos"])


def test_schedules() -> None:
    cosine = ScheduleConfig(kind="cosine", warmup=10, final=0.1)
    factors = [learning_rate_factor(cosine, step, 110) for step in (0, 9, 10, 60, 110)]
    assert factors == pytest.approx([0.1, 1.0, 1.0, 0.55, 0.1])
    stepwise = ScheduleConfig(kind="step", milestones=(5, 8), gamma=0.1)
    assert [learning_rate_factor(stepwise, s, 10) for s in (4, 5, 8)] == pytest.approx(
        [1, 0.1, 0.01]
    )
    assert learning_rate_factor(ScheduleConfig(), 3, 10) == 1.0


def test_every_key_is_documented() -> None:
    document = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
    keys, choices = vocabulary()
    words = {
        *(key for held in keys.values() for key in held),
        *(w for c in choices.values() for w in c),
    }
    missing = sorted(
        word for word in words if f"`{word}`" not in document and f'"{word}"' not in document
    )
    sections = {
        "network",
        "loss",
        "data",
        "codec",
        "encoders",
        "optimizer",
        "schedule",
        "compute",
        "validation",
    }
    assert set(missing) <= sections | {"off"}


def test_every_preset_is_documented() -> None:
    document = (Path(__file__).parents[3] / "docs" / "training.md").read_text(encoding="utf-8")
    for name in preset_names():
        family, *size = name.split("-")
        assert f"`{name}`" in document or (family == "realtime" and size[0] in document)
