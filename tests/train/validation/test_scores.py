"""Validation: scores, feature distance, histogram matching, pictures, TensorBoard."""

from __future__ import annotations

import importlib
import json
import resource
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from framelift.common.errors import (
    CheckpointError,
    InputError,
    MissingDependencyError,
    OutputError,
    TrainingError,
)
from framelift.imaging.quality import evaluate
from framelift.train.checkpoints.file import load_checkpoint
from framelift.train.config.file import load_config
from framelift.train.config.schema import TrainConfig
from framelift.train.logs.board import Board
from framelift.train.loop.trainer import Trainer
from framelift.train.validation.scores import Validator, load_originals

CPU = torch.device("cpu")

CONFIG = """
steps = 4
log_every = 2
[network]
name = "realtime"
scale = 2
channels = 16
layers = 1
expansion = 1
stride = 2
[[loss]]
kind = "pixel"
[data]
crop = 32
batch = 2
[validation]
every = 2
pictures = 1
"""


class Repeat(nn.Module):
    """Nearest-neighbour upscaling, with every value moved by `shift`."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, lr: Tensor) -> Tensor:
        return lr.repeat_interleave(2, 2).repeat_interleave(2, 3) + self.shift


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config, photographs of odd sizes (one grey) and one VGG layer of random weights."""
    folder = tmp_path_factory.mktemp("validation")
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    for name, shape in {"a": (81, 95, 3), "grey": (77, 91)}.items():
        noise = rng.integers(0, 256, shape, np.uint8)
        cv2.imwrite(str(folder / "photos" / f"{name}.png"), cv2.GaussianBlur(noise, (0, 0), 2))
    kernels = {
        "conv1_1.weight": rng.standard_normal((64, 3, 3, 3)).astype(np.float32),
        "conv1_1.bias": np.zeros(64, np.float32),
    }
    np.savez(folder / "vgg.npz", **kernels)  # type: ignore[arg-type]
    (folder / "config.toml").write_text(CONFIG)
    return folder


def settings(setting: Path, *overrides: str) -> TrainConfig:
    photos = setting / "photos"
    overrides = (f"validation.folder={photos}", f"vgg={setting / 'vgg.npz'}", *overrides)
    return load_config(str(setting / "config.toml"), overrides, [str(photos)])


def test_scores_are_the_protocols(setting: Path) -> None:
    scores = Validator(settings(setting), CPU)(Repeat())

    def nearest(image: np.ndarray) -> np.ndarray:
        return image.repeat(2, 0).repeat(2, 1)

    expected = evaluate(load_originals(setting / "photos", 2), nearest, 2)
    assert scores.record() == pytest.approx({"psnr_y": expected.psnr_db, "ssim_y": expected.ssim})


def test_feature_distance_is_the_feature_loss_between_output_and_original(setting: Path) -> None:
    validator = Validator(settings(setting, "validation.feature_layer=relu1_1"), CPU)
    near, far = validator(Repeat()), validator(Repeat(0.2))
    assert near.feature_distance is not None
    assert far.feature_distance is not None
    assert 0 < near.feature_distance < far.feature_distance
    with pytest.raises(CheckpointError, match=r"'relu2_2' is not in .*vgg\.npz"):
        Validator(settings(setting, "validation.feature_layer=relu2_2"), CPU)


def test_histogram_matching_undoes_a_shift(setting: Path) -> None:
    matching = Validator(settings(setting, "validation.histogram_matching=true"), CPU)
    plain = Validator(settings(setting), CPU)
    shifted = Repeat(-0.05)
    assert matching(shifted).quality.psnr_db > plain(shifted).quality.psnr_db + 1
    assert matching(shifted).quality.psnr_db == pytest.approx(
        matching(Repeat()).quality.psnr_db, abs=0.2
    )


def test_too_large_images_are_explained(setting: Path) -> None:
    class Greedy(nn.Module):
        def forward(self, lr: Tensor) -> Tensor:
            return torch.empty(2**60)

    with pytest.raises(TrainingError, match=r"while validating: put smaller images into .*photos"):
        Validator(settings(setting), CPU)(Greedy())


@pytest.mark.parametrize("shift", [float("nan"), float("inf")])
def test_a_network_that_diverged_is_not_scored(setting: Path, shift: float) -> None:
    with pytest.raises(
        TrainingError, match=r"output became nan or inf .*; go on from the last check"
    ):
        Validator(settings(setting), CPU)(Repeat(shift))


def test_pictures_show_bicubic_output_and_original(setting: Path) -> None:
    pictures = Validator(settings(setting), CPU)(Repeat()).pictures
    (name,) = pictures
    assert name == "a"
    original = cv2.imread(str(setting / "photos" / "a.png"))
    assert original is not None
    assert pictures[name].shape == (80, 3 * 94, 3)
    np.testing.assert_array_equal(pictures[name][:, 2 * 94 :, ::-1], original[:80, :94])


def test_run_logs_scores_and_pictures_to_tensorboard(setting: Path, tmp_path: Path) -> None:
    reader = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    run = tmp_path / "run"
    overrides = ["validation.feature_layer=relu1_1", "steps=2"]
    Trainer(settings(setting, *overrides), run, CPU).run(quiet=True)
    overrides[-1] = "steps=4"
    again = Trainer(settings(setting, *overrides), run, CPU)
    again.resume()
    checkpoint = load_checkpoint(again.run(quiet=True))
    names = {"psnr_y", "ssim_y", "feature_distance"}
    assert set(checkpoint.training["validation"]) == {"folder", "images", "step", *names}
    assert checkpoint.training["validation"]["step"] == 4
    records = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if "psnr_y" in record] == [2, 4]
    events = reader.EventAccumulator(str(run / "tensorboard")).Reload()
    tags = events.Tags()
    assert {"loss", "lr", "images_per_s", "data_wait_share", *names} <= set(tags["scalars"])
    assert tags["images"] == ["validation/a"]
    shown = events.Scalars("psnr_y")
    assert [event.step for event in shown] == [2, 4]


def test_missing_tensorboard_is_explained(
    setting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with pytest.raises(MissingDependencyError, match=r"framelift\[train\].*tensorboard=false"):
        Trainer(settings(setting), tmp_path / "run", CPU).run(quiet=True)


def test_unusable_originals_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone: no such folder"):
        load_originals(tmp_path / "gone", 2)
    with pytest.raises(InputError, match="holds no image"):
        load_originals(tmp_path, 2)
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((20, 99, 3), np.uint8))
    with pytest.raises(InputError, match=r"small\.png: 99×20 is too small to score"):
        load_originals(tmp_path, 2)
    (tmp_path / "broken.png").write_text("no")
    with pytest.raises(InputError, match=r"2 left out, the first: .*broken\.png: not a readable"):
        load_originals(tmp_path, 2)


def test_one_unusable_original_does_not_stop_the_others(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 4), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), noise[..., :3])
    cv2.imwrite(str(tmp_path / "b.png"), noise)
    (tmp_path / "c.jpg").write_text("no")
    (tmp_path / "d.psd").write_text("no")
    cv2.imwrite(str(tmp_path / "e.png"), noise[:9, :, 0])
    skipped: list[str] = []
    assert [name for name, _ in load_originals(tmp_path, 2, skipped)] == ["a"]
    assert [line.removeprefix(f"{tmp_path}/") for line in skipped] == [
        "b.png: has transparent pixels, whose hidden colours would count; flatten it first",
        "c.jpg: not a readable image",
        "d.psd: .psd images cannot be read; convert it to PNG",
        "e.png: 40×9 is too small to score",
    ]


def test_a_full_disk_is_one_line_with_tensorboard(
    setting: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    board = Board(tmp_path, 0)
    size = sum(path.stat().st_size for path in (tmp_path / "tensorboard").iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 200, limits[1]))
    try:
        board.write(1, {"loss": 0.5})
        with pytest.raises(
            OutputError, match=r"^cannot write .*tensorboard/events\S+: File too la"
        ):
            board.pictures(1, {"a": np.random.default_rng(0).integers(0, 9, (99, 99, 3), np.uint8)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
        board.close()
    assert capfd.readouterr() == ("", "")
