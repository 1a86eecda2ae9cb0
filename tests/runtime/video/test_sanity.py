"""An output that has nothing of its input ends the run; whatever networks make does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framelift.common.errors import BackendError
from framelift.runtime import Upscaler
from framelift.runtime.models import zoo
from framelift.runtime.video.clip.frame import Image
from framelift.runtime.video.sanity import fault_of_output
from framelift.runtime.video.whole_file import upscale_video

from ...support.clips import Nearest, make_clip, noise


class Broken(Nearest):
    """An upscaler whose frames are what `make` makes of the right ones."""

    def __init__(self, kind: str) -> None:
        super().__init__(2)
        self.kind = kind

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        big = super().__call__(frame, out)
        if self.kind == "inverted":
            np.subtract(255, big, out=big)
        elif self.kind == "another picture":
            big[...] = np.random.default_rng(0).integers(0, 256, big.shape, np.uint8)
        else:
            big[...] = {"black": 0, "white": 255, "of one colour": 90}[self.kind]
        return big


KINDS = ["black", "white", "of one colour", "inverted", "another picture"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_without_its_input_ends_the_run(tmp_path: Path, kind: str) -> None:
    # The first frames show nothing to judge by.
    images = [np.zeros((48, 64, 3), np.uint8)] * 3 + noise(3)
    source = make_clip(tmp_path / "a.mp4", images)
    message = f"does not resemble the input, it is {kind}; .* --backend"
    with pytest.raises(BackendError, match=message):
        upscale_video(source, tmp_path / "out.mp4", Broken(kind), quiet=True, say=lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_frames_that_show_nothing_are_not_judged() -> None:
    for flat in (np.zeros((9, 9, 3), np.uint8), np.full((50, 80, 3), 200, np.uint8)):
        assert fault_of_output(flat, flat) == ""
        assert fault_of_output(flat, 255 - flat) == ""


@pytest.mark.parametrize("name", ["realtime-nano-x4-video", "realtime-nano-x2-int8", "wave"])
def test_what_networks_make_is_taken(name: str) -> None:
    rng = np.random.default_rng(1)
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 48, 0).repeat(3, 2)
    frames = [*noise(2), rng.integers(0, 256, (48, 64, 3), np.uint8), ramp]
    frames.append(rng.integers(0, 256, (8, 8, 3), np.uint8))
    with Upscaler.load(zoo.resolve(name), backend="onnx-cpu") as upscale:
        for frame in frames:
            if name != "wave" or min(frame.shape[:2]) > 8:
                assert fault_of_output(frame, upscale(frame)) == ""
