"""GET /metrics, read by Prometheus's own parser."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from .conftest import Served, Start


def samples(server: Served) -> dict[tuple[str, ...], float]:
    text = server.client.get("/metrics").text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_it_counts_requests_jobs_frames_and_seconds(start: Start, clip: Path, photo: Path) -> None:
    server = start()
    assert samples(server)["framelift_queue_length",] == 0
    job_id = server.upload(clip)
    server.finished(job_id)
    server.client.post(
        "/v1/upscale", files={"file": ("a.png", photo.read_bytes())}, data={"model": "tiny"}
    )
    server.finished(server.upload(photo))
    server.client.get(f"/v1/jobs/{job_id}")
    server.client.get("/v1/" + "a" * 100)
    server.client.request("STRANGE", "/v1/jobs")
    found = samples(server)
    assert found["framelift_requests_total", "/v1/jobs", "201", "POST"] == 2
    assert found["framelift_requests_total", "/v1/jobs/{id}", "200", "GET"] == 1
    assert found["framelift_requests_total", "404", "GET", "other"] == 1
    assert found["framelift_requests_total", "/v1/jobs", "405", "other"] == 1
    assert found["framelift_jobs_total", "done", "video"] == 1
    assert found["framelift_jobs_total", "done", "image"] == 2
    assert found["framelift_frames_total",] == 14
    assert found["framelift_uploaded_bytes_total",] > clip.stat().st_size
    for stage in ("run", "decode", "upscale", "encode"):
        assert found["framelift_stage_seconds_total", stage] > 0
