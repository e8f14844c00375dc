"""Check that a concurrency above the limits of the machine is rejected, and the limits are used fully."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from infra.config import capacity
from infra.errors import SettingsError

ROOM = """
import resource
from infra.config import capacity
from infra.errors import SettingsError
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
try:
    capacity.raise_file_limit({concurrency})
except SettingsError as error:
    print(error)
else:
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
REFUSED = (
    "LOCALFN_CONCURRENCY: 100 needs 1728 open files, but the limit is 512 (ulimit -Hn); "
    "raise the limit, or set LOCALFN_CONCURRENCY to at most 24."
)


@pytest.mark.parametrize(
    ("soft", "hard", "concurrency", "said"),
    [
        (200, 1000, 20, str(capacity.required_files(20))),
        (900, 1000, 20, "900"),
        (
            256,
            512,
            100,
            REFUSED,
        ),
    ],
)
def test_the_limit_of_open_files_is_raised_as_far_as_needed(soft: int, hard: int, concurrency: int, said: str) -> None:
    # In a separate process: a lowered hard limit cannot be raised again.
    code = ROOM.format(soft=soft, hard=hard, concurrency=concurrency)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said


def test_the_limit_itself_is_allowed() -> None:
    assert capacity.required_files(24) <= 512 < capacity.required_files(25)


def test_a_limit_that_only_the_system_knows_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    # macOS: getrlimit(2) reports no hard limit, and setrlimit(2) refuses numbers above kern.maxfilesperproc.
    def refuse(_kind: int, _limits: tuple[int, int]) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    with pytest.raises(SettingsError, match="LOCALFN_CONCURRENCY: 500 needs 8128 open files"):
        capacity.raise_file_limit(500)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"pod/worker/cpu.max": "400000 100000\n", "pod/cpu.max": "200000 100000\n"}, 2.0),
        ({"pod/worker/cpu.max": "50000 100000\n", "cpu.max": "max 100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
    ],
    ids=str,
)
def test_the_processor_limit_of_a_container_is_read(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    own = tmp_path / "own"
    own.write_text("3:cpu:/docker/x\n0::/pod/worker\n")
    assert capacity.cpu_quota(tmp_path, own) == quota


def test_a_part_of_a_core_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for quota, found in ((0.5, 1), (None, 3), (1.5, 2), (64.0, 3)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
        monkeypatch.setattr(capacity, "cpu_quota", lambda *_, quota=quota: quota)
        assert capacity.cores() == found
