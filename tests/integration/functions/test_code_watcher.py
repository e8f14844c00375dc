"""Retry the import of a failed module when its missing dependency appears, without a change of the module."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.sandbox import sdk_link
from workqueue.functions import code_watcher
from workqueue.functions.code_watcher import CodeWatcher
from workqueue.functions.registry import Registry
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.schedules.declarations import declared_schedule_problem

CODE = "from localfn import function\nimport {needed}\n@function\ndef work(event, context):\n    return 1\n"


def watcher_of(folder: Path, python: str = sys.executable) -> CodeWatcher:
    interpreter = Interpreter(python, sdk_link.sdk_folder().parent, {}, 1 << 20)
    watcher = CodeWatcher(interpreter, [str(folder)], Registry((), ()), declared_schedule_problem)
    watcher.refresh()
    (failure,) = watcher.registry.failures
    assert failure.unit.endswith(":work")
    return watcher


def test_a_limit_takes_precedence_over_the_code_until_it_is_removed(tmp_path: Path) -> None:
    interpreter = Interpreter(sys.executable, sdk_link.sdk_folder().parent, {}, 1 << 20)
    for name in ("limited", "other"):
        text = f"from localfn import function\n@function(timeout_s=60)\ndef {name}(event, context): ...\n"
        (tmp_path / f"{name}.py").write_text(text)
    stored = Registry()
    for limits, timeouts in (
        ({}, [60, 60]),
        ({"limited": {"timeout_s": 5}}, [5, 60]),  # on a unit that is remembered
        ({"limited": {"timeout_s": 6, "queue": "high"}}, [6, 60]),
        ({"other": {"timeout_s": 5}}, [60, 5]),
        ({}, [60, 60]),
    ):
        watcher = CodeWatcher(interpreter, [str(tmp_path)], stored, declared_schedule_problem, limits)
        assert watcher.refresh()
        stored = watcher.registry
        assert [function.timeout_s for function in stored.functions] == timeouts
        assert len(stored.units) == 2 - len(limits)
        assert not watcher.refresh()


def test_a_change_of_the_code_keeps_the_limit(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(CODE.format(needed="json"))
    interpreter = Interpreter(sys.executable, sdk_link.sdk_folder().parent, {}, 1 << 20)
    watcher = CodeWatcher(
        interpreter, [str(tmp_path)], Registry(), declared_schedule_problem, {"work": {"max_attempts": 7}}
    )
    watcher.refresh()
    (tmp_path / "work.py").write_text(CODE.format(needed="json").replace("@function", "@function(max_attempts=2)"))
    watcher.refresh()
    (work,) = watcher.registry.functions
    assert (work.source_line, work.max_attempts) == (3, 7)


def finds_function(watcher: CodeWatcher) -> bool:
    watcher.refresh()
    return [function.name for function in watcher.registry.functions] == ["work"] and not watcher.registry.failures


def test_a_newly_installed_package_triggers_a_retry(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "own"], check=True)
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "work.py").write_text(CODE.format(needed="wanted_lib"))
    watcher = watcher_of(tmp_path / "functions", str(tmp_path / "own" / "bin" / "python"))
    assert not finds_function(watcher)
    (packages,) = (tmp_path / "own" / "lib").glob("python3.*/site-packages")
    (packages / "wanted_lib.py").touch()
    assert finds_function(watcher)


def test_a_new_helper_module_triggers_a_retry(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(CODE.format(needed="_helper"))
    watcher = watcher_of(tmp_path)
    (tmp_path / "_helper.py").touch()
    assert finds_function(watcher)


@pytest.mark.parametrize("wrong", ["raise ValueError('not yet')\n", "def half(:\n"])
def test_a_repaired_helper_module_triggers_a_retry(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "work.py").write_text(CODE.format(needed="_helper"))
    (tmp_path / "_helper.py").write_text(wrong)
    watcher = watcher_of(tmp_path)
    with (tmp_path / "_helper.py").open("w") as helper:
        helper.write("VALUE = 1\n")
    assert finds_function(watcher)


def test_an_import_error_without_a_file_is_retried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry after an import error that no file explains, such as an unavailable server."""
    flag, folder = tmp_path / "flag", tmp_path / "functions"
    folder.mkdir()
    (folder / "work.py").write_text(CODE.format(needed="os") + f"os.stat({str(flag)!r})\n")
    monkeypatch.setattr(code_watcher, "RETRY_FAILED_S", 0.0)
    monkeypatch.setattr(code_watcher, "IMPORT_TIME_FACTOR", 0)
    watcher = watcher_of(folder)
    flag.touch()
    assert finds_function(watcher)


def test_a_failed_import_is_not_retried_at_once(tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "work.py").write_text(f"open({str(tries)!r}, 'a').write('x')\nraise ValueError\n")
    watcher = watcher_of(tmp_path / "functions")
    for _ in range(3):
        assert not watcher.refresh(), "nothing is new"
    assert tries.read_text() == "x"


def test_a_repeated_import_error_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "work.py").write_text(CODE.format(needed="nowhere"))
    monkeypatch.setattr(code_watcher, "RETRY_FAILED_S", 0.0)
    monkeypatch.setattr(code_watcher, "IMPORT_TIME_FACTOR", 0)
    watcher = watcher_of(tmp_path)
    assert [watcher.refresh() for _ in range(4)] == [False] * 4, "the registry stays the same"
    assert [record.getMessage() for record in caplog.records] == ["module import failed"]
