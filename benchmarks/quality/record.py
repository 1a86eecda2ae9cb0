"""Keeps what `measure_quality` found in the file of the model that it measured."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ...common.errors import ModelError
from ...runtime.models.file import read_spec
from ...runtime.models.scores import SetScores, record_scores
from ..report.documents import Quality
from ..report.settings import WithImages, fields_of
from .scores import originals


def record_quality(model: Path, folder: Path, document: Quality, vgg: str | None) -> None:
    """Write the means of a quality report into the metadata of `model`.

    `folder` and `vgg` are what the report was made with. Raises ModelError when the file is not the
    one that was measured or the outputs were changed before scoring; OutputError.
    """
    if read_spec(model).sha256 != document.model.sha256:
        raise ModelError(f"{model}: changed while it was measured; nothing was recorded")
    settings = document.settings
    if "post-processing" in settings:
        raise ModelError(f"{model}: scores after {settings['post-processing']} are not its own")
    scored, mean = fields_of(WithImages, settings), document.results.mean.model
    if mean.psnr_db is None:  # of outputs that equal the originals there is none to keep
        return
    entry: SetScores = {
        "images": scored.count,
        "images_sha256": _fingerprint(originals(folder)),
        "psnr_db": mean.psnr_db,
        "ssim": mean.ssim,
        # int8 is not computed alike on all processors.
        "measured_on": f"{document.runtime['backend']}, {document.runtime['device']}",
        "measured_with": f"framelift {document.machine.packages['framelift']}",
        "date": document.created[:10],
    }
    if mean.feature_distance is not None:
        entry["feature_distance"] = mean.feature_distance
    if vgg is not None:
        entry["vgg"] = Path(vgg).name
    record_scores(model, {scored.images: entry})


def _fingerprint(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
