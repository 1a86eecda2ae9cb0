"""Several trainings at once, within their time; the processes are stand-ins for `framelift train`
that write the same files.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from framelift.common.errors import ConfigError, Interrupted
from framelift.train.checkpoints.file import Checkpoint, save_checkpoint
from framelift.train.networks import Realtime, RealtimeConfig
from models import training
from models.plan import FOLDER, Model
from models.training import Options, checkpoint_of, is_trained, steps_that_fit, train_all

from ..support.waiting import wait_until

# A hundred steps a second; the log, the state and what it was called with as the real one has them.
STAND_IN = """
import json, os, pathlib, signal, sys, time
words = sys.argv[1:]
if "broken" in words[0]:
    print("no good"); sys.exit("broken: cannot be trained")
out = pathlib.Path(words[words.index("--out") + 1])
settings = dict(w.split("=", 1) for o, w in zip(words, words[1:]) if o == "--set")
steps = int(settings.get("steps", 50))
stopped = []
signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
step = int((out / "state.pt").read_text()) if "--resume" in words else 0
with (out / "calls.txt").open("a") as file:
    file.write(json.dumps([step, words]) + chr(10))
(out / "config.json").write_text(json.dumps({"steps": steps, "data": {"batch": 1}}))
if step > steps:
    sys.exit("beyond its steps already")
while step < steps and not stopped:
    time.sleep(0.01)
    if step == 40 and (out.parent / "hold").exists():
        continue
    step += 1
    if step % 20:
        continue
    with (out / "history.jsonl").open("a") as file:
        file.write(json.dumps({"step": step, "images_per_s": 100.0}) + chr(10))
(out / "state.pt").write_text(str(step))
(out / "model.safetensors").touch()
(out / "end.txt").write_text(str(time.time()))
sys.exit(143 if stopped else 0)
"""


@pytest.fixture(autouse=True)
def _stand_in(tmp_path: Path) -> None:
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)


def saved_step(run: Path) -> int:
    """The step of the stand-in's state."""
    return int((run / "state.pt").read_text())


def stood_in(tmp_path: Path, **more: Any) -> Options:  # noqa: ANN401 - fields of Options
    """Trainings by the stand-in."""
    command = (sys.executable, str(tmp_path / "stand_in.py"))
    return Options(
        (Path("photos"),),
        tmp_path / "runs",
        command=command,
        poll_seconds=0.02,
        saved_step=saved_step,
        **more,
    )


def calls(folder: Path) -> list[tuple[int, list[str]]]:
    """The step and the words that each process of a run began with."""
    return [tuple(json.loads(line)) for line in (folder / "calls.txt").read_text().splitlines()]


def test_a_model_waits_for_the_one_it_starts_from(tmp_path: Path) -> None:
    models = [Model("plain", 1), Model("other", 1), Model("tuned", 1, "plain", set=("seed=3",))]
    options = stood_in(tmp_path, jobs=3, extra=("data.batch=4",))
    assert train_all(models, options, lambda line: None) == []
    runs = options.runs
    ((began, words),) = calls(runs / "tuned")
    assert began == 0
    assert words[:2] == ["tuned", "--out"]
    start = json.dumps(str((runs / "plain" / "model.safetensors").resolve()))
    assert [w for o, w in pairwise(words) if o == "--set"] == [
        "seed=3",
        "data.batch=4",
        f"init={start}",
    ]
    for model in models:
        assert is_trained(model.name, runs)
    assert checkpoint_of("tuned", runs) == runs / "tuned" / "model.safetensors"
    train_all(models, options, lambda line: None)
    assert len(calls(runs / "plain")) == 1  # done already


def test_a_failure_stops_only_what_depends_on_it(tmp_path: Path) -> None:
    models = [Model("broken", 1), Model("tuned", 1, "broken"), Model("plain", 1)]
    options = stood_in(tmp_path)
    failed = train_all(models, options, lambda line: None)
    assert failed == ["broken: broken: cannot be trained", "tuned: broken was not trained"]
    assert is_trained("plain", options.runs)


def test_a_run_that_is_too_slow_gets_fewer_steps(tmp_path: Path) -> None:
    said: list[str] = []
    model = Model("plain", 2 / 60, set=("steps=100000",))
    options = stood_in(tmp_path)
    assert train_all([model], options, said.append) == []
    first, *later = calls(options.runs / "plain")
    assert first[0] == 0
    for step, words in later:
        assert step > 0
        assert "--resume" in words
        assert int(words[-2].removeprefix("steps=")) < 1000
    assert later
    assert any("steps instead of 100,000" in line for line in said)


def test_a_run_whose_time_is_over_ends_where_it_is(tmp_path: Path) -> None:
    model = Model("plain", 1, set=("steps=300",))
    options = stood_in(tmp_path)
    folder = options.runs / "plain"
    folder.mkdir(parents=True)
    (folder / "state.pt").write_text("230")
    (folder / "zoo.json").write_text('{"spent_seconds": 90.0, "steps": 201, "done": false}')
    assert train_all([model], options, lambda line: None) == []
    ((step, words),) = calls(folder)
    assert step == 230
    assert "steps=230" in words


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_and_taken_up_again(tmp_path: Path, number: signal.Signals) -> None:
    models = [Model("plain", 1, set=("steps=300",)), Model("other", 1, set=("steps=300",))]
    options = stood_in(tmp_path, jobs=2)
    runs = options.runs

    runs.mkdir()
    (runs / "hold").touch()  # neither of the two ends

    def stop() -> None:
        logs = [runs / model.name / "history.jsonl" for model in models]
        wait_until(lambda: all(log.exists() for log in logs), "steps of both")
        os.kill(os.getpid(), number)

    threading.Thread(target=stop).start()
    with pytest.raises(Interrupted, match="the same command goes on") as stopped:
        train_all(models, options, lambda line: None)
    assert stopped.value.exit_code == 128 + number
    assert not is_trained("plain", runs)
    spent = json.loads((runs / "plain" / "zoo.json").read_text())["spent_seconds"]
    assert spent > 0
    (runs / "hold").unlink()
    assert train_all(models, options, lambda line: None) == []
    for model in models:
        _, (step, words) = calls(runs / model.name)
        assert step > 0
        assert "--resume" in words
    assert json.loads((runs / "plain" / "zoo.json").read_text())["spent_seconds"] > spent


def test_without_the_model_it_starts_from(tmp_path: Path) -> None:
    options = stood_in(tmp_path)
    with pytest.raises(ConfigError, match="tuned starts from absent: name that one, too"):
        train_all([Model("tuned", 1, "absent")], options, lambda line: None)


@pytest.mark.parametrize(
    ("step", "per_second", "left", "planned"),
    [(0, 10.0, 100.0, 950), (500, 10.0, 10.0, 595), (0, 100.0, 1e6, 2000), (7, 10.0, -3.0, 8)],
)
def test_steps_that_fit(step: int, per_second: float, left: float, planned: int) -> None:
    assert steps_that_fit(step, per_second, left, 2000) == planned


def test_the_step_of_a_run_is_that_of_its_checkpoint(tmp_path: Path) -> None:
    assert training.saved_step(tmp_path) == 0
    config = RealtimeConfig(scale=2, channels=8, layers=1, expansion=1)
    weights = Realtime(config).state_dict()
    save_checkpoint(tmp_path / "model.safetensors", Checkpoint(config, weights, {"steps": 7}))
    assert training.saved_step(tmp_path) == 7


def test_models_can_go_on_from_their_own_shipped_checkpoints(tmp_path: Path) -> None:
    child, parent = Model("realtime-small-x4", 1, parent="realtime-nano-x4"), "realtime-nano-x4"
    plain, shipped = Options((), tmp_path), Options((), tmp_path, from_shipped=True)
    assert plain.start_of(child) == FOLDER / f"{parent}.safetensors"
    assert plain.waits_for(child) == parent
    assert shipped.start_of(child) == FOLDER / "realtime-small-x4.safetensors"
    assert shipped.waits_for(child) == ""
    # One that does not ship starts from its parent.
    new = Model("realtime-tiny-x4", 1, parent=parent)
    assert shipped.start_of(new) == FOLDER / f"{parent}.safetensors"
    assert shipped.waits_for(new) == parent
    assert shipped.start_of(Model("realtime-tiny-x2", 1)) is None
