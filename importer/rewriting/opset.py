"""Brings a file to an opset that the frame contract and today's runtimes read."""

from __future__ import annotations

import onnx

from ...common.errors import ModelError
from ...common.text import one_line
from ..inspection.foreign import Foreign

_LOWEST = 13
"""From here on the operators that are put around a network have the form that they have today."""
_LOWEST_IR = 8


def settled(foreign: Foreign) -> onnx.ModelProto:
    """The model at an opset of 13 or more, with the lowest IR version that this opset has.

    Raises ModelError if ONNX cannot convert it.
    """
    model = foreign.model
    if foreign.opset < _LOWEST:
        try:
            model = onnx.version_converter.convert_version(model, _LOWEST)
        except Exception as error:  # bare RuntimeErrors and ConvertErrors of the C++ library
            raise ModelError(
                f"{foreign.path}: is of opset {foreign.opset}, and ONNX cannot convert it to "
                f"{_LOWEST} ({one_line(error, 200)}); export it again with opset {_LOWEST} or more"
            ) from error
    needed = onnx.helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True)
    model.ir_version = max(_LOWEST_IR, needed)
    return model
