"""How much memory may be taken, as the system and a container's limits say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from framelift.runtime.machine.host import available_memory_bytes
from framelift.runtime.models import memory
from framelift.runtime.models.memory import activation_budget

GIB = 1 << 30


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="ascii")


def test_this_machine_tells() -> None:
    available = available_memory_bytes()
    assert available is not None
    assert 1 << 20 < available < 1 << 50


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere psutil is asked")
def test_linux_tells_what_psutil_tells(tmp_path: Path) -> None:
    write(tmp_path, {"proc/meminfo": Path("/proc/meminfo").read_text(encoding="ascii")})
    said = available_memory_bytes(tmp_path)
    assert said == pytest.approx(psutil.virtual_memory().available, rel=0.2)  # others use it, too
    write(tmp_path, {"proc/meminfo": "MemTotal:  99 kB\nMemAvailable:     3072 kB\n"})
    assert available_memory_bytes(tmp_path) == 3 << 20


@pytest.fixture
def eight_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system has left."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8 * GIB))


@pytest.mark.usefixtures("eight_gib")
def test_a_container_s_limit_counts(tmp_path: Path) -> None:
    assert available_memory_bytes(tmp_path) == 8 * GIB
    write(tmp_path, {"proc/self/cgroup": "0::/a/b\n"})
    for group, most in (("/a/b", "max"), ("/a", str(3 * GIB)), ("", "max")):
        folder = f"sys/fs/cgroup{group}"
        write(
            tmp_path,
            {
                f"{folder}/memory.max": most,
                f"{folder}/memory.current": str(2 * GIB),
                f"{folder}/memory.stat": f"anon 5\ninactive_file {GIB}\n",
            },
        )
    assert available_memory_bytes(tmp_path) == 2 * GIB  # 3 less 2, of which 1 is given back


@pytest.mark.usefixtures("eight_gib")
def test_the_older_groups_count_too(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "9:cpu:/x\n4:memory:/x\n",
            # In a container the group is the mount.
            "sys/fs/cgroup/memory/memory.limit_in_bytes": str(GIB),
            "sys/fs/cgroup/memory/memory.usage_in_bytes": str(GIB // 4),
            "sys/fs/cgroup/memory/memory.stat": "inactive_file 0\n",
        },
    )
    assert available_memory_bytes(tmp_path) == 3 * GIB // 4


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_limit_of_this_process_counts() -> None:
    code = (
        "import resource, sys; from framelift.runtime.machine.host import available_memory_bytes; "
        "limit = 200 << 20; resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)); "
        "before = available_memory_bytes(); block = bytearray(64 << 20); "
        "after = available_memory_bytes(); "
        "sys.exit(not (64 << 20 <= before < limit and 60 << 20 <= before - after <= 68 << 20))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("gpu_free", "machine", "expected"),
    [
        (2 * GIB, None, GIB),
        (140 * GIB, None, 4 * GIB),
        (None, 2 * GIB, GIB // 2),
        (None, 64 * GIB, 1280 << 20),
        (None, None, 1280 << 20),
    ],
)
def test_the_budget_of_activations(
    monkeypatch: pytest.MonkeyPatch, gpu_free: int | None, machine: int | None, expected: int
) -> None:
    monkeypatch.setattr(memory, "available_memory_bytes", lambda: machine)
    assert activation_budget(gpu_free) == expected
