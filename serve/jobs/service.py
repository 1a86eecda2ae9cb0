"""All parts of a running server, for the routes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .metrics import Metrics
from .queue import JobQueue
from .settings import Settings
from .store import Store
from .uploads import Uploads


class Service:
    """What the routes work with. Raises OutputError if the folder cannot be used."""

    def __init__(self, settings: Settings, sweep_seconds: float = 60.0) -> None:
        self._sweep_seconds = sweep_seconds
        self.settings = settings
        self.metrics = Metrics()
        self.store = Store(settings.folder)
        self.uploads = Uploads(self.store.uploads, settings.limits)
        self.queue = JobQueue(self.store, settings, self.metrics)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work on jobs inside this."""
        try:
            await self.uploads.start()
            await self.queue.start()
            sweeper = asyncio.create_task(self._sweep())
            try:
                yield
            finally:
                sweeper.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await sweeper
                await self.queue.stop()
        finally:
            self.store.close()

    async def _sweep(self) -> None:
        """Remove what has been kept long enough."""
        while True:
            limit = time.time() - self.settings.keep_seconds
            await self.queue.sweep(limit)
            await self.uploads.sweep(limit)
            await asyncio.sleep(self._sweep_seconds)
