"""What the doctor says of NVIDIA software, from facts that are made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from framelift.runtime.gpu_doctor import GpuFacts, findings, gather
from framelift.runtime.ort.linkage import NVINFER, linked_major

from ..support.elf import write_library

SOUND = GpuFacts(
    has_gpu=True,
    driver="595.10.01",
    distributions={
        "nvidia-cublas": "13.0.0.19",
        "nvidia-cuda-runtime": "13.0.48",
        "nvidia-cudnn-cu13": "9.13.0",
        "nvidia-nvtx": "13.0.39",
    },
    onnxruntime_gpu="1.31.1",
    onnxruntime_cuda=13,
    onnxruntime_tensorrt=10,
    tensorrt="10.16.1",
)


def test_a_sound_installation_and_one_without_a_gpu() -> None:
    assert list(findings(SOUND)) == []
    assert list(findings(replace(SOUND, has_gpu=False, driver="300.1"))) == []
    assert list(findings(GpuFacts(has_gpu=True))) == []


@pytest.mark.parametrize(
    ("facts", "detail", "fix"),
    [
        (
            replace(SOUND, driver="550.54"),
            "550.54 is too old for CUDA 13, which needs 580 or newer",
            "apt-get install nvidia-driver-580",
        ),
        (
            GpuFacts(has_gpu=True, driver="565.90", plugin_cuda=13),
            "565.90 is too old for CUDA 13, which needs 580 or newer",
            "apt-get install nvidia-driver-580",
        ),
        (
            replace(SOUND, driver="581.1", tensorrt="11.4.0", onnxruntime_tensorrt=11),
            "581.1 is too old for TensorRT 11, which needs 590 or newer",
            "apt-get install nvidia-driver-590",
        ),
        (
            replace(
                SOUND,
                distributions=SOUND.distributions
                | {"nvidia-cublas-cu12": "12.9.1.4", "nvidia-cudnn-cu12": "9.13.0"},
            ),
            "those of CUDA 12 and 13 are both installed; onnxruntime-gpu uses 13",
            "pip uninstall -y nvidia-cublas-cu12 nvidia-cudnn-cu12",
        ),
        (
            replace(SOUND, distributions={"nvidia-cuda-runtime": "13.0.48"}),
            "cuBLAS and cuDNN for CUDA 13 not installed",
            'pip install "onnxruntime-gpu[cuda,cudnn]"',
        ),
        (
            replace(SOUND, tensorrt="11.4.0"),
            "its provider needs TensorRT 10, 11.4.0 is installed; the backend tensorrt works "
            "without it",
            'pip install "tensorrt>=10,<11"',
        ),
    ],
)
def test_each_fault_is_named_with_the_command_that_mends_it(
    facts: GpuFacts, detail: str, fix: str
) -> None:
    (finding,) = findings(facts)
    assert (finding.detail, finding.fix) == (detail, fix)


def test_what_a_library_is_linked_with_is_read_from_it(tmp_path: Path) -> None:
    library = tmp_path / "libonnxruntime_providers_tensorrt.so"
    assert linked_major(library, NVINFER) is None
    write_library(library, ["libc.so.6", "libnvinfer.so.10", "libnvonnxparser.so.10"])
    assert linked_major(library, NVINFER) == 10


def test_this_machine_can_be_looked_at() -> None:
    facts = gather()
    assert all(name.startswith("nvidia-") for name in facts.distributions)
    assert all(finding.fix for finding in findings(facts))
