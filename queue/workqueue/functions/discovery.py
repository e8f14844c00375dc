"""Discover functions: find the modules in LOCALFN_FUNCTIONS, and import each one in a sandbox of its own."""

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workqueue.database import sanitize_value
from workqueue.errors import BadScheduleError, DuplicateFunctionError
from workqueue.functions import input_validation
from workqueue.functions.registry import FunctionSpec, ImportFailure, Registry
from workqueue.functions.skipped_files import SkippedFile, declares_function, find_skipped, is_module, is_package
from workqueue.sandboxes.connection import PROTOCOL_ERROR, Disconnected, Frame, SandboxConnection
from workqueue.sandboxes.exits.exit_status import sandbox_exit_message
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.process import wait_for_exit

log = logging.getLogger(__name__)

IMPORT_LIMIT_S = 60.0
EXIT_WAIT_S = 0.5  # for an interpreter to exit after it has closed its socket
EXIT_CONTEXT = "while importing the module"
MAX_DESCRIPTION_BYTES = 16 * 1024 * 1024

FileStamps = frozenset[tuple[str, int, int]]
ScheduleCheck = Callable[[FunctionSpec], str | None]  # returns the problem of the declared schedule


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """A module or package to import. root: the folder to import from. path: its file or folder."""

    root: str
    module: str
    path: str

    @property
    def key(self) -> str:
        return f"{self.root}:{self.module}"


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of importing a unit: its functions, a failure of it or a submodule, and the files it depends on."""

    functions: tuple[FunctionSpec, ...]
    failure: ImportFailure | None
    files: tuple[str, ...]


def find_units(sources: Iterable[str]) -> list[Unit]:
    """Return all units in LOCALFN_FUNCTIONS: the modules and packages in each folder, and modules given by name."""
    return [unit for source in sources for unit in _units_in_source(source)]


def _units_in_source(source: str) -> Iterator[Unit]:
    folder = Path(source).absolute()
    if folder.is_dir():
        # Import a folder that is itself a package as a package, so that relative imports in it work.
        is_inside = (folder / "__init__.py").is_file()
        root, prefix = (folder.parent, folder.name + ".") if is_inside else (folder, "")
        with contextlib.suppress(PermissionError):  # find_skipped reports the folder
            for path in sorted(folder.iterdir()):
                if is_module(path) or is_package(path):
                    yield Unit(str(root), prefix + path.stem, str(path))
    elif os.sep not in source:
        yield Unit("", source, source)


def find_skipped_files(sources: Iterable[str], found: Mapping[Unit, Findings]) -> tuple[SkippedFile, ...]:
    """Return the files that declare functions but were not discovered. found: the findings of each unit."""
    files = set(find_skipped(folder for source in sources if (folder := Path(source).absolute()).is_dir()))
    for unit, findings in found.items():
        path = Path(unit.path)
        if findings.failure is None and not findings.functions and declares_function(path):
            files.add(SkippedFile(unit.path, "it contains @function, but importing it declares none"))
    return tuple(sorted(files))


def stamp_files(unit: Unit, files: Sequence[str]) -> FileStamps:
    """Return path, mtime and size of the unit's files. A change of any of them is a change of the unit."""
    path = Path(unit.path)
    own = path.rglob("*.py") if path.is_dir() else [path]
    found = set()
    for file in {str(file) for file in own} | set(files):
        try:
            stat = Path(file).stat()
        except OSError:
            continue
        found.add((file, stat.st_mtime_ns, stat.st_size))
    return frozenset(found)


def import_unit(interpreter: Interpreter, unit: Unit, schedule_problem: ScheduleCheck) -> Findings:
    """Import the unit in a sandbox of its own, and return its declarations.

    schedule_problem: a check of the schedule that a function declares.
    """
    child = interpreter.start({"type": "describe", "root": unit.root or None, "module": unit.module}, {})
    sandbox = SandboxConnection(child, MAX_DESCRIPTION_BYTES)
    try:
        answer = _receive_findings(sandbox, unit, schedule_problem)
        ended_itself = (
            isinstance(answer, Disconnected)
            and answer.why != PROTOCOL_ERROR
            and wait_for_exit(child.process, EXIT_WAIT_S) is not None
        )
    finally:
        status = child.end()
        child.close()
    if isinstance(answer, Disconnected):
        action = "wrote into" if answer.why == PROTOCOL_ERROR else "closed"
        message = (
            sandbox_exit_message(status, EXIT_CONTEXT)
            if ended_itself
            else f"It {action} the runtime's socket {EXIT_CONTEXT}."
        )
        return _failed_findings(unit, "SandboxExited", message, "")
    return answer


def _receive_findings(
    sandbox: SandboxConnection, unit: Unit, schedule_problem: ScheduleCheck
) -> Findings | Disconnected:
    ends_at = time.monotonic() + IMPORT_LIMIT_S
    while (remaining_s := ends_at - time.monotonic()) > 0:
        message = sandbox.next_message(remaining_s)
        if isinstance(message, Frame) and message.type != "started":
            return _parse_description(unit, sanitize_value(message.head), schedule_problem)
        if isinstance(message, Disconnected):
            return message
    return _failed_findings(unit, "TimedOut", f"The import took longer than {IMPORT_LIMIT_S:.0f} s.", "")


def _parse_description(unit: Unit, head: dict[str, Any], schedule_problem: ScheduleCheck) -> Findings:
    if head["type"] != "described":
        files_behind_error = tuple(path for path, _, _ in head.get("files", ()))
        return _failed_findings(unit, head["error_type"], head["error_message"], head["traceback"], files_behind_error)
    functions = tuple(
        FunctionSpec(unit=unit.key, root=unit.root or None, **described) for described in head["functions"]
    )
    for function in functions:
        if (problem := _declaration_problem(function, schedule_problem)) is not None:
            error_type, detail = problem
            message = f"{_source_location(function)}: @function on {function.name!r}: {detail}"
            return _failed_findings(unit, error_type, message, "")
    files = tuple(path for path, _, _ in head["files"])
    if "failure" not in head:
        return Findings(functions, None, files)
    failure = head["failure"]  # of a submodule; the other submodules declare the functions
    failed = _failed_findings(unit, failure["error_type"], failure["error_message"], failure["traceback"], files)
    return replace(failed, functions=functions)


def _declaration_problem(function: FunctionSpec, schedule_problem: ScheduleCheck) -> tuple[str, str] | None:
    """Return the error type and message for a schema or schedule that cannot be used."""
    if function.schema_checked_outside and (problem := input_validation.schema_problem(function.input_schema or {})):
        return "SchemaError", f"input is not a valid JSON Schema. {problem}"
    if (message := schedule_problem(function)) is not None:
        return "ScheduleError", message
    return None


def _failed_findings(
    unit: Unit, error_type: str, message: str, traceback: str, files: tuple[str, ...] = ()
) -> Findings:
    path = Path(unit.path)
    file = str(path / "__init__.py") if path.is_dir() else unit.path
    return Findings((), ImportFailure(unit.key, file, error_type, message, traceback), files)


def merge_findings(found: dict[Unit, Findings], before: Registry) -> Registry:
    """Merge the findings of all units into one registry.

    A unit that fails to import, wholly or in part, keeps its previous functions: their requests are accepted and fail
    with the import error, which helps more than a 404. Of two functions with the same name, the earlier owner keeps
    the name.
    """
    failures, functions = [], dict[str, FunctionSpec]()
    owners = {function.name: function.unit for function in before.functions}
    for unit, findings in sorted(found.items(), key=lambda entry: entry[0]):
        names = {function.name for function in findings.functions}
        not_found_again = (each for each in before.functions if each.unit == unit.key and each.name not in names)
        previous = list(not_found_again) if findings.failure else []
        failures += [findings.failure] if findings.failure else []
        for function in [*findings.functions, *previous]:
            rival = functions.get(function.name)
            if rival is None or owners.get(function.name) == function.unit != rival.unit:
                functions[function.name] = function
            if rival is not None:
                loser = rival if functions[function.name] is function else function
                failures.append(_duplicate_failure(loser, functions[function.name]))
    return Registry(
        tuple(sorted(functions.values(), key=lambda function: function.name)),
        tuple({failure.unit: failure for failure in failures}.values()),
    )


def check_start(registry: Registry) -> None:
    """Raise the first failure that stops a start: DuplicateFunctionError or BadScheduleError."""
    for failure in registry.failures:
        if failure.error_type == "DuplicateFunction":
            raise DuplicateFunctionError(failure.error_message)
        if failure.error_type == "ScheduleError":
            raise BadScheduleError([{"field": failure.unit, "detail": failure.error_message}])


def _duplicate_failure(loser: FunctionSpec, winner: FunctionSpec) -> ImportFailure:
    message = (
        f"Two functions are named {loser.name!r}: {_source_location(winner)} and {_source_location(loser)}. Rename one."
    )
    return ImportFailure(loser.unit, loser.source_file, "DuplicateFunction", message, "")


def _source_location(function: FunctionSpec) -> str:
    return f"{function.source_file}:{function.source_line}"
