"""Check the audit: who changed what, stored in the transaction of the change."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy

from schema.tables.audit import audit_entry
from tests.support.commands import localfn
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until
from workqueue import audit
from workqueue.audit import Action, AuditEntry, Filter
from workqueue.ids import first_id


def entries(runtime: Runtime, **query: Any) -> list[tuple[str, str]]:
    answer = runtime.http.get("/api/audit", params=query)
    assert answer.status_code == 200, answer.text
    return [(entry["actor"], entry["action"]) for entry in answer.json()["items"]]


def test_changes_of_a_request_are_listed_newest_first(runtime: Runtime) -> None:
    id = runtime.post("echo", {}, params={"delay_s": 3600})["id"]
    runtime.http.post(f"/api/requests/{id}/cancel")
    runtime.http.post(f"/api/requests/{id}/retry")
    runtime.wait_ended(id)
    runtime.http.delete(f"/api/requests/{id}")

    listed = [("local", f"request.{name}") for name in ("delete", "retry", "cancel")]
    assert entries(runtime, subject=id) == listed
    assert entries(runtime, subject=id, action="request.retry") == listed[1:2]
    assert entries(runtime, subject=id, actor="nobody") == []


def test_a_rejected_change_leaves_no_entry(runtime: Runtime) -> None:
    request = runtime.call("echo", {})
    assert runtime.http.post(f"/api/requests/{request['id']}/cancel").status_code == 409
    assert runtime.http.post(f"/api/requests/{request['id']}/retry").status_code == 409
    assert entries(runtime, subject=request["id"]) == []


def test_a_bulk_change_leaves_one_entry_per_request(runtime: Runtime) -> None:
    ids = [runtime.post("echo", {}, params={"delay_s": 3600})["id"] for _ in range(3)]
    answer = runtime.http.post("/api/requests/bulk", json={"action": "cancel", "ids": ids})
    assert answer.json()["done"] == 3
    for id in ids:
        assert entries(runtime, subject=id) == [("local", "request.cancel")]


def test_a_purge_on_the_command_line_leaves_one_entry_per_request(runtime: Runtime) -> None:
    runtime.write("swept.py", "from localfn import function\n\n@function\ndef swept(event, context): ...\n")
    wait_until(lambda: runtime.knows("swept"), 20)
    ids = [runtime.call("swept", n)["id"] for n in range(2)]
    words = ("requests", "purge", "--older-than", "0s", "--function", "swept", "--yes")
    assert localfn(runtime, *words).stdout.startswith("2 deleted")
    for id in ids:
        assert entries(runtime, subject=id) == [("local", "request.delete")]


def test_changes_of_a_schedule_are_listed_with_the_changed_fields(runtime: Runtime) -> None:
    body = {"name": "audited", "function": "echo", "expression": "@yearly"}
    assert runtime.http.post("/api/schedules", json=body).status_code == 201
    assert runtime.http.patch("/api/schedules/audited", json={"enabled": False}).status_code == 200
    run = runtime.http.post("/api/schedules/audited/run").json()
    assert runtime.http.delete("/api/schedules/audited").status_code == 204

    listed = runtime.http.get("/api/audit", params={"subject": "audited"}).json()["items"]
    assert [entry["action"] for entry in listed] == [
        "schedule.delete",
        "schedule.run",
        "schedule.change",
        "schedule.create",
    ]
    assert listed[1]["details"] == {"request_id": run["id"]}
    assert listed[2]["details"] == {"fields": ["enabled"]}


def test_repeated_pauses_leave_one_entry(runtime: Runtime) -> None:
    before = len(entries(runtime, subject="low"))
    for action in ("pause", "pause", "resume", "resume"):
        assert runtime.http.post(f"/api/queues/low/{action}").status_code == 200
    listed = entries(runtime, subject="low")
    assert listed[: len(listed) - before] == [("local", "queue.resume"), ("local", "queue.pause")]


def test_each_page_continues_after_the_last_entry_of_the_previous_page(engine: sqlalchemy.Engine) -> None:
    with engine.begin() as connection:
        for number in range(5):
            audit.record(connection, AuditEntry("ada", Action.QUEUE_PAUSE, f"q{number}"))
    first, cursor = audit.list_entries(engine, Filter(limit=3))
    second, last = audit.list_entries(engine, Filter(limit=3, before=cursor))
    assert [row["subject"] for row in (*first, *second)] == ["q4", "q3", "q2", "q1", "q0"]
    assert cursor is not None
    assert last is None


def test_an_entry_is_rolled_back_with_its_transaction(engine: sqlalchemy.Engine) -> None:
    with engine.begin() as connection:
        audit.record(connection, AuditEntry("ada", Action.QUEUE_PAUSE, "low"))
        connection.rollback()
    assert audit.list_entries(engine, Filter()) == ([], None)


def test_old_entries_are_deleted(engine: sqlalchemy.Engine) -> None:
    with engine.begin() as connection:
        audit.record(connection, AuditEntry("ada", Action.QUEUE_PAUSE, "low"))
        now = connection.execute(sqlalchemy.select(sqlalchemy.func.clock_timestamp())).scalar_one()
    audit.delete_old(engine, now)
    assert len(audit.list_entries(engine, Filter())[0]) == 1
    audit.delete_old(engine, now + audit.RETENTION * 1.01)
    assert audit.list_entries(engine, Filter()) == ([], None)


def test_the_age_of_an_entry_is_read_from_its_indexed_id(engine: sqlalchemy.Engine) -> None:
    now = datetime.now(UTC)
    ids = [first_id(now - audit.RETENTION, shift_s) for shift_s in (-3600, 3600)]
    with engine.begin() as connection:
        for id in ids:
            values = {"id": id, "actor": "ada", "action": "queue.pause", "details": {}}
            connection.execute(sqlalchemy.insert(audit_entry).values(values))
    audit.delete_old(engine, now)
    assert [entry["id"] for entry in audit.list_entries(engine, Filter())[0]] == ids[1:]
