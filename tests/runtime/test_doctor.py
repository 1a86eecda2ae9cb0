"""What the doctor finds in this and in broken installations."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import onnxruntime
import pytest

from framelift.runtime.doctor import Check, Status, diagnose


def install(site: Path, name: str, version: str) -> None:
    """Make a distribution look installed in the folder `site`."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")


def package(name: str, model: Path) -> Check:
    return next(check for check in diagnose(model).packages if check.name == name)


def test_this_installation_works(shuffle_model_path: Path) -> None:
    diagnosis = diagnose(shuffle_model_path)
    assert "onnx-cpu" in diagnosis.working_backends
    assert diagnosis.can_upscale_video
    assert {check.name for check in diagnosis.packages} >= {"numpy", "opencv", "torch", "tensorrt"}
    for check in (*diagnosis.packages, diagnosis.encoder, *diagnosis.backends):
        assert check.detail
        assert "\n" not in check.detail


def test_two_engines_are_a_problem_with_its_cure(
    shuffle_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "onnxruntime-gpu", "1.31.1")
    install(tmp_path, "onnxruntime", "1.31.1")
    # Both name one folder as theirs, beside which their metadata lie.
    (tmp_path / "onnxruntime").symlink_to(Path(onnxruntime.__file__).parent)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnxruntime")
    diagnosis = diagnose(shuffle_model_path)
    engine = package("onnxruntime", shuffle_model_path)
    assert engine.status is Status.PROBLEM
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in engine.detail
    assert diagnosis.working_backends == ()
    assert not diagnosis.can_upscale_video


def test_two_opencvs_are_a_problem_with_its_cure(
    shuffle_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "opencv-python", "5.0.0.1")
    install(tmp_path, "opencv-python-headless", "5.0.0.1")
    monkeypatch.syspath_prepend(tmp_path)
    opencv = package("opencv", shuffle_model_path)
    assert opencv.status is Status.PROBLEM
    assert opencv.fix.startswith("pip uninstall -y opencv-python opencv-python-headless && ")


def test_the_window_system_of_opencv_is_named(
    shuffle_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "\n  GUI:            NONE\n")
    assert "headless: no windows" in package("opencv", shuffle_model_path).detail
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "\n  GUI:            GTK3\n")
    assert "windows: GTK3" in package("opencv", shuffle_model_path).detail


def test_a_missing_encoder_is_a_problem(
    shuffle_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_codec(name: str, mode: str) -> None:
        raise av.codec.codec.UnknownCodecError(name)

    monkeypatch.setattr(av.codec, "Codec", no_codec)
    diagnosis = diagnose(shuffle_model_path)
    assert diagnosis.encoder.status is Status.PROBLEM
    assert "without libx264" in diagnosis.encoder.detail
    assert "pip install" in diagnosis.encoder.fix
    assert not diagnosis.can_upscale_video


def test_missing_pyav_is_a_problem(
    shuffle_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    encoder = diagnose(shuffle_model_path).encoder
    assert encoder.status is Status.PROBLEM
    assert encoder.fix == "pip install --force-reinstall av"


def test_a_model_that_cannot_run_is_the_backends_problem(tmp_path: Path) -> None:
    backends = {check.name: check for check in diagnose(tmp_path / "none.onnx").backends}
    assert backends["onnx-cpu"].status is Status.PROBLEM
    assert "none.onnx" in backends["onnx-cpu"].detail
