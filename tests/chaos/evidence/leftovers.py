"""Find leftovers of a run: working directories, processes, Redis keys, connections."""

import time
from collections.abc import Iterator
from typing import cast

from redis import Redis

from tests.chaos.environment import processes
from tests.chaos.environment.environment import RUN, ChaosEnvironment
from tests.chaos.evidence.verdict import Violation
from workqueue.heartbeats.session_names import PREFIX
from workqueue.sandboxes.process_tree import TAG

SHOWN = 5


def find_folders(environment: ChaosEnvironment, older_than_s: float) -> Iterator[Violation]:
    before = time.time() - older_than_s
    found = [path for path in (environment.home / "work").iterdir() if path.stat().st_mtime < before]
    if found:
        yield Violation(
            f"{len(found)} working directories of ended requests: {[path.name for path in found[:SHOWN]]}",
            found[0].name.rpartition("-")[0],
        )


def find_orphans(environment: ChaosEnvironment) -> Iterator[Violation]:
    """Find processes of sandboxes that no running pool owns."""
    owned = {processes.read_tag(sandbox, TAG) for sandbox in processes.find_sandboxes(environment.pool_pids)}
    for process in processes.find_tagged(RUN, environment.run):
        tag = processes.read_tag(process, TAG)
        if tag is not None and tag not in owned:
            yield Violation(f"a process of a sandbox that is gone: {processes.describe(process)}")


def find_survivors(environment: ChaosEnvironment) -> Iterator[Violation]:
    """Find any process of the run after everything was stopped."""
    for process in processes.find_tagged(RUN, environment.run):
        yield Violation(f"it outlived the stop: {processes.describe(process)}")


def find_connections(environment: ChaosEnvironment) -> Iterator[Violation]:
    with environment.connect() as connection:
        rows = connection.execute(
            "SELECT pid, state, query FROM pg_stat_activity WHERE application_name LIKE %s", (f"{PREFIX}%",)
        ).fetchall()
    for row in rows:
        yield Violation(f"a database connection was left: {row}")


def find_keys(environment: ChaosEnvironment) -> Iterator[Violation]:
    """Find Redis keys of ended requests: a waiting bell, or a job that neither expires nor is in an RQ registry."""
    with environment.connect_redis() as client:
        waiting = {name: client.llen(name) for name in client.scan_iter("rq:queue:*")}
        for name, count in waiting.items():
            if count:
                yield Violation(f"{count} bells still wait in {name!r}")
        started = {_job_of(member) for key in client.scan_iter("rq:wip:*") for member in _members(client, key)}
        lasting = [key for key in client.scan_iter("rq:job:*", count=500) if client.ttl(key) == -1]
    lost = [key for key in lasting if key.removeprefix(b"rq:job:") not in started]
    if lost:
        yield Violation(f"{len(lost)} RQ jobs in no list that never expire: {lost[:SHOWN]}", _request_of(lost[0]))


def _members(client: Redis, key: bytes) -> list[bytes]:
    return cast("list[bytes]", client.zrange(key, 0, -1))


def _job_of(member: bytes) -> bytes:
    """Return the job id of a member of RQ's registry of started jobs, `job id:execution id`."""
    return member.partition(b":")[0]


def _request_of(key: bytes) -> str:
    return key.decode().removeprefix("rq:job:").rpartition("-")[0]
