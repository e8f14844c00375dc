"""Store the log lines that a killed worker had read and not stored, and nothing else."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from schema.statuses import Phase
from tests.integration.lifecycle.steps import LEASE_S, NOW, accept_request, claim_request, finish, seconds
from workqueue import lifecycle
from workqueue.lifecycle import AttemptProgress, Claim
from workqueue.logs.buffer import LineBlock, LogBuffer
from workqueue.logs.recovery import recover_lines
from workqueue.logs.spool_file import FILE_BYTES, SpoolFile
from workqueue.requests import queries


@pytest.fixture
def claim(engine: Engine) -> Claim:
    return claim_request(engine, accept_request(engine), "w")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolFile]:
    made = SpoolFile(tmp_path, "w", 1)
    yield made
    made.close()


def block(number: int, *texts: str) -> LineBlock:
    return LineBlock(number, NOW, "stdout", list(texts or ("said",)), 0)


def kill_owner(spool: SpoolFile) -> None:
    """Close the files without removing them, as the kernel does for a killed process."""
    for fd in spool._fds:
        os.close(fd)
    spool._fds = []


def stored_lines(engine: Engine, claim: Claim) -> list[tuple[int, str]]:
    return [(row["number"], row["line"]) for row in queries.list_log_lines(engine, claim.request_id, None, (0, 0))[0]]


def test_lines_of_a_killed_worker_are_stored_once_and_lines_of_a_live_one_kept(
    engine: Engine, claim: Claim, spool: SpoolFile, tmp_path: Path
) -> None:
    book = LogBuffer(lambda block: spool.append(claim, block))
    book.feed("stdout", b"one\ntwo \xff\0\nhalf a li", NOW)
    recover_lines(engine, tmp_path)
    assert stored_lines(engine, claim) == []

    kill_owner(spool)
    recover_lines(engine, tmp_path)
    assert stored_lines(engine, claim) == [(1, "one"), (2, "two \ufffd\u2400")]
    assert list(tmp_path.iterdir()) == []


def test_lines_stored_by_an_extension_are_kept(engine: Engine, claim: Claim, spool: SpoolFile, tmp_path: Path) -> None:
    standing = AttemptProgress(Phase.PROCESS, lines=block(1).lines())
    lifecycle.extend(engine, claim, LEASE_S, standing)
    spool.append(claim, block(1, "said", "said"))
    kill_owner(spool)
    lifecycle.expire_leases(engine, seconds(LEASE_S + 1))
    recover_lines(engine, tmp_path)
    assert stored_lines(engine, claim) == [(1, "said"), (2, "said")]


def test_ended_attempts_and_attempts_of_other_workers_get_no_lines(
    engine: Engine, claim: Claim, spool: SpoolFile, tmp_path: Path
) -> None:
    other = claim_request(engine, accept_request(engine), "another")
    spool.append(claim, block(1))
    spool.append(other, block(1))
    finish(engine, claim)
    kill_owner(spool)
    recover_lines(engine, tmp_path)
    assert stored_lines(engine, claim) == stored_lines(engine, other) == []


def test_malformed_lines_are_skipped(engine: Engine, claim: Claim, spool: SpoolFile, tmp_path: Path) -> None:
    """User code can also write to this file."""
    spool.append(claim, block(1))
    bad = ["", "[]", '{"a": 1}', f'["{uuid4()}", 1, 1, "{NOW.isoformat()}", "stdout", "of nobody"]', '["x", 1']
    bad += [f'["{claim.request_id}", 1, {number}, "{NOW.isoformat()}", "s", "x"]' for number in (-1, 2**40, '"2"')]
    bad += [f'["{claim.request_id}", 1, 2, "never", "s", "x"]']
    for fd in spool._fds:
        os.write(fd, "\n".join(bad).encode() + b"\xff\n" + b"[" * 100_000)
    kill_owner(spool)
    recover_lines(engine, tmp_path)
    assert stored_lines(engine, claim) == [(1, "said")]
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_a_flood_is_kept(engine: Engine, claim: Claim, spool: SpoolFile, tmp_path: Path) -> None:
    for number in range(1, 5000):
        spool.append(claim, block(number, f"{number:01000}"))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2.1 * FILE_BYTES
    kill_owner(spool)
    recover_lines(engine, tmp_path)
    numbers = [number for number, _ in stored_lines(engine, claim)]
    assert numbers == list(range(numbers[0], 5000))
    assert len(numbers) * 1000 > 0.9 * FILE_BYTES


def test_no_spool_file_remains_after_storing_or_a_workers_end(claim: Claim, spool: SpoolFile, tmp_path: Path) -> None:
    spool.append(claim, block(1))
    spool.forget(claim)
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [0, 0]
    spool.close()
    assert list(tmp_path.iterdir()) == []
