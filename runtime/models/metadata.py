"""The entries of a model file whose names begin with `framelift.`, and the values in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.errors import ForeignModelError, ModelError
from .digest import PREFIX

if TYPE_CHECKING:
    import onnx

ACTIVATION_BYTES = "activation_bytes"
"""Of models whose graph does not state the sizes of all its values."""
FORMAT = 1
TEMPORAL_FORMAT = 2
"""That of models of several frames, which no earlier framelift can run."""
_REQUIRED = (
    "task",
    "scale",
    "size_multiple",
    "halo",
    "precision",
    "opset",
    "network",
    "weights_sha256",
    "parity",
    "created_with",
    "licence",
)


@dataclass(frozen=True)
class Metadata:
    """The entries of the file at `path`, without the prefix. What cannot be read raises ModelError,
    which names the file and the entry.
    """

    path: Path
    entries: dict[str, str]

    @classmethod
    def of(cls, path: Path, model: onnx.ModelProto) -> Metadata:
        """Those of a model. Raises ForeignModelError if it has none, ModelError if some lack."""
        entries = {
            entry.key.removeprefix(PREFIX): entry.value
            for entry in model.metadata_props
            if entry.key.startswith(PREFIX)
        }
        metadata = cls(path, entries)
        metadata._check_format()
        return metadata

    def label(self, key: str, default: str | None = None) -> str:
        """A text that is shown in messages."""
        text = self._get(key, default)
        if len(text) > 200 or not text.isprintable():
            raise ModelError(
                f"{self.path}: metadata {PREFIX}{key} is {text[:40]!r}…, expected a short name: "
                "export it again"
            )
        return text

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number."""
        text = self._get(key, None if default is None else str(default))
        try:
            return int(text)
        except ValueError:
            raise ModelError(
                f"{self.path}: metadata {PREFIX}{key} is {text[:40]!r}, expected a whole number"
            ) from None

    def document(self, key: str) -> dict[str, object]:
        """A JSON object."""
        try:
            value = json.loads(self.entries[key])
        except (ValueError, RecursionError):  # also numbers that are too long, and lists too deep
            value = None
        if not isinstance(value, dict):
            raise ModelError(
                f"{self.path}: metadata {PREFIX}{key} is not a JSON object: export it again"
            )
        return value

    def _get(self, key: str, default: str | None) -> str:
        return self.entries[key] if default is None else self.entries.get(key, default)

    def _check_format(self) -> None:
        path = self.path
        if "format" not in self.entries:
            raise ForeignModelError(
                f"{path} is an ONNX file but not a framelift model (no {PREFIX}format metadata): "
                f"make one of it with `framelift import {path} -o MODEL.onnx`"
            )
        found = self.integer("format")
        if found > TEMPORAL_FORMAT:
            raise ModelError(
                f"{path} has framelift format {found}, this version reads up to {TEMPORAL_FORMAT}: "
                "run `pip install --upgrade framelift`"
            )
        missing = [PREFIX + key for key in _REQUIRED if key not in self.entries]
        if missing:
            raise ModelError(f"{path} lacks the metadata {', '.join(missing)}: export it again")
