"""Style transfer is a setting of training: its network, its loss, its refusals."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from framelift.common.errors import CheckpointError, ConfigError, InputError
from framelift.train.checkpoints.file import load_checkpoint
from framelift.train.config.file import load_config
from framelift.train.config.preset_files import PRESETS
from framelift.train.data.degradation import degrade, target_of, with_noise
from framelift.train.loop.start import RunOptions, start
from framelift.train.losses import StyleLossConfig, WeightedLoss
from framelift.train.losses.terms import gram
from framelift.train.losses.vgg import CONVOLUTIONS, VggFeatures, load_vgg_weights
from framelift.train.networks import StyleConfig, build_network

SMALL = (
    "network.channels=4",
    "network.blocks=1",
    "data.crop=32",
    "data.batch=2",
    "steps=4",
    "data.workers=1",
    "style.side=48",
    "tensorboard=false",
    "schedule.warmup=0",
    "loss.0.layers={relu2_2=1.0}",
    "loss.1.layers={relu1_2=1e-4, relu2_2=5e-5}",
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(3):
        noise = cv2.GaussianBlur(rng.random((64, 72, 3)) * 255, (0, 0), 2)
        cv2.imwrite(str(folder / f"{index}.png"), cv2.normalize(noise, noise, 0, 255, 32))
    return folder


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights up to relu2_2 in the Caffe convention."""
    rng = np.random.default_rng(1)
    arrays, inputs = {}, 3
    for name, width in zip(CONVOLUTIONS[:4], (64, 64, 128, 128), strict=True):
        shape = (width, inputs, 3, 3)
        arrays[f"{name}.weight"] = rng.normal(0, (2 / (9 * inputs)) ** 0.5, shape).astype("f4")
        arrays[f"{name}.bias"] = np.zeros(width, "f4")
        inputs = width
    path = tmp_path_factory.mktemp("vgg") / "vgg.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def train(
    photos: Path,
    vgg: Path,
    out: Path,
    *overrides: str,
    style: Path | None = None,
    resume: bool = False,
) -> Path | None:
    return start(
        RunOptions(
            "starry-night",
            [photos],
            out,
            (*SMALL, *overrides),
            vgg=str(vgg),
            style=style or photos / "0.png",
            device="cpu",
            threads=1,
            quiet=True,
            resume=resume,
        ),
        say=lambda line: None,
    )


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
def test_the_deployed_network_keeps_size_and_values(norm: str, upsampling: str) -> None:
    torch.manual_seed(0)
    config = StyleConfig(channels=4, blocks=2, norm=norm, upsampling=upsampling)  # type: ignore[arg-type]
    network = build_network(config).train()
    network(torch.rand(2, 3, 24, 16))
    network.eval()
    frames = torch.rand(2, 3, network.minimum_side, 20)
    with torch.inference_mode():
        stylised = network(frames)
        assert stylised.shape == frames.shape
        torch.testing.assert_close(network.deploy()(frames), stylised, atol=1e-5, rtol=0)


def test_the_papers_network_has_the_papers_parameters() -> None:
    network = build_network(StyleConfig(norm="batch", upsampling="transposed"))
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_679_235


def test_style_is_compared_with_the_style_image_once(
    vgg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[tuple[int, ...]] = []
    forward = VggFeatures.forward

    def counted(self: VggFeatures, rgb: torch.Tensor, layers: object = None) -> object:
        runs.append(tuple(rgb.shape))
        return forward(self, rgb, layers)  # type: ignore[arg-type]

    monkeypatch.setattr(VggFeatures, "forward", counted)
    style, output, target = (
        torch.rand(1, 3, 40, 48),
        torch.rand(2, 3, 32, 32),
        torch.rand(2, 3, 32, 32),
    )
    loss = WeightedLoss([StyleLossConfig({"relu1_2": 2.0})], str(vgg), style)
    values = [float(loss(output, other)[0]) for other in (target, torch.zeros_like(target))]
    assert values[0] == values[1]
    assert runs == [(1, 3, 40, 48), (2, 3, 32, 32), (2, 3, 32, 32)]
    network = VggFeatures(("relu1_2",), load_vgg_weights(str(vgg)))
    got, wanted = (gram(network(image)["relu1_2"]) for image in (output, style))
    expected = 2 * (got - wanted).square().sum((1, 2)).mean()
    assert values[0] == pytest.approx(float(expected), rel=1e-5)


def test_content_is_the_photograph_itself() -> None:
    crops = torch.randint(0, 256, (2, 3, 40, 40)).float() / 255
    torch.testing.assert_close(degrade(crops, 1, "bicubic"), target_of(crops, 1))


def test_resuming_with_a_stability_term_is_exact(tmp_path: Path, photos: Path, vgg: Path) -> None:
    whole, config = tmp_path / "whole", tmp_path / "stable.toml"
    preset = (PRESETS / "starry-night.toml").read_text(encoding="utf-8")
    config.write_text(f'{preset}\n[[loss]]\nkind = "stability"\nweight = 100.0\n', "utf-8")

    def run(out: Path, steps: int, resume: bool) -> Path | None:
        return start(
            RunOptions(
                str(config),
                [photos],
                out,
                (*SMALL, f"steps={steps}", "schedule.kind=constant"),
                vgg=str(vgg),
                style=photos / "0.png",
                device="cpu",
                threads=1,
                quiet=True,
                resume=resume,
            ),
            say=lambda line: None,
        )

    run(whole, 6, False)
    run(tmp_path / "halves", 3, False)
    run(tmp_path / "halves", 6, True)
    one, two = (
        load_checkpoint(tmp_path / name / "model.safetensors") for name in ("whole", "halves")
    )
    for name, tensor in one.weights.items():
        assert torch.equal(tensor, two.weights[name]), name
    assert one.training["style_image"]["name"] == "0.png"
    with pytest.raises(ConfigError, match=r"`style\.image` was"):
        start(
            RunOptions(
                str(config),
                [photos],
                whole,
                (*SMALL, "steps=7", "schedule.kind=constant"),
                vgg=str(vgg),
                style=photos / "1.png",
                device="cpu",
                threads=1,
                quiet=True,
                resume=True,
            )
        )


def test_noise_is_drawn_from_the_seeds_alone() -> None:
    frames = torch.full((2, 3, 16, 16), 0.5)
    first, again = (with_noise(frames, 8 / 255, [(0, 1, 0), (0, 1, 1)]) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])
    assert float((first - frames).std()) == pytest.approx(8 / 255, rel=0.1)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["task=super-resolution"], 'network "style" is for task = "style"'),
        (["validation.folder=x"], "a style has no original to compare with"),
        (["data.crop=130"], "must be a multiple of 4"),
        (["style.side=8"], "style.side must be 0 or at least 32"),
        (["loss.1.kind=feature"], 'needs a \\[\\[loss\\]\\] term of kind = "style"'),
    ],
)
def test_settings_that_make_no_sense_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config("starry-night", overrides)


def test_super_resolution_has_no_style_image() -> None:
    with pytest.raises(ConfigError, match=r'style\.image is for task = "style"'):
        load_config("realtime-nano-x4", ["style.image=x.png"])


def test_layers_that_the_vgg_file_lacks_are_named(tmp_path: Path, photos: Path, vgg: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"'relu3_3' is not in .*vgg.npz, which holds relu1_1"
    ):
        train(photos, vgg, tmp_path / "run", "loss.1.layers.relu3_3=1.0")


def test_a_style_image_that_will_not_do_is_named(tmp_path: Path, photos: Path, vgg: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for path, message in [
        (tmp_path / "none.png", "none.png: no such file"),
        (tmp_path / "text.png", "text.png: not a readable image"),
    ]:
        with pytest.raises(InputError, match=message):
            train(photos, vgg, tmp_path / "run", style=path)
    with pytest.raises(ConfigError, match="no style image: pass --style IMAGE"):
        start(
            RunOptions(
                "starry-night", [photos], tmp_path / "run", SMALL, vgg=str(vgg), device="cpu"
            )
        )
