"""The figure of the documentation, and the argument it makes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from framelift.common.errors import InputError
from framelift.train.data.photos import usable_rgb
from framelift.train.figures import copies_of_equal_error, main, measure


def test_figure_and_table_are_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (200, 220, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), cv2.GaussianBlur(noise, (0, 0), 2))
    kernels = {
        "conv1_1.weight": rng.standard_normal((64, 3, 3, 3)).astype(np.float32),
        "conv1_1.bias": np.zeros(64, np.float32),
    }
    np.savez(tmp_path / "vgg.npz", **kernels)  # type: ignore[arg-type]
    out = tmp_path / "figure.png"
    main([str(tmp_path / "photo.png"), str(tmp_path / "vgg.npz"), str(out)])
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()]
    assert [row[0].strip() for row in rows] == [
        "copy",
        "---",
        "shifted",
        "blurred",
        "noisy",
        "darker",
    ]
    assert len({row[1] for row in rows[2:]}) == 1  # equal per pixel
    figure = cv2.imread(str(out))
    assert figure is not None
    assert figure.shape == (278, 5 * 220, 3)
    with pytest.raises(InputError, match=r"vgg\.npz: \.npz images cannot be read"):
        main([str(tmp_path / "vgg.npz"), str(tmp_path / "vgg.npz"), str(out)])


def test_genuine_vgg_forgives_a_shift_but_not_a_blur(shared: Path) -> None:
    photo = usable_rgb(shared / "data" / "eval" / "hr" / "BSD100" / "img_007.png")
    assert not isinstance(photo, str)
    vgg = str(shared / "data" / "vgg16_caffe_relu2_2.npz")
    copies = {copy.name: copy for copy in measure(copies_of_equal_error(photo), vgg)}
    shifted, *others = (copies[name] for name in ("shifted", "blurred", "noisy", "darker"))
    for other in others:
        assert other.mse == pytest.approx(shifted.mse, rel=1e-3)
    blurred, noisy, darker = (
        other.features["relu2_2"] / shifted.features["relu2_2"] for other in others
    )
    assert blurred > 2
    # White noise is as near as the shift, no farther: relu2_2 sees 14 pixels and averages it out.
    assert 0.5 < noisy < 2
    assert darker < 0.2
