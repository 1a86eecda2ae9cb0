"""What the page consists of: the files of its build, and the models beside it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from ..common.errors import MissingDependencyError, ModelError, OutputError
from ..common.notes import Say
from ..runtime.models.zoo import shipped_models
from .model_index import model_index

DIST = Path(__file__).parent / "dist"

HEADERS = {
    # Both let WebAssembly use threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    # No request to another host, whatever the page does.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; worker-src 'self' blob:; "
        "connect-src 'self' blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def built_files() -> dict[str, Path]:
    """The files of the built page by their address below the page, such as "assets/index.css".

    Raises:
        MissingDependencyError: it is not built.
    """
    if not (DIST / "index.html").is_file():
        raise MissingDependencyError(
            "the page is not built: run `make web` in framelift's source folder, with Node.js 20 "
            "or newer"
        )
    return {
        path.relative_to(DIST).as_posix(): path
        for path in sorted(DIST.rglob("*"))
        if path.is_file()
    }


def models_in(folder: Path | None) -> dict[str, Path]:
    """Name to path of the models to offer: those in `folder`, or those that ship.

    Raises:
        ModelError: the folder does not exist or holds no .onnx file.
    """
    if folder is not None and not folder.is_dir():
        raise ModelError(f"{folder} is not a folder: name one that contains .onnx files")
    models = shipped_models(folder)
    if not models:
        where = folder or "this installation"
        raise ModelError(f"{where} contains no .onnx file: name a folder of exports with --models")
    return models


def save_site(target: Path, models: dict[str, Path], say: Say) -> int:
    """Write the page and the models into `target`, to be published as it is; returns its bytes.

    `_headers` is read by several hosts of static sites.

    Raises:
        OutputError: the folder holds other files already, or cannot be written.
        MissingDependencyError: the page is not built.
    """
    files = built_files()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OutputError(f"{target} exists and is not empty: name a new folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as beside:
            site = Path(beside) / "site"
            _write_site(site, files, models, say)
            if target.is_dir():
                target.rmdir()
            site.rename(target)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}") from error
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def _write_site(site: Path, files: dict[str, Path], models: dict[str, Path], say: Say) -> None:
    for address, path in files.items():
        _copy(path, site / address)
    for name, path in models.items():
        _copy(path, site / "models" / f"{name}.onnx")
    index = json.dumps(model_index(models, say), ensure_ascii=False, indent=1)
    (site / "models" / "index.json").write_text(index + "\n", encoding="utf-8")
    lines = "".join(f"  {name}: {value}\n" for name, value in HEADERS.items())
    (site / "_headers").write_text(f"/*\n{lines}", encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
