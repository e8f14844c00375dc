"""Count the processes behind sessions, and compare what they open with the limit of PostgreSQL."""

import pytest

from infra.config import capacity
from infra.database.connection_limit import ConnectionLimit, count_processes
from infra.doctor import database
from workqueue.heartbeats.session_names import Process, read_session_name, session_name

HOST = "a-host"
MACHINE = capacity.machine_processes(2)


def count(sessions: dict[str, int], max_connections: int = 100) -> ConnectionLimit:
    return count_processes(max_connections, 3, sessions, HOST)


def test_the_name_of_a_session_tells_its_process() -> None:
    for process in Process:
        found = read_session_name(session_name(process))
        assert found is not None
        assert found[0] is process
    for other in ("localfn", "psql", "", "localfn web", "localfn report 1 a-host"):
        assert read_session_name(other) is None


def test_each_process_counts_with_the_most_that_it_may_open() -> None:
    limit = count({"localfn web 10 a-host": 1, "localfn web 10 b-host": 7, "localfn worker 11 b-host": 3, "psql": 2})
    assert limit.processes == {Process.WEB: 2, Process.WORKER: 1}
    assert limit.here == {Process.WEB: 1}
    assert limit.others == 2
    assert limit.needed_with({}) == 2 * 40 + 4


def test_a_name_that_postgresql_has_cut_is_of_this_host() -> None:
    host = "h" * 64
    shown = f"localfn scheduler 1234 {host}"[:63]
    assert count_processes(100, 3, {shown: 1}, host).here == {Process.SCHEDULER: 1}


def test_the_advice_is_enough() -> None:
    limit = count({"localfn web 10 b-host": 1, "psql": 5})
    missing = limit.missing_with(MACHINE)
    assert missing == 40 + 57 + 5 - 97
    assert "max_connections of PostgreSQL to 105 or more" in limit.advice(MACHINE, 2)
    assert count({"localfn web 10 b-host": 1, "psql": 5}, 105).missing_with(MACHINE) == 0
    assert count({"localfn web 10 b-host": 1, "psql": 5}, 104).missing_with(MACHINE) == 1


@pytest.mark.parametrize(("workers", "fitting"), [(20, 10), (11, 10)])
def test_fewer_workers_are_advised_where_that_is_enough(workers: int, fitting: int) -> None:
    limit = count({"psql": 8})
    machine = capacity.machine_processes(workers)
    assert limit.advice(machine, workers).endswith(f"or LOCALFN_WORKERS to {fitting} or less")
    assert limit.missing_with(capacity.machine_processes(fitting)) == 0
    assert limit.missing_with(capacity.machine_processes(fitting + 1)) > 0


def test_doctor_counts_live_processes_of_this_machine_once() -> None:
    here = {f"localfn worker {pid} a-host": 2 for pid in (1, 2)} | {"localfn web 10 a-host": 4}
    found = database.connections(count(here), workers=2)
    assert found.ok
    assert f"up to {capacity.required_connections(2)} " in found.detail
    few = database.connections(count(here, 50), workers=2)
    assert not few.ok
    assert "to 60 or more" in few.hint
