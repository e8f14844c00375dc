"""Discover functions: which modules count, how errors are reported, and how soon a change is seen."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.commands import localfn
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

SEEN_WITHIN_S = 2.0 + 8.0  # The promised time, and a margin for a machine busy with other tests.

HEAD = "from localfn import function\n"


def returning(name: str, value: str) -> str:
    return f"{HEAD}@function\ndef {name}(event, context):\n    return {value}\n"


def test_new_changed_and_removed_functions_are_noticed(runtime: Runtime) -> None:
    path = runtime.write("fresh.py", returning("fresh", "1"))
    wait_until(lambda: runtime.knows("fresh"), SEEN_WITHIN_S, "the function is seen")
    assert runtime.result("fresh") == 1

    # The change keeps size and second of the file, so only its hash differs. The next request runs the new code.
    for value in range(2, 7):
        runtime.write("fresh.py", returning("fresh", str(value)))
        assert runtime.result("fresh") == value

    path.unlink()
    wait_until(lambda: not runtime.knows("fresh"), SEEN_WITHIN_S, "the function is gone")


def test_a_change_of_a_helper_module_is_noticed(runtime: Runtime) -> None:
    runtime.write("_helper_of_user.py", "VALUE = 'old'\n")
    runtime.write("user.py", "import _helper_of_user\n" + returning("uses_helper", "_helper_of_user.VALUE"))
    wait_until(lambda: runtime.knows("uses_helper"), SEEN_WITHIN_S)
    assert runtime.result("uses_helper") == "old"

    runtime.write("_helper_of_user.py", "VALUE = 'new'\n")
    assert runtime.result("uses_helper") == "new"


def test_a_change_of_a_lazily_imported_helper_is_noticed(runtime: Runtime) -> None:
    runtime.write("_late.py", "VALUE = 1\n")
    runtime.write(
        "late.py", f"{HEAD}@function\ndef imports_late(event, context):\n    import _late\n    return _late.VALUE\n"
    )
    wait_until(lambda: runtime.knows("imports_late"), SEEN_WITHIN_S)
    assert runtime.result("imports_late") == 1
    runtime.write("_late.py", "VALUE = 2\n")
    assert runtime.result("imports_late") == 2


def test_packages_with_relative_imports_are_discovered(runtime: Runtime) -> None:
    runtime.write("parcel/helper.py", "VALUE = 'relative'\n")
    runtime.write("parcel/deep/work.py", "from ..helper import VALUE\n" + returning("in_package", "VALUE"))
    runtime.write("parcel/deep/__init__.py", "")
    runtime.write("parcel/__init__.py", "")
    wait_until(lambda: runtime.knows("in_package"), SEEN_WITHIN_S)

    assert runtime.result("in_package") == "relative"
    assert runtime.get("/api/functions/in_package")["module"] == "parcel.deep.work"


def test_a_broken_submodule_is_listed_and_other_functions_of_its_package_remain(runtime: Runtime) -> None:
    runtime.write("mixed/broken.py", "import missing_library\n" + returning("in_broken", "1"))
    runtime.write("mixed/sound.py", returning("in_sound", "1"))
    runtime.write("mixed/__init__.py", "")
    wait_until(lambda: runtime.knows("in_sound"), SEEN_WITHIN_S)
    assert runtime.result("in_sound") == 1
    assert not runtime.knows("in_broken")
    [error] = [each for each in runtime.get("/api/functions")["errors"] if "mixed" in each["source_file"]]
    assert (error["error_type"], "missing_library" in error["error_message"]) == ("ModuleNotFoundError", True)

    runtime.write("mixed/broken.py", returning("in_broken", "2"))
    wait_until(lambda: runtime.knows("in_broken"), SEEN_WITHIN_S, "the mended submodule is seen")
    assert (runtime.result("in_broken"), runtime.result("in_sound")) == (2, 1)


def test_a_module_that_fails_to_import_is_listed_and_affects_no_other_module(runtime: Runtime) -> None:
    runtime.write("broken.py", "import nothing_of_that_name\n")
    runtime.write("killer.py", "import os\nos._exit(1)\n")

    def errors() -> dict[str, dict[str, Any]]:
        listed = runtime.get("/api/functions")["errors"]
        return {Path(error["source_file"]).name: error for error in listed}

    wait_until(lambda: {"broken.py", "killer.py"} <= errors().keys(), SEEN_WITHIN_S, "both are listed")
    assert errors()["broken.py"]["error_type"] == "ModuleNotFoundError"
    assert "import nothing_of_that_name" in errors()["broken.py"]["traceback"]
    assert "importlib" not in errors()["broken.py"]["traceback"]
    assert errors()["killer.py"]["error_type"] == "SandboxExited"
    assert runtime.result("echo", 1) == 1
    for name in ("broken.py", "killer.py"):
        (runtime.functions / name).unlink()
    wait_until(lambda: not {"broken.py", "killer.py"} & errors().keys(), SEEN_WITHIN_S, "both are forgotten")


def test_a_syntax_error_fails_requests_with_file_and_line_until_repaired(runtime: Runtime) -> None:
    path = runtime.write("typo.py", returning("mistyped", "1"))
    wait_until(lambda: runtime.knows("mistyped"), SEEN_WITHIN_S)
    runtime.write("typo.py", HEAD + "@function\ndef mistyped(event, context)\n    return 1\n")

    request = runtime.call("mistyped")
    assert (request["status"], request["error_type"]) == ("failed", "SyntaxError")
    (attempt,) = runtime.attempts(request["id"])
    assert f'File "{path}", line 3' in attempt["traceback"]
    wait_until(lambda: runtime.get("/api/functions/mistyped")["error"], SEEN_WITHIN_S, "it is listed as broken")

    runtime.write("typo.py", returning("mistyped", "2"))
    assert runtime.result("mistyped") == 2


def test_modules_of_one_name_in_two_folders_are_separate(runtime: Runtime) -> None:
    # tests/functions has a module `plain`; the runtime's own folder now has one too, with its own helper.
    path = runtime.write("plain.py", returning("other_plain", "__file__"))
    wait_until(lambda: runtime.knows("other_plain"), SEEN_WITHIN_S)

    assert runtime.result("other_plain") == str(path)
    assert runtime.result("echo", "the other one") == "the other one"


def test_a_duplicate_function_is_listed_as_an_error_and_the_first_remains(runtime: Runtime) -> None:
    path = runtime.write("twin.py", returning("echo", "'the wrong one'"))

    def listed() -> list[dict[str, Any]]:
        return [error for error in runtime.get("/api/functions")["errors"] if error["source_file"] == str(path)]

    error = wait_until(listed, SEEN_WITHIN_S)[0]
    assert error["error_type"] == "DuplicateFunction"
    assert "twin.py:2" in error["error_message"]
    assert runtime.result("echo", "the right one") == "the right one"
    path.unlink()
    wait_until(lambda: not listed(), SEEN_WITHIN_S)


def test_two_functions_of_one_name_stop_the_start(runtime: Runtime, tmp_path: Path) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(returning("twin", "1"))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "localfn_runtime", "init"],
        env=runtime.env | {"LOCALFN_FUNCTIONS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Two functions are named 'twin'" in done.stderr
    assert "Traceback" not in done.stderr
    assert runtime.knows("echo"), "the registry is as it was"


def test_a_module_that_kills_its_interpreter_fails_only_its_own_requests(runtime: Runtime) -> None:
    path = runtime.write("poison.py", returning("poisoned", "1"))
    wait_until(lambda: runtime.knows("poisoned"), SEEN_WITHIN_S)
    runtime.write("poison.py", "import os\nos._exit(7)\n")

    ids = [runtime.post("poisoned")["id"] for _ in range(10)]
    assert runtime.result("echo", "behind it", timeout_s=20) == "behind it"
    for request in map(runtime.wait_ended, ids):
        assert (request["status"], request["attempt"], request["error_type"]) == ("failed", 1, "SandboxExited")
        assert "status 7 while importing its module" in request["error_message"]
    path.unlink()


def test_a_skipped_file_is_listed_by_api_and_command_line(runtime: Runtime) -> None:
    runtime.write("my-function.py", returning("of_a_dashed_file", "1"))
    runtime.write("without_init/x.py", returning("of_no_package", "1"))
    runtime.write("guarded.py", f"{HEAD}if __name__ == '__main__':\n    @function\n    def guarded(e, c): ...\n")
    wait_until(lambda: runtime.knows("of_a_dashed_file"), SEEN_WITHIN_S)
    assert runtime.result("of_a_dashed_file") == 1

    def skipped() -> dict[str, str]:
        files = runtime.get("/api/functions")["skipped"]
        return {Path(file["source_file"]).name: file["reason"] for file in files}

    wait_until(lambda: len(skipped()) >= 2, SEEN_WITHIN_S, "both files are named")
    assert "without_init has no __init__.py" in skipped()["x.py"]
    assert "importing it declares none" in skipped()["guarded.py"]
    for words in (("functions", "list"), ("doctor",)):
        done = localfn(runtime, *words)
        assert "without_init has no __init__.py" in done.stdout + done.stderr

    for name in ("without_init/x.py", "guarded.py", "my-function.py"):
        (runtime.functions / name).unlink()
    wait_until(lambda: not skipped(), SEEN_WITHIN_S, "no file is named any more")
