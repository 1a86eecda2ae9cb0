"""Jobs: queued, watched to their end, cancelled, downloaded."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import pytest

from framelift.serve.jobs.process import Running
from framelift.serve.jobs.queue import progress_of

from ..support.waiting import wait_until
from .conftest import Served, Start

SLEEPS = (sys.executable, "-c", "import time; time.sleep(600)")


def test_a_video_runs_to_its_end_with_progress(server: Served, long_clip: Path) -> None:
    job_id = server.upload(long_clip, crf="30")
    events = server.events(job_id)
    assert [name for name, _ in events[:-1]] == ["progress"] * (len(events) - 1)
    shown = [job["progress"] for _, job in events if job["progress"]]
    assert {progress["total"] for progress in shown} == {300}
    assert any(0 < progress["fraction"] < 1 and progress["eta_seconds"] > 0 for progress in shown)
    name, job = events[-1]
    assert (name, job["state"], job["error"]) == ("end", "done", None)
    assert (job["result"]["width"], job["result"]["height"]) == (512, 384)
    result = server.client.get(job["result"]["url"])
    assert result.headers["content-type"] == "video/mp4"
    assert len(result.content) == job["result"]["bytes"]
    path = server.folder / "result.mp4"
    path.write_bytes(result.content)
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 300 == job["result"]["frames"]
    source = server.client.get(job["input"]["url"], headers={"Range": "bytes=0-9"})
    assert (source.status_code, source.content) == (206, long_clip.read_bytes()[:10])
    assert server.client.delete(f"/v1/jobs/{job_id}").status_code == 204
    path.unlink()
    server.idle()


def test_a_cancelled_job_leaves_nothing(server: Served, long_clip: Path) -> None:
    job_id = server.upload(long_clip)
    wait_until(lambda: server.client.get(f"/v1/jobs/{job_id}").json()["progress"], "progress")
    assert server.client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert server.left_over() == []
    for address in ("", "/events", "/input", "/result"):
        assert server.client.get(f"/v1/jobs/{job_id}{address}").status_code == 404
    assert server.client.delete(f"/v1/jobs/{job_id}").status_code == 404
    assert server.service.queue.unfinished == 0


def test_those_who_watch_a_job_are_told_that_it_was_deleted(start: Start, clip: Path) -> None:
    server = start(workers=1, command=SLEEPS)
    running, waiting = server.upload(clip), server.upload(clip)
    job = server.client.get(f"/v1/jobs/{waiting}").json()
    assert (job["state"], job["position"]) == ("queued", 0)
    with server.client.stream("GET", f"/v1/jobs/{waiting}/events") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: progress"
        server.client.delete(f"/v1/jobs/{waiting}")
        assert "event: deleted" in list(lines)
    server.client.delete(f"/v1/jobs/{running}")
    server.idle()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "text.mp4",
            b"Dear diary, today I renamed a text.\n" * 20,
            "text.mp4: cannot be read as a video, or is damaged "
            "(Invalid data found when processing input)",
        ),
        (
            "list.mp4",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
            "list.mp4: cannot be read as a video, or is damaged "
            "(Invalid data found when processing input)",
        ),
        (
            "list.mp4",
            b"ffconcat version 1.0\nfile input.mp4\n",
            "list.mp4: this server does not read this container; convert it to .mp4 first",
        ),
    ],
)
def test_a_file_that_is_no_video_gets_its_line(
    server: Served, name: str, data: bytes, message: str
) -> None:
    answer = server.client.post(
        "/v1/jobs", files={"file": (name, data)}, data={"model": "tiny"}
    ).json()
    job = server.finished(answer["id"])
    assert (job["state"], job["result"]) == ("failed", None)
    assert job["error"] == {"kind": "InputError", "message": message}
    result = server.client.get(f"/v1/jobs/{job['id']}/result")
    assert (result.status_code, result.json()["error"]) == (409, job["error"])
    server.client.delete(f"/v1/jobs/{job['id']}")
    server.idle()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"pixels": 3000}, "clip.mp4: 64×48 are 3,072 pixels"),
        ({"frames": 11}, "clip.mp4: has more than 11 frames, this server's limit"),
        ({"seconds": 0.3}, "clip.mp4: is longer than 0.3 s, this server's limit"),
        ({"job_seconds": 0.1}, "clip.mp4: took longer than 0.1 s, this server's limit"),
    ],
)
def test_limits_of_videos(start: Start, clip: Path, limits: dict[str, float], message: str) -> None:
    server = start(limits=limits)
    job = server.finished(server.upload(clip))
    assert (job["state"], job["error"]["kind"]) == ("failed", "LimitError")
    assert job["error"]["message"].startswith(message)


def test_a_full_queue_is_said(start: Start, clip: Path) -> None:
    server = start(workers=1, limits={"queue": 1}, command=SLEEPS)
    jobs = [server.upload(clip)]
    queue = server.service.queue
    wait_until(lambda: queue.document(queue.get(jobs[0]))["state"] == "running", "a running job")
    jobs.append(server.upload(clip))
    answer = server.client.post("/v1/jobs", files={"file": ("a.mp4", clip.read_bytes())})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "BusyError")
    assert answer.headers["retry-after"]
    for job in jobs:
        server.client.delete(f"/v1/jobs/{job}")
    server.idle()


def test_results_and_unfinished_uploads_are_removed_when_their_time_is_over(
    start: Start, clip: Path
) -> None:
    server = start(keep_seconds=1.0, sweep_seconds=0.1)
    upload = server.client.post("/v1/uploads", headers={"Upload-Length": "9"})
    job = server.finished(server.upload(clip))
    assert job["finished"] < job["expires"]
    server.idle()
    assert server.client.get(f"/v1/jobs/{job['id']}").status_code == 404
    assert server.client.head(upload.headers["location"]).status_code == 404


def test_a_job_that_goes_on_after_a_restart_shows_the_progress_of_the_whole() -> None:
    left = Running(30, 120, 12.0)
    assert progress_of(left, None).document()["fraction"] == 0.25
    whole = progress_of(left, 300).document()
    assert (whole["frames"], whole["total"], whole["fraction"]) == (210, 300, 0.7)
    assert whole["eta_seconds"] == 7.5
    assert progress_of(Running(3, None, 1.0), 300).document()["fraction"] is None
