"""What GET /metrics returns, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from .job import Job

MEDIA_TYPE = CONTENT_TYPE_LATEST
disable_created_metrics()  # type: ignore[no-untyped-call] # a line for each counter that nobody plots


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "framelift_requests",
            "Requests answered, by method, path and status.",
            ["method", "path", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "framelift_request_seconds",
            "From a request's arrival to the end of its answer.",
            ["path"],
            registry=self._registry,
        )
        self._jobs = Counter(
            "framelift_jobs",
            "Jobs that ended, by kind (image, video) and end.",
            ["kind", "end"],
            registry=self._registry,
        )
        self._stages = Counter(
            "framelift_stage_seconds",
            "Time by stage: queue and run of all jobs; decode, upscale "
            "and encode, which overlap, of videos.",
            ["stage"],
            registry=self._registry,
        )
        self._frames = Counter(
            "framelift_frames", "Frames written; an image is one.", registry=self._registry
        )
        self._uploaded = Counter(
            "framelift_uploaded_bytes", "Bytes received of uploads.", registry=self._registry
        )
        for stage in ("queue", "run", "decode", "upscale", "encode"):
            self._stages.labels(stage)

    def watch_queue(self, waiting: Callable[[], int], running: Callable[[], int]) -> None:
        """Ask these for the number of jobs that wait and that run."""
        text = "Jobs that wait for a worker."
        Gauge("framelift_queue_length", text, registry=self._registry).set_function(waiting)
        text = "Jobs that are worked on."
        Gauge("framelift_jobs_running", text, registry=self._registry).set_function(running)

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request; `path` has names for what differs, such as {id}."""
        self._requests.labels(method, path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def received(self, count: int) -> None:
        """Count bytes of an upload."""
        self._uploaded.inc(count)

    def ended(self, job: Job, end: str, facts: Mapping[str, Any] | None = None) -> None:
        """Count a job; `facts` is the command's summary of it."""
        self._jobs.labels("image" if job.is_picture else "video", end).inc()
        if job.started is not None:
            self._stages.labels("queue").inc(max(0.0, job.started - job.created))
            if job.finished is not None:
                self._stages.labels("run").inc(max(0.0, job.finished - job.started))
        if facts is not None:
            self._frames.inc(facts.get("frames", 1))
            for stage, share in facts.get("occupancy", {}).items():
                self._stages.labels(stage).inc(share * facts["seconds"])

    def text(self) -> bytes:
        """Everything in the format of Prometheus."""
        return generate_latest(self._registry)
