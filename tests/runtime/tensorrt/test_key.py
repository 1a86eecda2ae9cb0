from __future__ import annotations

import json
from dataclasses import replace

import pytest

from framelift.common.errors import ConfigError
from framelift.runtime.gpu.facts import DeviceFacts
from framelift.runtime.gpu.shapes import parse_profile
from framelift.runtime.tensorrt.cache.key import BuilderOptions, EngineKey, key_from_record

KEY = EngineKey(
    onnx_sha256="ab" * 32,
    tensorrt="11.4.0.106",
    device=DeviceFacts("NVIDIA H100 PCIe/80GB", "9.0", "590"),
    profile=parse_profile("270x480"),
    options=BuilderOptions(),
)


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, onnx_sha256="ac" * 32),
        replace(KEY, tensorrt="11.4.1.2"),
        replace(KEY, device=replace(KEY.device, gpu="NVIDIA L40")),
        replace(KEY, device=replace(KEY.device, compute_capability="8.9")),
        replace(KEY, device=replace(KEY.device, driver="595")),
        replace(KEY, profile=parse_profile("270x481")),
        replace(KEY, options=BuilderOptions(level=4)),
        replace(KEY, options=BuilderOptions(tf32=True)),
        replace(KEY, options=BuilderOptions(max_aux_streams=None)),
    ],
)
def test_everything_that_changes_an_engine_changes_its_key(other: EngineKey) -> None:
    assert other.digest() != KEY.digest()
    assert other.stem("model") != KEY.stem("model")


def test_key_is_stable_over_processes_and_releases() -> None:
    # A change of this digest orphans every cached engine: raise sealed.VERSION with it.
    assert KEY.digest() == "632b25891e1ec78b"


def test_file_name_is_plain_whatever_the_gpu_is_called() -> None:
    assert KEY.stem("real time/x4") == (
        "real_time_x4-1x270x480-trt11.4.0.106-NVIDIA_H100_PCIe_80GB-" + KEY.digest()
    )


def test_record_round_trip() -> None:
    ranged = replace(KEY, profile=parse_profile("90x160:270x480:4x540x960"))
    assert key_from_record(json.loads(json.dumps(ranged.record()))) == ranged


def test_fits_ignores_the_shapes_alone() -> None:
    assert KEY.fits(replace(KEY, profile=parse_profile("9x9")))
    assert not KEY.fits(replace(KEY, tensorrt="10.16.1.11"))


@pytest.mark.parametrize(
    ("level", "streams", "message"),
    [(6, 0, "level is 6: use 0 to 5"), (-1, 0, "level is -1"), (3, -1, "max_aux_streams is -1")],
)
def test_options_out_of_range(level: int, streams: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BuilderOptions(level=level, max_aux_streams=streams)
