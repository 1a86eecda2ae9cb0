"""Anyone's ONNX file to a framelift model. Needs no torch.

from framelift.importer import import_model

import_model(Path("4x-model.onnx"), Path("model.onnx"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.libraries.lazy import lazy_names

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
    __getattr__ = lazy_names(__name__, _MODULES)

__all__ = ["ImportOptions", "Imported", "Kept", "import_model", "import_to_cache"]
