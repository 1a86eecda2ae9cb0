"""What `start` refuses before it trains."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from framelift.common.errors import BackendError, InputError, OutputError
from framelift.train.distributed import Processes
from framelift.train.loop.start import RunOptions, choose_device, start


@pytest.mark.parametrize("name", ["01", "\N{ARABIC-INDIC DIGIT THREE}", "-1", "cuda:0", "mps", ""])
def test_a_device_that_is_no_number_is_named(name: str) -> None:
    with pytest.raises(BackendError, match=f"device '{name}': unknown; use auto, cpu or"):
        choose_device(name)


@pytest.mark.parametrize("number", ["1", "255", "256", "99999999999999", "9" * 5000])
def test_a_device_that_is_not_there_is_named(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError, match="CUDA device"):  # with a device or without
        choose_device(number if number != "1" else "98")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(BackendError, match=rf"device {number}: this machine has 1 CUDA"):
        choose_device(number)


def test_a_checkpoint_without_its_state_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"dear")
    with pytest.raises(OutputError, match=r"already contains model\.safetensors: .* --out folder"):
        start(RunOptions("realtime-small-x4", [tmp_path], tmp_path, device="cpu"))
    assert (tmp_path / "model.safetensors").read_bytes() == b"dear"


def test_a_run_folder_that_cannot_be_made_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for out in (tmp_path / "file", tmp_path / "file" / "deep" / "run"):
        with pytest.raises(OutputError, match=f"^run folder {out}: {tmp_path}/file is a file; use"):
            start(RunOptions("realtime-small-x4", [tmp_path / "none"], out, device="cpu"))
    with pytest.raises(OutputError, match=r"File name too long"):
        start(
            RunOptions(
                "realtime-small-x4", [tmp_path / "none"], tmp_path / ("x" * 300), device="cpu"
            )
        )


def test_run_folders_that_lead_nowhere_or_are_not_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("dangling", "loop"):
        with pytest.raises(OutputError, match=f"{name}: is a link to nothing; use another"):
            start(
                RunOptions("realtime-small-x4", [tmp_path / "none"], tmp_path / name, device="cpu")
            )
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    with pytest.raises(OutputError, match=f"the folder {tmp_path} is not writable"):
        start(RunOptions("realtime-small-x4", [tmp_path / "none"], tmp_path / "run", device="cpu"))
    # A process of another machine writes nothing, and need not be able to.
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("framelift.train.loop.start.joined", lambda *_: nullcontext())
    with pytest.raises(InputError, match="none: no such folder"):
        start(
            RunOptions(
                "realtime-small-x4", [tmp_path / "none"], tmp_path / "run", device="cpu", threads=1
            )
        )


def test_more_processes_than_devices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(BackendError, match=r"process 3 of this machine finds 1 CUDA device\(s\)"):
        choose_device("auto", Processes(3, 4, 3, 4))


def test_processes_do_not_share_a_device_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with pytest.raises(BackendError, match=r"device 0: 4 processes of this machine would share"):
        choose_device("0", Processes(3, 4, 3, 4))
