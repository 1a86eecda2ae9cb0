"""The files of an archive on a Ray cluster: `pip install "framelift[ray]"`.

One row is one file, or one piece of a film: only paths and small results travel, never frames.
Decoding, the model and the encoder stay in one worker, which has a child process for each file's
sake and writes its own rows into the ledger. Ray Data schedules the rows on a pool of workers and
starts lost workers again; what a lost one was at is tried by another.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from ..common.errors import BackendError, MissingDependencyError
from ..common.files import remove_abandoned
from ..common.libraries.native_output import stderr_into
from ..common.notes import Say, silent
from ..common.signals import signals_as_errors
from ..common.text import counted, first_line, one_line
from .plan.films import pieces_of
from .plan.job import Archive, Outcome
from .plan.listing import Item
from .records.claims import Claim
from .run import POLL_SECONDS, raise_if_fatal
from .worker.work import Worker

if TYPE_CHECKING:
    from ray.data import Dataset

_CONNECT_SECONDS = 10.0
_TIDY_SECONDS = 3.0
_HEAD_SECONDS, _HEAD_FAILURES = 5.0, 3
WAVE_FILES = 5000
"""Files that are given to Ray at once, each of which is an object in its store."""


@dataclass(frozen=True)
class Cluster:
    """Where to find Ray, and what each worker gets of it."""

    address: str | None = None
    """`None` starts a local cluster."""
    workers: int | None = None
    """How many, for which a cluster that grows is asked; `None`: as many as it has room for."""
    cpus_per_worker: float = 1.0
    gpus_per_worker: float = 0.0


class RayWorker:
    """What Ray calls for each row, in an actor of its own."""

    def __init__(self, archive: Archive) -> None:
        self._worker = Worker(archive, silent)

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        """Make one file. Errors are results, too: an exception would end the whole run."""
        outcome = self._outcome(Item(**json.loads(row["item"])))
        return {"item": row["item"], "outcome": json.dumps(msgspec.to_builtins(outcome))}

    def _outcome(self, item: Item) -> Outcome:
        try:
            return self._worker.do(item)
        except Exception as error:  # of the ledger, not of the file
            line = f"{socket.gethostname()}: {one_line(error)}"
            return Outcome("failed", error=line, is_fatal=True)

    def __ray_shutdown__(self) -> None:
        self._worker.close()


def run_on_ray(
    todo: list[Item], archive: Archive, cluster: Cluster, say: Say
) -> Generator[tuple[Item, Outcome]]:
    """Make the files on the cluster, and yield what became of each as it is done.

    Raises:
        MissingDependencyError: Ray is not installed.
        BackendError: the cluster cannot be reached, or has no room for a worker.
        FrameliftError: no other file could be made, either.
    """
    at_hand: dict[str, Item] = {}
    try:
        with _connected(cluster) as workers, _head_watched(cluster):
            say(f"Ray{_at(cluster)}: {counted(workers, 'worker')}")
            left = deque(todo)
            while left:
                wave = [left.popleft() for _ in range(min(len(left), WAVE_FILES))]
                at_hand.update({item.key: item for item in wave})
                busy = 0
                for item, outcome in _wave(wave, archive, cluster, workers):
                    del at_hand[item.key]
                    if outcome.state == "busy":
                        left.append(item)
                        busy += 1
                        continue
                    if outcome.state == "split":
                        left.extend(pieces_of(item, outcome.pieces))
                    yield item, outcome
                    raise_if_fatal(outcome)
                if busy == len(wave):  # others make all that is left
                    time.sleep(POLL_SECONDS)
    except HeadLostError:  # the workers may go on for a while
        raise
    except BaseException:
        _tidy_up(archive, at_hand)
        raise


def _tidy_up(archive: Archive, at_hand: dict[str, Item]) -> None:
    """Remove what workers of this machine left behind, which Ray has ended without warning them."""
    claims = {key: Claim(archive.out, key) for key in at_hand}
    waiting = [key for key, claim in claims.items() if claim.exists()]
    deadline = time.monotonic() + _TIDY_SECONDS
    while waiting and time.monotonic() < deadline:
        for key in list(waiting):
            with claims[key] as claim:
                if claim.acquire():
                    remove_abandoned(archive.out / at_hand[key].target)
                    waiting.remove(key)
        time.sleep(0.1)


def _wave(
    items: list[Item], archive: Archive, cluster: Cluster, workers: int
) -> Iterator[tuple[Item, Outcome]]:
    from ray.exceptions import RayError

    rows = [{"item": json.dumps(asdict(item))} for item in items]
    try:
        for row in _dataset(rows, archive, cluster, min(workers, len(rows))).iter_rows():
            outcome = msgspec.convert(json.loads(row["outcome"]), Outcome)
            yield Item(**json.loads(row["item"])), outcome
    except RayError as error:
        raise BackendError(f"Ray: {first_line(error)}") from error


def _dataset(
    rows: list[dict[str, str]], archive: Archive, cluster: Cluster, workers: int
) -> Dataset:
    import ray.data

    return ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        cast("Callable[[dict[str, str]], dict[str, str]]", RayWorker),
        fn_constructor_args=(archive,),
        num_cpus=cluster.cpus_per_worker,
        num_gpus=cluster.gpus_per_worker or None,
        # One file at a time for each, so that none waits behind a long one while others are idle;
        # a pool of open size never grows then.
        compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
    )


@contextmanager
def _connected(cluster: Cluster) -> Iterator[int]:
    """Ray, quiet, and how many workers it has room for."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is sent anywhere
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependencyError(
            'Ray is not installed: run `pip install "framelift[ray]"`'
        ) from error
    try:
        _require_listener(cluster.address)
        # What Ray's core prints about its own settings goes nowhere.
        with Path(os.devnull).open("wb") as nowhere, stderr_into(nowhere.fileno()):
            ray.init(
                address=cluster.address or "local",
                include_dashboard=False if cluster.address is None else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except Exception as error:
        remedy = (
            "name a cluster that runs as host:port, or none to start one here"
            if cluster.address
            else "try again when this machine has less to do, or leave out --ray"
        )
        raise BackendError(
            f"Ray{_at(cluster)} cannot be used ({first_line(error)}): {remedy}"
        ) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        with signals_as_errors():  # Ray has set handlers of its own
            resources: Callable[[], dict[str, float]] = ray.cluster_resources
            yield _room(cluster, resources())
    except HeadLostError:
        raise
    except BaseException:
        ray.shutdown()
        raise
    ray.shutdown()


def _require_listener(address: str | None) -> None:
    """Raise OSError if nobody answers at host:port, which Ray would try for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()


@contextmanager
def _head_watched(cluster: Cluster) -> Iterator[None]:
    """Raise BackendError soon after the cluster's head node is gone.

    Ray's core would wait for a minute, and then end this process without a word.
    """
    import ray

    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    lost, ended = threading.Event(), threading.Event()

    def watch() -> None:
        failures = 0
        while not ended.wait(_HEAD_SECONDS):
            try:
                socket.create_connection((host.strip("[]"), int(port)), _HEAD_SECONDS).close()
                failures = 0
            except OSError:
                failures += 1
            if failures == _HEAD_FAILURES:
                lost.set()
                _wake_main_thread()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    except BaseException as error:
        if not lost.is_set():
            raise
        raise HeadLostError(
            f"Ray{_at(cluster)}: its head node does not answer any more; finished files are kept, "
            "the same command goes on from there when the cluster is back"
        ) from error
    finally:
        ended.set()


def _wake_main_thread() -> None:
    """Send it Ctrl-C: nothing else ends a wait in Ray's core."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:  # Windows
        signal.raise_signal(signal.SIGINT)


def _at(cluster: Cluster) -> str:
    return f" at {cluster.address}" if cluster.address else ""


class HeadLostError(BackendError):
    """The head node of a Ray cluster is gone; Ray can do nothing any more, not even shut down."""


def _room(cluster: Cluster, resources: dict[str, float]) -> int:
    rooms = [resources.get("CPU", 0.0) / cluster.cpus_per_worker]
    if cluster.gpus_per_worker:
        rooms.append(resources.get("GPU", 0.0) / cluster.gpus_per_worker)
    room = int(min(rooms) + 1e-6)
    if room < 1:
        raise BackendError(
            f"the Ray cluster has no room for a worker of {cluster.cpus_per_worker:g} CPUs and "
            f"{cluster.gpus_per_worker:g} GPUs: it has {resources.get('CPU', 0):g} CPUs and "
            f"{resources.get('GPU', 0):g} GPUs"
        )
    return cluster.workers or room
