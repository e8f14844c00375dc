"""Functions that lie to the runtime, or set traps: they fail at most themselves, and who comes next finds nothing."""

from typing import Any

import pytest

from tests.runtime import Runtime
from tests.waiting import wait_until


@pytest.mark.parametrize(
    "files",
    [5, {}, [5], [["/x"]], [[{}, 1, 2]], [["/dev/null", 1, 2]] * 20_000],
    ids=lambda files: repr(files)[:20],
)
def test_a_sandbox_that_lies_about_its_code_is_ended_and_nothing_else(runtime: Runtime, files: Any) -> None:
    assert runtime.call("lie_about_its_code", {"files": files})["status"] == "completed"

    def is_gone() -> bool:
        return all(each["function"] != "lie_about_its_code" for each in runtime.get("/api/sandboxes")["items"])

    assert wait_until(is_gone, what="the pool has looked at its files and ended it")
