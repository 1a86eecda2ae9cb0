"""Losses: the paper's formula, frozen VGG, the three sources of its weights."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from framelift.common.errors import CheckpointError
from framelift.train.losses import (
    ExcessConfig,
    FeatureLossConfig,
    PixelLossConfig,
    SpectrumConfig,
    StyleLossConfig,
    TotalVariationConfig,
    WeightedLoss,
)
from framelift.train.losses.terms import gram, unit_distance
from framelift.train.losses.vgg import CONVOLUTIONS, VggFeatures, load_vgg_weights


def random_kernels(upto: str) -> dict[str, np.ndarray]:
    """Small random weights of the right shapes, Caffe names."""
    rng = np.random.default_rng(0)
    widths = dict(zip("12345", (64, 128, 256, 512, 512), strict=True))
    arrays, inputs = {}, 3
    for name in CONVOLUTIONS[: CONVOLUTIONS.index(upto) + 1]:
        width = widths[name[4]]
        scale = (2 / (9 * inputs)) ** 0.5
        arrays[f"{name}.weight"] = scale * rng.standard_normal((width, inputs, 3, 3), np.float32)
        arrays[f"{name}.bias"] = rng.standard_normal(width, np.float32) * 0.1
        inputs = width
    return arrays


@pytest.fixture(scope="module")
def caffe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg.npz"
    np.savez(path, **random_kernels("conv2_2"))  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="module")
def torchvision_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module]:
    """A state dict of torchvision's own vgg16 and the network it is of, up to relu3_3."""
    from torchvision.models import vgg16

    torch.manual_seed(0)
    network = vgg16(weights=None).features[:16]
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save({f"features.{k}": v for k, v in network.state_dict().items()}, path)
    return path, network.eval()


def test_feature_loss_is_the_formula_of_the_paper(caffe_file: Path) -> None:
    loss = WeightedLoss((FeatureLossConfig(layers={"relu2_2": 1.0}, vgg=str(caffe_file)),))
    output, target = torch.rand(2, 3, 20, 24), torch.rand(2, 3, 20, 24)
    features = VggFeatures(("relu2_2",), load_vgg_weights(str(caffe_file)))
    a, b = features(output)["relu2_2"], features(target)["relu2_2"]
    assert a.shape == (2, 128, 10, 12)
    expected = ((a - b) ** 2).sum((1, 2, 3)) / (128 * 10 * 12)
    total, parts = loss(output, target)
    torch.testing.assert_close(total, expected.mean())
    torch.testing.assert_close(parts["feature_relu2_2"], expected.mean())


def test_unit_distance_is_of_features_scaled_to_length_1(caffe_file: Path) -> None:
    layers = {"relu1_2": 1.0, "relu2_2": 0.5}
    loss = WeightedLoss((FeatureLossConfig(layers, distance="unit", vgg=str(caffe_file)),))
    output, target = torch.rand(2, 3, 20, 24), torch.rand(2, 3, 20, 24)
    features = VggFeatures(tuple(layers), load_vgg_weights(str(caffe_file)))
    got, wanted = features(output), features(target)
    expected = sum(
        weight * (2 - 2 * nn.functional.cosine_similarity(got[layer], wanted[layer])).mean()
        for layer, weight in layers.items()
    )
    total, parts = loss(output, target)
    torch.testing.assert_close(total, expected)
    assert set(parts) == {"unit_feature_relu1_2+relu2_2"}


def test_unit_distance_of_features_that_are_all_0() -> None:
    got = torch.zeros(1, 4, 3, 3, requires_grad=True)
    distance = unit_distance(got, torch.ones(1, 4, 3, 3))
    torch.testing.assert_close(distance.detach(), torch.tensor(1.0))
    (gradient,) = torch.autograd.grad(distance, got)
    assert gradient.isfinite().all()


def test_layers_and_terms_are_weighted(caffe_file: Path) -> None:
    output, target = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)

    def value(layers: dict[str, float]) -> Tensor:
        config = FeatureLossConfig(layers=layers, vgg=str(caffe_file))
        total, _ = WeightedLoss((config,))(output, target)
        assert isinstance(total, Tensor)
        return total

    both = value({"relu1_1": 0.5, "relu2_1": 2.0})
    torch.testing.assert_close(both, 0.5 * value({"relu1_1": 1}) + 2 * value({"relu2_1": 1}))
    mixed = WeightedLoss((PixelLossConfig(weight=3), PixelLossConfig(norm="l1", weight=0.1)))
    total, parts = mixed(output, target)
    torch.testing.assert_close(total, 3 * parts["pixel_l2"] + 0.1 * parts["pixel_l1"])


def test_gradient_reaches_only_the_output(caffe_file: Path) -> None:
    loss = WeightedLoss((FeatureLossConfig(vgg=str(caffe_file)),))
    output = torch.rand(1, 3, 16, 16, requires_grad=True)
    target = torch.rand(1, 3, 16, 16, requires_grad=True)
    loss.train()
    loss(output, target)[0].backward()
    assert output.grad is not None
    assert output.grad.abs().sum() > 0
    assert target.grad is None
    assert not any(parameter.requires_grad for parameter in loss.parameters())
    assert not any(module.training for module in loss.vggs[0].modules())


def test_terms_share_one_vgg_that_runs_once_per_picture(caffe_file: Path) -> None:
    terms = (
        FeatureLossConfig(layers={"relu2_2": 1.0}),
        StyleLossConfig(layers={"relu1_2": 1.0, "relu2_1": 1.0}),
        FeatureLossConfig(layers={"relu1_1": 1.0}, vgg=str(caffe_file)),
    )
    loss = WeightedLoss(terms, str(caffe_file))
    (vgg,) = loss.vggs
    calls: list[None] = []
    vgg.register_forward_hook(lambda *_: calls.append(None))
    _, parts = loss(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16))
    assert len(calls) == 2
    assert list(parts) == ["feature_relu2_2", "style_relu1_2+relu2_1", "feature_relu1_1"]


def test_terms_of_equal_name_are_told_apart() -> None:
    loss = WeightedLoss((PixelLossConfig(weight=1), PixelLossConfig(weight=2)))
    _, parts = loss(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4))
    assert list(parts) == ["pixel_l2", "pixel_l2_2"]


def test_style_loss_is_the_formula_of_the_paper(caffe_file: Path) -> None:
    output, target = torch.rand(2, 3, 16, 20), torch.rand(2, 3, 16, 20)
    features = VggFeatures(("relu2_1",), load_vgg_weights(str(caffe_file)))
    expected = torch.zeros(())
    for a, b in zip(features(output)["relu2_1"], features(target)["relu2_1"], strict=True):
        difference = torch.zeros(128, 128)
        for phi, sign in ((a, 1), (b, -1)):
            difference += sign * torch.einsum("chw,dhw->cd", phi, phi) / (128 * 8 * 10)
        expected += difference.square().sum() / 2
    loss = WeightedLoss((StyleLossConfig(layers={"relu2_1": 3.0}),), str(caffe_file))
    torch.testing.assert_close(loss(output, target)[0], 3 * expected)


def test_style_ignores_where_things_are() -> None:
    features = torch.rand(1, 8, 6, 5)
    torch.testing.assert_close(gram(features), gram(features.flip(2, 3)))
    assert (gram(features) - gram(features.flip(1))).abs().max() > 0.01


def test_luma_sees_grey_whole_and_colour_by_its_share() -> None:
    loss = WeightedLoss((PixelLossConfig(norm="l1", of="luma"),))
    target = torch.rand(1, 3, 4, 4) / 2
    total, parts = loss(target + 0.1, target)
    assert total.item() == pytest.approx(0.1)
    assert list(parts) == ["luma_l1"]
    green = torch.tensor([0.0, 0.1, 0.0]).view(1, 3, 1, 1)
    assert loss(target + green, target)[0].item() == pytest.approx(0.0587)


def test_chroma_sees_colour_and_no_grey() -> None:
    loss = WeightedLoss((PixelLossConfig(norm="l1", of="chroma"),))
    target = torch.rand(1, 3, 4, 4) / 2
    total, parts = loss(target + 0.1 * torch.rand(1, 1, 4, 4), target)
    assert total.item() == pytest.approx(0, abs=1e-6)
    assert list(parts) == ["chroma_l1"]
    green = torch.tensor([0.0, 0.1, 0.0]).view(1, 3, 1, 1)
    # Luma rises by 0.0587: R and B fall below it by that, G is above it by the rest.
    expected = (2 * 0.0587 + 0.0413) / 3
    assert loss(target + green, target)[0].item() == pytest.approx(expected, rel=1e-4)


def test_means_see_a_shift_of_colour_and_no_detail() -> None:
    loss = WeightedLoss((PixelLossConfig(norm="l1", of="means"),))
    target = torch.rand(2, 3, 48, 32) / 2
    blue = torch.tensor([0.0, 0.0, 0.03]).view(1, 3, 1, 1)
    total, parts = loss(target + blue, target)
    assert total.item() == pytest.approx(0.01, rel=1e-4)
    assert list(parts) == ["means_l1"]
    detail = torch.tensor([[0.1, -0.1], [-0.1, 0.1]]).repeat(24, 16)
    assert loss(target + detail, target)[0].item() == pytest.approx(0, abs=1e-6)
    # What one region has too much and the next too little is not made up for.
    region = torch.zeros(48, 32)
    region[:16, :16], region[16:32, :16] = 0.06, -0.06
    assert loss(target + region, target)[0].item() == pytest.approx(0.02, rel=1e-4)
    few = target[..., :25, :9]  # neither whole squares nor one
    assert loss(few + blue, few)[0].item() == pytest.approx(0.01, rel=1e-4)
    edge = torch.zeros(25, 9)
    edge[16:] = 0.06  # of two squares, the one that is cut
    assert loss(few + edge, few)[0].item() == pytest.approx(0.03, rel=1e-4)


def test_total_variation_is_zero_for_a_flat_picture_and_known_for_an_edge() -> None:
    loss = WeightedLoss((TotalVariationConfig(),))
    target = torch.rand(1, 3, 4, 4)
    edge = torch.zeros(1, 3, 4, 4)
    edge[..., 2:] = 0.5
    assert loss(torch.full((1, 3, 4, 4), 0.3), target)[0] == 0
    assert loss(edge, target)[0].item() == pytest.approx(0.25 * 4 * 3 / (3 * 16))


def test_losses_are_float32_in_half_precision(caffe_file: Path) -> None:
    terms = (
        PixelLossConfig(),
        PixelLossConfig(of="luma"),
        PixelLossConfig(of="chroma"),
        PixelLossConfig(of="means"),
        ExcessConfig(),
        FeatureLossConfig(),
        StyleLossConfig(),
        TotalVariationConfig(),
        SpectrumConfig(),
    )
    loss = WeightedLoss(terms, str(caffe_file))
    output, target = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    exact, _ = loss(output, target)
    with torch.autocast("cpu", torch.bfloat16):
        half, parts = loss(output.bfloat16(), target)
    assert {value.dtype for value in parts.values()} == {torch.float32}
    torch.testing.assert_close(half, exact, rtol=0.1, atol=0)


def test_only_the_needed_part_is_built(caffe_file: Path) -> None:
    features = VggFeatures(("relu1_2", "relu1_1"), load_vgg_weights(str(caffe_file)))
    assert [name for name, _ in features.stages.named_children()] == [
        "conv1_1",
        "relu1_1",
        "conv1_2",
        "relu1_2",
    ]


def test_torchvision_weights_give_torchvision_features(
    torchvision_file: tuple[Path, nn.Module],
) -> None:
    path, network = torchvision_file
    features = VggFeatures(("relu3_3",), load_vgg_weights(str(path)))
    images = torch.rand(1, 3, 32, 32)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    expected = network((images - mean) / deviation)
    torch.testing.assert_close(features(images)["relu3_3"], expected, rtol=1e-4, atol=1e-5)


def test_missing_layer_names_those_that_are_held(caffe_file: Path) -> None:
    with pytest.raises(
        CheckpointError,
        match=r"'relu3_1' is not in .*vgg\.npz, which holds relu1_1, relu1_2, relu2_1, relu2_2",
    ):
        WeightedLoss((FeatureLossConfig(layers={"relu3_1": 1.0}, vgg=str(caffe_file)),))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.npz", None, "no such file; use 'torchvision'"),
        ("text.npz", b"not a zip", "not a readable .npz"),
        ("text.pth", b"not a zip", "not a PyTorch state dict"),
        (
            "hello.pth",
            b"hello",
            "damaged, or it contains more than tensors",
        ),
        ("weights.bin", b"x", "expected a .pth or .npz"),
    ],
)
def test_bad_weight_files_are_named(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_vgg_weights(str(tmp_path / name))


def test_other_archives_are_refused(tmp_path: Path, caffe_file: Path) -> None:
    path = tmp_path / "other.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(CheckpointError, match=r"not a readable \.npz \(no zip archive\)"):
        load_vgg_weights(str(path))
    np.savez(path, **{"conv1_1.weight": np.array(["a"]), "conv1_1.bias": np.zeros(64)})  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match=r"not a readable \.npz \(can't convert"):
        load_vgg_weights(str(path))
    with np.load(caffe_file) as archive:
        arrays = dict(archive)
    arrays["conv1_2.bias"] = arrays["conv1_2.bias"] * np.nan
    np.savez(path, **arrays)
    with pytest.raises(CheckpointError, match="conv1_2 contains numbers that are not finite"):
        load_vgg_weights(str(path))
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    with pytest.raises(CheckpointError, match="or it contains more than tensors") as refused:
        load_vgg_weights(str(tmp_path / "module.pth"))
    assert "weights_only" not in str(refused.value)


def test_a_network_that_is_no_vgg_is_refused(tmp_path: Path) -> None:
    torch.save(
        {"features.0.weight": torch.zeros(8, 3, 3, 3), "features.0.bias": torch.zeros(8)},
        tmp_path / "other.pth",
    )
    with pytest.raises(CheckpointError, match=r"conv1_1 has shape \(8, 3, 3, 3\), VGG-16 has"):
        load_vgg_weights(str(tmp_path / "other.pth"))


@pytest.mark.parametrize("config", [FeatureLossConfig, StyleLossConfig])
def test_unknown_layer_is_refused_in_the_config(
    config: type[FeatureLossConfig | StyleLossConfig],
) -> None:
    with pytest.raises(ValueError, match=r"layers must be of relu1_1, .*not 'relu6_1'"):
        config(layers={"relu6_1": 1.0})
    with pytest.raises(ValueError, match="at least one VGG-16 layer"):
        config(layers={})


def blur_of_equal_error(image: np.ndarray, error: float) -> np.ndarray:
    """`image` blurred so that its squared error against itself, borders aside, is `error`."""
    low, high = 0.1, 20.0
    for _ in range(30):
        sigma = (low + high) / 2
        blurred = cv2.GaussianBlur(image, (0, 0), sigma)
        if ((blurred - image)[40:-40, 40:-40] ** 2).mean() < error:
            low = sigma
        else:
            high = sigma
    return blurred


def test_genuine_vgg_prefers_a_shift_to_a_blur(shared: Path) -> None:
    """The paper's argument: of two copies of equal L2, the one shifted by a pixel is far nearer."""
    vgg = str(shared / "data" / "vgg16_caffe_relu2_2.npz")
    image = cv2.imread(str(shared / "data" / "eval" / "hr" / "BSD100" / "img_007.png"))
    assert image is not None
    photo = image[:, :, ::-1].astype(np.float32) / 255
    original, shifted = photo[40:-40, 40:-40], photo[40:-40, 41:-39]
    blurred = blur_of_equal_error(photo, ((shifted - original) ** 2).mean())[40:-40, 40:-40]

    def tensor(image: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]

    pixel = WeightedLoss((PixelLossConfig(),))
    feature = WeightedLoss((FeatureLossConfig(vgg=vgg),))
    a, b, c = map(tensor, (original, shifted, blurred))
    torch.testing.assert_close(pixel(b, a)[0], pixel(c, a)[0], rtol=1e-3, atol=0)
    assert feature(b, a)[0] < 0.5 * feature(c, a)[0]


def test_genuine_vgg_has_its_known_activations(shared: Path) -> None:
    weights = load_vgg_weights(str(shared / "data" / "vgg16_caffe_relu2_2.npz"))
    assert weights.layers == ("relu1_1", "relu1_2", "relu2_1", "relu2_2")
    features = VggFeatures(weights.layers, weights)
    active, means = [], []
    for path in sorted((shared / "data" / "eval" / "hr" / "Set14").glob("*.png"))[:6]:
        image = cv2.imread(str(path))
        assert image is not None
        rgb = torch.from_numpy(image[:192, :192, ::-1].astype(np.float32) / 255).permute(2, 0, 1)
        held = features(rgb[None]).values()
        active.append([float((f > 0).float().mean()) for f in held])
        means.append([float(f.mean()) for f in held])
    # The data set's description: 54 / 68 / 66 / 48 % and 20 / 106 / 172 / 188 on natural images.
    np.testing.assert_allclose(np.mean(active, 0), [0.54, 0.68, 0.66, 0.48], atol=0.08)
    np.testing.assert_allclose(np.mean(means, 0), [20, 106, 172, 188], rtol=0.25)
