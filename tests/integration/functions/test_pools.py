"""Two pools with different code: each keeps its functions, whatever the other publishes, restarts or removes."""

import sys
from pathlib import Path
from uuid import UUID

from redis import Redis
from sqlalchemy import Engine, text

from infra.sandbox import sdk_link
from tests.integration.lifecycle.steps import function_spec, read_row
from workqueue import lifecycle
from workqueue.clock import Clock
from workqueue.functions import pools, registry
from workqueue.functions.code_watcher import CodeWatcher
from workqueue.functions.publisher import FunctionPublisher
from workqueue.functions.registry import Registry
from workqueue.maintenance.unknown_functions import UnknownFunctionTask
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.schedules.declarations import declared_schedule_problem
from workqueue.submit import Submission, submit
from workqueue.telemetry.counters import Counters
from workqueue.transport.doorbell import Doorbell

UNKNOWN_S = 60.0
CODE = "from localfn import function\n\n\n@function\ndef {name}(event, context):\n    return {answer!r}\n"


def publish(engine: Engine, pool: str, *names: str, root: str = "/code") -> None:
    functions = tuple(function_spec(name=name, root=f"{root}/{pool}") for name in names)
    pools.publish(engine, pool, Registry(functions))


def pass_time(engine: Engine, seconds: float, *silent: str) -> None:
    """Let time pass in which all pools but the silent ones sent heartbeats."""
    by = "- make_interval(secs => :by_s)"
    with engine.begin() as connection:
        for change in (
            f"pool_heartbeat SET live_since = live_since {by}",
            f"pool_heartbeat SET seen_at = seen_at {by} WHERE pool = ANY(:silent)",
            f"removed_function SET removed_at = removed_at {by}",
        ):
            connection.execute(text(f"UPDATE {change}"), {"by_s": seconds, "silent": list(silent)})


def roots(engine: Engine) -> dict[str, str | None]:
    return {function.name: function.root for function in registry.read_registry(engine).functions}


def test_the_union_has_the_functions_of_both_and_each_pool_its_own_paths(engine: Engine) -> None:
    publish(engine, "a", "f", "shared")
    publish(engine, "b", "g", "shared")
    assert roots(engine) == {"f": "/code/a", "g": "/code/b", "shared": "/code/b"}
    own = registry.read_pool_functions(engine, "a")
    assert {name: function.root for name, function in own.items()} == {"f": "/code/a", "shared": "/code/a"}
    assert registry.read_pool_functions(engine, "unknown") == {}


def test_a_function_that_one_pool_removes_stays_while_the_other_has_it(engine: Engine) -> None:
    publish(engine, "a", "f", "shared")
    publish(engine, "b", "shared")
    publish(engine, "b")
    assert roots(engine) == {"f": "/code/a", "shared": "/code/a"}
    publish(engine, "a", "f")
    assert roots(engine) == {"f": "/code/a"}


def test_a_silent_pool_is_removed_and_publishes_again_when_it_returns(engine: Engine) -> None:
    publish(engine, "a", "f")
    publish(engine, "b", "g")
    pass_time(engine, UNKNOWN_S + 1, "a")
    assert pools.remove_gone(engine, UNKNOWN_S) is not None
    assert roots(engine) == {"g": "/code/b"}
    assert not pools.beat(engine, "a"), "its functions do not count"
    publish(engine, "a", "f")
    assert pools.beat(engine, "a")
    assert roots(engine).keys() == {"f", "g"}


def test_pools_that_boot_together_keep_their_functions(engine: Engine) -> None:
    publish(engine, "a", "f")
    publish(engine, "b", "g")
    pass_time(engine, 3600, "a", "b")
    assert pools.beat(engine, "b")
    assert pools.remove_gone(engine, UNKNOWN_S) is None
    assert roots(engine).keys() == {"f", "g"}


def test_requests_fail_once_no_pool_has_had_their_function_for_a_while(engine: Engine, redis_client: Redis) -> None:
    publish(engine, "a", "removed", "kept")
    publish(engine, "b", "silent")
    requests = {name: accept(engine, redis_client, name) for name in ("removed", "kept", "silent")}
    task = UnknownFunctionTask(engine, Doorbell(redis_client), Counters(), UNKNOWN_S)
    publish(engine, "a", "kept")
    pass_time(engine, UNKNOWN_S - 1, "b")
    task.run()
    assert {read_row(engine, id)["status"] for id in requests.values()} == {"pending"}
    pass_time(engine, 2, "b")
    task.run()
    rows = {name: read_row(engine, id) for name, id in requests.items()}
    assert {name: row["status"] for name, row in rows.items()} == {
        "removed": "failed", "kept": "pending", "silent": "failed",
    }  # fmt: skip
    assert rows["removed"]["error_type"] == "FunctionNotFound"
    assert (
        rows["removed"]["error_message"] == "There is no function named 'removed': no worker pool has had it for 60 s."
    )


def test_a_function_that_returns_in_time_is_not_unknown(engine: Engine, redis_client: Redis) -> None:
    publish(engine, "a", "f")
    request = accept(engine, redis_client, "f")
    publish(engine, "a")
    pass_time(engine, UNKNOWN_S - 1)
    publish(engine, "a", "f")
    publish(engine, "a")
    pass_time(engine, UNKNOWN_S - 1)
    UnknownFunctionTask(engine, Doorbell(redis_client), Counters(), UNKNOWN_S).run()
    assert read_row(engine, request)["status"] == "pending", "each time it was missing for less than a minute"


def test_nothing_fails_while_no_pool_is_live(engine: Engine, redis_client: Redis) -> None:
    publish(engine, "a", "f")
    request = accept(engine, redis_client, "f")
    publish(engine, "a")
    pass_time(engine, 3600, "a")
    UnknownFunctionTask(engine, Doorbell(redis_client), Counters(), UNKNOWN_S).run()
    assert read_row(engine, request)["status"] == "pending"


def test_a_delayed_request_waits_for_its_function_until_it_is_due(engine: Engine) -> None:
    publish(engine, "a", "f")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM registered_function"))
    clock = Clock()
    clock.synchronise(engine)
    later = lifecycle.NewRequest(
        Submission(function_spec(), [1]).id, function_spec(), 1, "default", clock.now(), clock.seconds_from_now(90)
    )
    with engine.begin() as connection:
        lifecycle.accept(connection, [later])
    assert not lifecycle.fail_unknown(engine, clock.seconds_from_now(89), UNKNOWN_S)
    (failed,) = lifecycle.fail_unknown(engine, clock.seconds_from_now(91), UNKNOWN_S)
    assert failed.request_id == later.id, "a function that was never registered is unknown since the submission"


def test_pools_with_other_code_for_one_module_name_do_not_fight(engine: Engine, tmp_path: Path) -> None:
    publishers = {name: make_publisher(engine, tmp_path / name) for name in ("a", "b")}
    for _ in range(2):
        for publisher in publishers.values():
            publisher.update()
        assert roots(engine).keys() == {"f", "of_a", "of_b"}
    assert registry.read_pool_functions(engine, "a")["f"].root == str(tmp_path / "a")
    (tmp_path / "a" / "work.py").unlink()
    publishers["a"].update()
    assert roots(engine) == {"f": str(tmp_path / "b"), "of_b": str(tmp_path / "b")}


def make_publisher(engine: Engine, folder: Path) -> FunctionPublisher:
    folder.mkdir()
    (folder / "work.py").write_text("".join(CODE.format(name=name, answer=1) for name in ("f", f"of_{folder.name}")))
    interpreter = Interpreter(sys.executable, sdk_link.sdk_folder().parent, {}, 1 << 20)
    return FunctionPublisher(
        engine,
        folder.name,
        lambda known: CodeWatcher(interpreter, [str(folder)], known, declared_schedule_problem),
    )


def accept(engine: Engine, redis_client: Redis, name: str) -> UUID:
    return submit(engine, Doorbell(redis_client), Clock(), Submission(registry.find(engine, name), [1])).ids[0]
