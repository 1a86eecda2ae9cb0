"""An engine from the cache, or a new one: the one way to get an engine."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from ..models.file import ModelSpec
from .cache.folder import CachedEngine, EngineCache
from .cache.key import EngineKey
from .cache.sidecar import Sidecar
from .verify import EngineFacts


@dataclass(frozen=True)
class Built:
    """What a builder returns: the serialised engine and what was read back from it."""

    plan: bytes
    timings: bytes
    facts: EngineFacts


Builder = Callable[[bytes], Built]
"""Builds an engine, given the timings to begin with; empty if there are none."""


@dataclass(frozen=True)
class Provided:
    """An engine, and whether it had to be built."""

    engine: CachedEngine
    built: bool


def provide(
    spec: ModelSpec, key: EngineKey, cache: EngineCache, build: Builder, *, rebuild: bool = False
) -> Provided:
    """The engine of `key` from the cache, else built by `build` and kept there.

    Of several processes that want the same engine, one builds it and the others wait for it.
    Whatever `build` raises is passed on, with nothing kept.
    """
    path = cache.path(key, spec.name)
    with cache.locked(path):
        found = None if rebuild else cache.load(path)
        if found is not None and found.sidecar.key == key:
            return Provided(found, built=False)
        timings = cache.timing_cache_path(key)
        start = time.perf_counter()
        built = build(cache.read_timings(timings))
        sidecar = describe(spec, key, built, time.perf_counter() - start)
        if built.timings:
            cache.store_timings(timings, built.timings)
        kept = cache.store(path, built.plan, sidecar)
    return Provided(CachedEngine(built.plan, sidecar, kept), built=True)


def describe(spec: ModelSpec, key: EngineKey, built: Built, seconds: float) -> Sidecar:
    """The sidecar of an engine that was just built."""
    return Sidecar(
        key=key,
        model=spec.name,
        model_precision=spec.precision,
        scale=spec.scale,
        built_at=datetime.now(UTC).isoformat(timespec="seconds"),
        build_seconds=round(seconds, 2),
        size_bytes=len(built.plan),
        plan_sha256=hashlib.sha256(built.plan).hexdigest(),
        layers=built.facts.layers,
        device_memory_bytes=built.facts.device_memory_bytes,
        precision=built.facts.precision,
    )
