"""Find functions in memory: published changes arrive, and a lost connection makes no function unknown."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event, text

from tests.integration.lifecycle.steps import function_spec
from tests.support.waiting import wait_until
from workqueue.errors import UnknownFunctionError
from workqueue.functions import pools
from workqueue.functions.function_cache import FunctionFinder
from workqueue.functions.registry import Registry

LISTENERS = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
END = text(LISTENERS.text.replace("pid", "pg_terminate_backend(pid)", 1))


def publish(engine: Engine, *names: str, timeout_s: float = 1) -> None:
    pools.publish(engine, "pool", Registry(tuple(function_spec(name=name, timeout_s=timeout_s) for name in names)))


@pytest.fixture
def statements(engine: Engine) -> Iterator[list[str]]:
    """Yield the statements that the engine executes."""
    executed: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def record(_: object, __: object, statement: str, *___: object) -> None:
        executed.append(statement)

    yield executed
    event.remove(engine, "before_cursor_execute", record)


def is_cached(finder: FunctionFinder, statements: list[str], name: str) -> bool:
    before = len(statements)
    finder.find(name)
    return len(statements) == before


def test_a_function_is_found_without_a_query_until_it_is_removed(engine: Engine, statements: list[str]) -> None:
    publish(engine, "f")
    finder = FunctionFinder(engine)
    wait_until(lambda: is_cached(finder, statements, "f"))
    publish(engine, "f", "g", timeout_s=2)
    assert finder.find("g").timeout_s == 2, "a new function is known at once"
    wait_until(lambda: is_cached(finder, statements, "g"))
    assert finder.find("f").timeout_s == 2
    publish(engine, "g")
    with pytest.raises(UnknownFunctionError):
        wait_until(lambda: finder.find("f").timeout_s != 2)


def test_changes_during_a_lost_connection_are_seen(engine: Engine, statements: list[str]) -> None:
    publish(engine, "f")
    finder = FunctionFinder(engine)
    wait_until(lambda: is_cached(finder, statements, "f"))
    with engine.begin() as connection:
        assert connection.execute(END).scalars().all() == [True]
    publish(engine, "f", timeout_s=2)
    wait_until(lambda: finder.find("f").timeout_s == 2)
    wait_until(lambda: is_cached(finder, statements, "f"), what="the listener connects again")
    with engine.connect() as connection:
        assert len(connection.execute(LISTENERS).all()) == 1
