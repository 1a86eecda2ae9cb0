"""A model of framelift's own is loaded without going through its file again and again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from framelift.importer.loading import load_upscaler
from framelift.runtime.files.settings import FileSettings


def test_a_model_file_is_read_once(
    monkeypatch: pytest.MonkeyPatch, shuffle_model_path: Path
) -> None:
    reads: Counter[Path] = Counter()
    read = Path.read_bytes

    def counted(path: Path) -> bytes:
        reads[path] += 1
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    model = str(shuffle_model_path)
    settings = FileSettings(backend="onnx-cpu", threads=1)
    with load_upscaler(settings, model, None, say=print) as upscale:
        assert upscale.spec.path == shuffle_model_path
    assert reads[shuffle_model_path] == 1
