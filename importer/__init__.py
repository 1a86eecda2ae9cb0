"""Anyone's ONNX file to a framelift model. Needs no torch.

from framelift.importer import import_model

import_model(Path("4x-model.onnx"), Path("model.onnx"))
"""

from .cache import Kept, import_to_cache
from .importing import import_model
from .outcome import Imported, ImportOptions

__all__ = ["ImportOptions", "Imported", "Kept", "import_model", "import_to_cache"]
