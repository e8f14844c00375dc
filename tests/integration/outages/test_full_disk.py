"""Report a full disk, a read-only Redis and a read-only database by name, and continue to serve reads."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import redis
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from infra.config.settings import load
from infra.disk_reserve import FULL_BYTES, RESERVE_BYTES, RESERVE_FILE, DiskReserve
from infra.doctor import services
from schema.engine import make_engine
from schema.outage import Outage, outage_of
from tests.conftest import StartRuntime
from tests.support.commands import localfn
from tests.support.disks import fill, small_disk
from tests.support.runtime import PROCESSES, Runtime
from tests.support.waiting import wait_until
from workqueue.files.disk_space import MIB, Disk, DiskFullError
from workqueue.files.store import FolderStore


def problems(runtime: Runtime) -> dict[str, str]:
    return {each["code"]: each["text"] for each in runtime.get("/api/stats")["problems"]}


def checks(runtime: Runtime) -> dict[str, str]:
    return {name: check["state"] for name, check in runtime.http.get("/readyz?verbose").json()["checks"].items()}


def rejection_detail(answer: httpx.Response, status: int) -> str:
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "2"), answer.text
    return str(answer.json()["detail"])


def test_on_a_full_disk_reads_continue_and_accepted_requests_wait_for_space(
    start_runtime: StartRuntime, tmp_path: Path
) -> None:
    with start_runtime() as runtime:
        for name in PROCESSES:
            runtime.stop(name)
        with small_disk(runtime.home, 40):
            for name in PROCESSES:
                runtime.start(name)
            check_full_disk(runtime, tmp_path / "flag")
            for name in PROCESSES:
                runtime.stop(name)


def check_full_disk(runtime: Runtime, flag: Path) -> None:
    wait_until(runtime.is_ready, 60, "it is ready")
    runtime.call("echo", 1)
    running = runtime.post("wait_for_flag", {"flag": str(flag)})["id"]
    wait_until(lambda: runtime.get(f"/api/requests/{running}")["status"] == "processing", 20, "it runs")
    filler = fill(runtime.home)
    wait_until(lambda: "disk_full" in problems(runtime), 10, "the overview reports it")
    assert str(runtime.home) in problems(runtime)["disk_full"]

    # The database is on another disk: it has space for an event, but the upload has none here.
    waiting = [runtime.post("echo", n)["id"] for n in range(3)]
    upload = {"csv": ("a.csv", b"x" * 3_000_000)}
    answer = runtime.http.post("/api/functions/echo", data={"event": "{}"}, files=upload)
    assert "disk is full" in rejection_detail(answer, 507)
    for path in ("/healthz", "/readyz", "/api/requests", "/metrics", "/api/functions", f"/api/requests/{running}"):
        assert runtime.http.get(path).status_code == 200, path
    flag.touch()
    assert runtime.wait_ended(running)["status"] == "completed"
    doctor = localfn(runtime, "doctor").stdout
    assert f"the disk of {runtime.home} is full" in doctor
    assert not any("PORT" in line for line in doctor.splitlines() if line.startswith("!!"))
    assert {runtime.get(f"/api/requests/{each}")["status"] for each in waiting} == {"pending"}

    filler.unlink()
    assert {runtime.wait_ended(each, 60)["status"] for each in waiting} == {"completed"}
    wait_until(lambda: not problems(runtime), 10, "the overview reports nothing any more")


def test_a_file_that_would_fill_the_disk_is_not_stored(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as folder:
        store = FolderStore(folder, Disk(folder, 4 * MIB))
        big = folder.parent / "big"
        big.write_bytes(bytes(7 * MIB))
        with big.open("rb") as source, pytest.raises(DiskFullError, match=f"the disk of {folder} is full"):
            store.put(uuid4(), "in", "big", source)
        assert Disk(folder, 0).free_bytes() >= 3 * MIB


def test_the_reserve_is_released_on_a_full_disk_and_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.disk_reserve.CHECK_INTERVAL_S", 0)
    with small_disk(tmp_path / "disk", 150) as folder:
        reserve, disk = DiskReserve(folder), Disk(folder, FULL_BYTES)
        reserve.check()
        assert (folder / RESERVE_FILE).stat().st_blocks * 512 >= RESERVE_BYTES
        assert not disk.is_full()
        filler = fill(folder)
        reserve.check()
        assert not (folder / RESERVE_FILE).exists()
        assert disk.is_full()
        assert disk.free_bytes() >= RESERVE_BYTES
        filler.unlink()
        reserve.check()
        assert (folder / RESERVE_FILE).exists()
        assert not disk.is_full()


def test_a_read_only_redis_is_available_and_its_bells_are_answered(start_runtime: StartRuntime) -> None:
    with start_runtime() as runtime, redis.Redis.from_url(runtime.redis_url) as client:
        runtime.call("echo", 0)
        runtime.http.post("/api/queues/default/pause").raise_for_status()
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        try:
            wait_until(lambda: "redis_refuses" in problems(runtime), 10, "the overview reports it")
            assert "its memory is full (maxmemory)" in problems(runtime)["redis_refuses"]
            assert "redis_away" not in problems(runtime)
            request = runtime.post("echo", 1)["id"]
            wait_until(lambda: "its memory is full" in checks(runtime)["redis"], 10, "the checks show it")
            assert runtime.http.get("/readyz").status_code == 200, "requests are accepted"
            settings = replace(load({}), redis_url=runtime.redis_url)
            assert "rejects writes: its memory is full" in services.redis_server(settings).detail
        finally:
            client.config_set("maxmemory", 0)
            runtime.http.post("/api/queues/default/resume").raise_for_status()
        assert runtime.wait_ended(request, 60)["status"] == "completed"
        wait_until(lambda: problems(runtime) == {}, 10, "no problem remains")


REFUSE = """
    CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER no_room BEFORE INSERT ON processing_request EXECUTE FUNCTION no_room();
"""


def test_a_database_without_space_is_reported_as_full_and_serves_reads(runtime: Runtime) -> None:
    request = runtime.call("echo", 1)
    engine = make_engine(runtime.database_url)
    try:
        with engine.begin() as connection:
            connection.execute(text(REFUSE))
        assert "disk of the database is full" in rejection_detail(runtime.http.post("/api/functions/echo", json=1), 507)
        assert runtime.http.post("/api/functions/echo/batch", json=[1, 2]).status_code == 507
        # Each web process reports its own errors.
        wait_until(lambda: reports_problem(runtime, "database_full"), 10, "the overview reports it")
        assert runtime.get(f"/api/requests/{request['id']}")["status"] == "completed"
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP FUNCTION no_room CASCADE"))
        engine.dispose()
    assert runtime.call("echo", 2)["status"] == "completed"


def reports_problem(runtime: Runtime, code: str) -> bool:
    runtime.http.post("/api/functions/echo", json=1)
    return code in problems(runtime)


@pytest.mark.parametrize(
    ("statement", "outage"),
    [
        ("SET default_transaction_read_only = on; COMMIT; CREATE TABLE t ()", Outage.READ_ONLY),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '53100'; END $$", Outage.FULL),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '53300'; END $$", Outage.OVERLOADED),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '57P03'; END $$", Outage.UNAVAILABLE),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '54000'; END $$", None),
        ("SELECT 1 / 0", None),
    ],
)
def test_each_outage_of_the_database_has_a_name(engine: Engine, statement: str, outage: Outage | None) -> None:
    with engine.connect() as connection, pytest.raises(SQLAlchemyError) as caught:
        connection.exec_driver_sql(statement)
    assert outage_of(caught.value) == outage


def test_a_server_without_free_connections_is_reported_as_crowded(engine: Engine) -> None:
    role = f"r{uuid4().hex}"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'p' CONNECTION LIMIT 0")
    other = make_engine(engine.url.set(username=role, password="p").render_as_string(hide_password=False))
    try:
        with pytest.raises(SQLAlchemyError) as caught:
            other.connect()
        assert outage_of(caught.value) == Outage.OVERLOADED
    finally:
        other.dispose()
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP ROLE {role}")
