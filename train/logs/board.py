"""TensorBoard's event files, written at once and by this thread.

PyTorch's own writer has a thread that keeps lines back for minutes, and that dies with a traceback
when the disk is full.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...common.errors import MissingDependencyError, OutputError

_numbers = itertools.count()


class Board:
    """TensorBoard's event files in the run folder."""

    def __init__(self, folder: Path, step: int) -> None:
        """Go on after `step`: what is shown of later ones, of a session that was lost, is dropped.

        Raises MissingDependencyError without the tensorboard package, OutputError if the file
        cannot be made.
        """
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise MissingDependencyError(
                "TensorBoard logs need tensorboard: pip install 'framelift[train]', or set "
                "tensorboard=false"
            ) from error
        self._events: Any = event_pb2
        self._summaries: Any = summary_pb2
        name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}"
        self._path = folder / "tensorboard" / f"{name}.{os.getpid()}.{next(_numbers)}"
        try:
            self._path.parent.mkdir(exist_ok=True)
            self._writer = RecordWriter(self._path.open("xb"))
        except OSError as error:
            raise self._failed(error) from error
        start = self._events.SessionLog.START
        self._add(step=step + 1, file_version="brain.Event:2")
        self._add(step=step + 1, session_log=self._events.SessionLog(status=start))

    def write(self, step: int, record: Mapping[str, float]) -> None:
        """Show numbers under their names. Raises OutputError."""
        values = [
            self._summaries.Summary.Value(tag=name, simple_value=value)
            for name, value in record.items()
        ]
        self._add(step=step, summary=self._summaries.Summary(value=values))

    def pictures(self, step: int, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        """Show uint8 H×W×3 RGB pictures. Raises OutputError."""
        values = []
        for name, picture in pictures.items():
            height, width, _ = picture.shape
            png = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
            image = self._summaries.Summary.Image(
                height=height, width=width, colorspace=3, encoded_image_string=png
            )
            values.append(self._summaries.Summary.Value(tag=f"validation/{name}", image=image))
        self._add(step=step, summary=self._summaries.Summary(value=values))

    def close(self) -> None:
        """Every event is written at once; what could not be was reported."""
        with contextlib.suppress(OSError):
            self._writer.close()

    def _add(self, **event: object) -> None:
        try:
            event_bytes = self._events.Event(wall_time=time.time(), **event).SerializeToString()
            self._writer.write(event_bytes)
            self._writer.flush()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self._path}: {error.strerror}")
