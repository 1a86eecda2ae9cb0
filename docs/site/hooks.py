"""What the site needs beside docs/: pages made of files at the repository's root, and one check.

README.md becomes the first page, ARCHITECTURE.md and CHANGELOG.md become pages of their own. The
links in the files are those that GitHub understands; here they are changed to fit the site. The
build fails if a page would load something from another host.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))  # hooks are loaded from files, not from a package
from commands import command_reference
from http_api import http_reference, openapi_document

ROOT = Path(__file__).parents[2]
ROOT_PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
}
COMMANDS = "<!-- commands -->"
HTTP = "<!-- http -->"
OPENAPI = "reference/openapi.json"
INLINE_CODE = re.compile(r"(?<!<pre>)<code>[^<]*</code>")
WITH_HYPHEN = re.compile(r"(?<![^\s>])-{1,2}[a-z][a-z0-9-]{0,24}")
# A script, style sheet, picture, frame or import of a style sheet on another host.
FOREIGN = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|<link\b[^>]*rel=["']?(?:stylesheet|preload|preconnect|icon)\b[^>]*href=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|(?:@import|url\()\s*["']?(?:https?:)?//[^"')\s]+"""
)


def on_startup(command: str, dirty: bool) -> None:
    """Lay out the packages as they are installed, for mkdocstrings, which reads their source.

    At the very start, since mkdocstrings looks for the folder when it is configured.
    """
    packages = ROOT / "build" / "packages"
    shutil.rmtree(packages, ignore_errors=True)
    (packages / "framelift").mkdir(parents=True)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for name in settings["tool"]["setuptools"]["packages"]:
        _, *folders = name.split(".")
        if len(folders) == 1:
            (packages / "framelift" / folders[0]).symlink_to(ROOT / folders[0])


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are files at the root."""
    for source, page in ROOT_PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, OPENAPI, content=json.dumps(openapi_document(), indent=1)))
    for source in sorted(_linked_files()):
        path = str(ROOT / source)
        files.append(File.generated(config, f"files/{source}", abs_src_path=path))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the reference; turn links between docs/ and the root into links inside the site."""
    if COMMANDS in markdown:
        markdown = markdown.replace(COMMANDS, command_reference())
    if HTTP in markdown:
        markdown = markdown.replace(HTTP, http_reference())
    markdown = markdown.replace("](docs/", "](")
    for source, target in ROOT_PAGES.items():
        for prefix in ("", "../"):
            markdown = markdown.replace(f"]({prefix}{source}", f"]({target}")
    for source in _linked_files():
        markdown = markdown.replace(f"](../{source})", f"](files/{source})")
    return markdown


def _linked_files() -> set[str]:
    """Files outside docs/ that pages directly below docs/ link to; the site gets copies."""
    found: set[str] = set()
    for page in (ROOT / "docs").glob("*.md"):
        found.update(re.findall(r"\]\(\.\./([^)#]+)\)", page.read_text(encoding="utf-8")))
    return found - ROOT_PAGES.keys()


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Keep options and names in one piece: browsers would break `--scale` after a hyphen."""

    def whole(code: re.Match[str]) -> str:
        return WITH_HYPHEN.sub(r'<span class="whole">\g<0></span>', code[0])

    return INLINE_CODE.sub(whole, html)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that would load something from another host."""
    found = FOREIGN.search(output)
    if found:
        raise PluginError(f"{page.file.src_uri} loads from another host: {found[0]}")
    return output
