"""Isolate requests: damage to a sandbox or a working directory does not affect later requests."""

from typing import Any

import pytest
import sqlalchemy

from schema.engine import make_engine
from tests.functions.noisy_neighbours import DEEDS
from tests.integration.invocation.test_batches import batch, statuses, wait_all_ended
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

COUNT = 120
TRAPS = range(7, COUNT, 20)


@pytest.fixture(scope="module")
def engine(runtime: Runtime) -> Any:
    engine = make_engine(runtime.database_url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_each_has_its_own_result_and_log(runtime: Runtime, engine: sqlalchemy.Engine, deed: str) -> None:
    events = [{"n": n} | ({"do": deed} if n in TRAPS else {}) for n in range(COUNT)]
    ids = batch(runtime, events, "be_bad_company")

    rows = wait_all_ended(engine, ids)
    assert statuses(rows) == {"completed": COUNT}
    assert {row["attempt"] for row in rows} == {1}
    assert {row["progress_message"] for n, row in enumerate(rows) if n not in TRAPS} == {None}
    for n, id in list(enumerate(ids))[6::20] + list(enumerate(ids))[8::20]:
        assert runtime.get(f"/api/requests/{id}/result")["data"]["n"] == n
        assert [line.split(" ", 3)[3] for line in runtime.logs(id)] == [f"this is {n}"]
    for n in TRAPS:
        assert runtime.logs(ids[n])[0].split(" ", 3)[3] == f"this is {n}"


def test_a_replaced_working_directory_is_removed_with_its_request(runtime: Runtime) -> None:
    for deed in ("lock_a_folder", "put_a_file_in_place", "put_a_link_in_place"):
        assert runtime.result("be_bad_company", {"n": 1, "do": deed})["n"] == 1

    assert wait_until(lambda: not runtime.find_leftovers(), what="nothing is left")
