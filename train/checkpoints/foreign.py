"""PyTorch files of others, read without running what they hold."""

from __future__ import annotations

from pathlib import Path

import torch

from ...common.text import first_line


def load_foreign(path: Path) -> object:
    """What `torch.save` wrote: tensors and plain containers only, on the CPU.

    Raises ValueError, with one line for the user, for anything else.
    """
    try:
        loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(first_line(error, 120)) from error
    # Bytes of another kind are taken for opcodes, which fail in any way; and PyTorch's own text for
    # what is more than tensors advises to run it.
    except Exception as error:
        raise ValueError(
            "not a PyTorch state dict (damaged, or it contains more than tensors)"
        ) from error
    return loaded
