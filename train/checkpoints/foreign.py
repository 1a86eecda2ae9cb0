"""PyTorch files of others, read without running what they hold."""

from __future__ import annotations

from pathlib import Path

import torch


def load_foreign(path: Path) -> object:
    """What `torch.save` wrote: tensors and plain containers only, on the CPU.

    Raises ValueError, with one line for the user, for anything else.
    """
    try:
        loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(first_line(error)) from error
    # Bytes of another kind are taken for opcodes, which fail in any way; and PyTorch's own text for
    # what is more than tensors advises to run it.
    except Exception as error:
        raise ValueError(
            "not a PyTorch state dict (damaged, or it holds more than tensors)"
        ) from error
    return loaded


def first_line(error: BaseException) -> str:
    """The first line of an error's text, cut to a length that can be shown."""
    return str(error).strip().split("\n")[0][:120] or type(error).__name__
