"""The web page, as `framelift web` serves it: the files of its build and the models beside them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)

from ...common.errors import MissingDependencyError
from ...common.notes import Say
from ...web.model_index import Index, model_index
from ...web.site import built_files
from ..jobs.errors import not_found

_INDEX = "models/index.json"
_START = "index.html"


class Page:
    """Answers for the addresses of a fixed list; none of them is made a path."""

    def __init__(self, models: dict[str, Path], say: Say) -> None:
        self._models, self._say = models, say
        self._index: Index | None = None
        self._lock = asyncio.Lock()
        self._problem = ""
        try:
            self._files = built_files()
        except MissingDependencyError as error:
            self._files, self._problem = {}, str(error)
        else:
            self._files |= {f"models/{name}.onnx": path for name, path in models.items()}

    async def answer(self, request: Request) -> Response:
        """GET of anything that is not the API."""
        address = request.path_params["address"]
        if not self._files and not address:
            return PlainTextResponse(
                f"{self._problem}. The API works: /openapi.json describes it.\n"
            )
        if address == _INDEX and self._files:
            return JSONResponse(await self._models_index())
        path = self._files.get(address or _START)
        if path is None:
            raise not_found("page")
        if path.name == _START:
            return HTMLResponse(
                await asyncio.to_thread(_marked, path), headers={"Cache-Control": "no-cache"}
            )
        return FileResponse(path, headers={"Cache-Control": "no-cache"})

    async def _models_index(self) -> Index:
        async with self._lock:  # reading all models takes a moment
            if self._index is None:
                made: Index = await asyncio.to_thread(model_index, self._models, self._say)
                self._index = made
            return self._index


def _marked(path: Path) -> str:
    """The start page, which shows that it comes from a server that files can be uploaded to."""
    return path.read_text(encoding="utf-8").replace("<html", "<html data-server", 1)
