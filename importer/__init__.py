"""Anyone's ONNX file to a framelift model. Needs no torch.

from framelift.importer import import_model

import_model(Path("4x-model.onnx"), Path("model.onnx"))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cache import Kept, import_to_cache
    from .importing import import_model
    from .outcome import Imported, ImportOptions
else:
    _MODULES = {
        "ImportOptions": ".outcome",
        "Imported": ".outcome",
        "Kept": ".cache",
        "import_model": ".importing",
        "import_to_cache": ".cache",
    }

    def __getattr__(name: str) -> Any:  # noqa: ANN401
        """Import a module when its name is first used: most commands need none."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_MODULES[name], __name__), name)


__all__ = ["ImportOptions", "Imported", "Kept", "import_model", "import_to_cache"]
