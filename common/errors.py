"""The errors that a user can meet. The command line shows each as one line, with this exit code.

```text
FrameliftError                   exit 1
├── InputError                   a file, stream or folder that cannot be read
├── FrameError                   an array that is not a uint8 BGR frame
├── OutputError                  a target that cannot be written
├── ModelError                   an .onnx file or model name that is not a usable Framelift model
│   └── ForeignModelError        an .onnx file that is sound but not a Framelift model
├── BackendError                 a runtime backend, provider or device that is missing or failed
├── MissingDependencyError       an optional package that is not installed
├── ConfigError                  a training configuration or option that makes no sense
├── CheckpointError              a weights file that is damaged or of another kind
├── ExportError                  a network that cannot be exported as asked, or failed parity
├── TrainingError                training that cannot continue (a NaN loss)
└── Interrupted                  Ctrl-C, SIGTERM or SIGHUP; exit 130, 143 or 129
```
"""

from __future__ import annotations


class FrameliftError(Exception):
    """Base of all errors whose message is meant for the user: what, why and what to do."""

    exit_code = 1


class InputError(FrameliftError):
    """A file, stream or folder given as input cannot be read."""


class FrameError(FrameliftError, ValueError):
    """An array given as a frame is not uint8 BGR, or not of a size that the model takes."""


class OutputError(FrameliftError):
    """A target cannot be written."""


class ModelError(FrameliftError):
    """An .onnx file or a model name is not a usable Framelift model."""


class ForeignModelError(ModelError):
    """An .onnx file is not a Framelift model; `framelift import` may turn it into one."""


class BackendError(FrameliftError):
    """A runtime backend, provider or device is missing or failed."""


def cannot_run(name: str, reason: object) -> BackendError:
    """The error of a backend, or of a runtime to compare with, that this machine lacks something
    for.
    """
    return BackendError(f"{name} cannot run on this machine: {reason}")


class MissingDependencyError(FrameliftError, ImportError):
    """An optional package is not installed; the message contains the command that installs it."""


class ConfigError(FrameliftError, ValueError):
    """A training configuration or a command-line value makes no sense."""


class CheckpointError(FrameliftError):
    """A weights file is damaged, of another format, or lacks what was asked for."""


class ExportError(FrameliftError):
    """A network cannot be exported as asked, or its export failed the parity check."""


class TrainingError(FrameliftError):
    """Training cannot start or continue."""


class Interrupted(FrameliftError):  # noqa: N818 -- nothing went wrong
    """The user or the system asked to stop."""

    def __init__(self, message: str, exit_code: int = 130) -> None:
        super().__init__(message)
        self.exit_code = exit_code
