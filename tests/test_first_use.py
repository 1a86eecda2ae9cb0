"""Modules are imported when they are first needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from framelift import importer


def test_every_name_of_the_importer_is_there() -> None:
    for public in importer.__all__:
        assert getattr(importer, public) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        importer.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_an_image_is_upscaled_without_what_is_for_videos_and_gpus(
    tmp_path: Path, nearest_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And from the second time on, without ONNX."""
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "cache"))
    code = f"""
import sys
import cv2, numpy as np
cv2.imwrite({str(tmp_path / "a.png")!r}, np.zeros((4, 5, 3), np.uint8))
from framelift.cli.main import main
try:
    main(["upscale", {str(tmp_path / "a.png")!r}, {str(tmp_path / "b.png")!r},
          "--model", {str(nearest_model_path)!r}, "--overwrite"])
except SystemExit as ended:
    assert not ended.code
unwanted = {{"av", "torch", "ray", "psutil", "tqdm", "PIL.IcnsImagePlugin", "PIL.AvifImagePlugin",
             "framelift.runtime.live.run", "framelift.runtime.video.whole_file",
             "framelift.runtime.backends.tensorrt", "framelift.importer.importing",
             "framelift.importer.strokes", "framelift.cli.train", "framelift.cli.bench.group"}}
unwanted |= set(sys.argv[1:])
assert not unwanted & set(sys.modules), unwanted & set(sys.modules)
import gc
assert gc.isenabled()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    first = (tmp_path / "b.png").read_bytes()
    again = ("onnx", "google.protobuf", "importlib.metadata")
    subprocess.run([sys.executable, "-c", code, *again], check=True)
    assert (tmp_path / "b.png").read_bytes() == first
