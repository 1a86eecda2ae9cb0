"""The wheel holds every folder and nothing else; folders import each other one way only."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (
    "archive",
    "benchmarks",
    "cli",
    "common",
    "export",
    "imaging",
    "importer",
    "runtime",
    "serve",
    "train",
    "web",
)
SHIPPED = {".html", ".json", ".onnx", ".png", ".py", ".toml", ".typed"}

ALLOWED = {
    "common": {"common"},
    "imaging": {"imaging", "common"},
    "runtime": {"runtime", "common"},
    "train": {"train", "imaging", "common"},
    "export": {"export", "train", "runtime", "imaging", "common"},
    "importer": {"importer", "export", "runtime", "imaging", "common"},
    "archive": {"archive", "importer", "runtime", "imaging", "common"},
    "serve": {"serve", "web", "runtime", "imaging", "common"},
    "benchmarks": {"benchmarks", "runtime", "train", "imaging", "common"},
    "web": {"web", "runtime", "imaging", "common"},
    "cli": set(FOLDERS),
}
PAGE = ("web/dist/index.html", "web/dist/assets/index.js", "web/dist/ort/ort.wasm")
"""Files as `make web` writes them."""
NOT_SHIPPED = {"node_modules", "dist", "src", "public"}
"""Folders of web/ that hold the sources of the page, and what is made of them."""


def sources(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in found if not NOT_SHIPPED & set(path.relative_to(ROOT).parts)]


def test_every_package_on_disk_is_listed_for_the_wheel() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = config["tool"]["setuptools"]["packages"]
    inits = (path.parent for path in sources(*FOLDERS) if path.name == "__init__.py")
    assert sorted(listed) == sorted(
        ".".join(("framelift", *path.relative_to(ROOT).parts)) for path in inits
    )


def test_no_folder_is_imported_by_its_bare_name() -> None:
    bare = []
    for path in sources(*FOLDERS, "tests", "examples"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            bare += [f"{path}: {name}" for name in names if name.split(".")[0] in FOLDERS]
    assert not bare


def imported(path: Path) -> set[str]:
    """The modules of this repository that a file imports, as `runtime.models.file`."""
    module = path.relative_to(ROOT).with_suffix("").parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*module[: len(module) - node.level], *(node.module or "").split("."))
            name = ".".join(part for part in base if part)
            found |= {f"{name}.{alias.name}" for alias in node.names} | {name}
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The names along one circle, the first one again at the end; nothing if there is none."""
    done: set[str] = set()

    def search(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        found = next((c for other in sorted(graph[name]) if (c := search(other, [*way, name]))), [])
        done.add(name)
        return found

    return next((c for name in sorted(graph) if (c := search(name, []))), [])


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_file_and_no_folder_imports_itself_through_others() -> None:
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sources(*FOLDERS, "hardware", "models")
    }
    modules = {name: (imported(path) & files.keys()) - {name} for name, path in files.items()}
    # A package stands for its `__init__.py`, so a module that imports its sister does not count.
    assert not circle(modules)

    def folder(name: str) -> str:
        return name if files[name].name == "__init__.py" else name.rpartition(".")[0]

    folders: dict[str, set[str]] = {folder(name): set() for name in files}
    for name, others in modules.items():
        folders[folder(name)] |= {folder(other) for other in others} - {folder(name)}
    assert not circle(folders)


@pytest.mark.parametrize("folder", FOLDERS)
def test_dependencies_point_one_way(folder: str) -> None:
    wrong = []
    for path in sources(folder):
        depth = len(path.relative_to(ROOT).parts) - 1  # dots that lead up to `framelift`
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == depth + 1:
                targets = [node.module] if node.module else [alias.name for alias in node.names]
                wrong += [
                    f"{path}: {target}"
                    for target in targets
                    if target.split(".")[0] not in ALLOWED[folder]
                ]
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("framelift"):
                wrong.append(f"{path}: absolute import of {node.module}")
    assert not wrong


def test_the_wheel_holds_exactly_the_shipped_files(tmp_path: Path) -> None:
    """And the page for browsers, where it was built."""
    tree = tmp_path / "tree"
    left_out = shutil.ignore_patterns(
        ".*", "build", "dist", "node_modules", "*.egg-info", "__pycache__", "runs", "tests"
    )
    shutil.copytree(ROOT, tree, symlinks=True, ignore=left_out)
    for name in PAGE:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("built")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            str(tmp_path),
            str(tree),
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("framelift-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {
        f"framelift/{path.relative_to(ROOT).as_posix()}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in SHIPPED or path.name == "py.typed"
        if folder != "web" or path.suffix in {".py", ".typed"}
        if not NOT_SHIPPED & set(path.relative_to(ROOT).parts)
    }
    assert held == wanted | {f"framelift/{name}" for name in PAGE}


def test_the_importer_needs_nothing_of_the_train_extra() -> None:
    """It runs with an engine alone, so what it takes of `export` must do without PyTorch."""
    code = (
        "import sys; import framelift.importer.cache; "
        "extra = {'torch', 'torchvision', 'onnxscript', 'safetensors', 'jinja2', 'spandrel'}; "
        "found = extra & set(sys.modules); sys.exit(f'imported {found}' if found else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_and_upscale_import_no_heavy_package() -> None:
    code = (
        "import sys; from framelift.cli.main import framelift; "
        "heavy = {'torch', 'onnx', 'onnxruntime', 'cv2', 'av', 'numpy'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
