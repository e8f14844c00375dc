"""Watches the functions' code: which modules changed since the last look, and are imported again."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from workqueue.functions.discovery import (
    Findings,
    ScheduleCheck,
    Stamp,
    Unit,
    describe,
    merge,
    skipped,
    stamp,
    units,
)
from workqueue.functions.registry import DiscoveredUnit, FunctionSpec, Registry
from workqueue.functions.skipped_files import SkippedFile
from workqueue.sandboxes.interpreter import Interpreter

log = logging.getLogger(__name__)

RETRY_FAILED_S = (
    20.0  # a module that failed is tried again, though nothing of it changed: what it asked may be there by now
)
IMPORT_TIME_FACTOR = 10  # and so many times as long as the import took: watching is not all that there is to do
MAX_LOGGED_NAMES = 5  # names of functions in a line of the log


@dataclass(frozen=True, slots=True)
class KnownUnit:
    """What is known of a unit. stamp: as it was looked at. again_at: on the monotonic clock, of a failure."""

    stamp: Stamp
    findings: Findings
    again_at: float = math.inf


class CodeWatcher:
    """Discovers what changed since the last look; the first look compares with what the registry remembers."""

    def __init__(
        self, interpreter: Interpreter, sources: Sequence[str], registry: Registry, schedule_problem: ScheduleCheck
    ) -> None:
        self.interpreter = interpreter
        self._schedule_problem = schedule_problem
        self.sources = sources
        self.registry = registry
        self._known: dict[Unit, KnownUnit] = {}
        self._remembered = self._recall(registry)

    def refresh(self) -> bool:
        """Imports new and changed units again. True when the registry is another than before."""
        self._known = {unit: self._examine(unit) for unit in units(self.sources)}
        self._remembered = {}
        found = {unit: known.findings for unit, known in self._known.items()}
        files = skipped(self.sources, found)
        _log_skipped(set(files) - set(self.registry.skipped))
        registry = replace(merge(found, self.registry), units=self._discovered_units(), skipped=files)
        changed, self.registry = registry != self.registry, registry
        return changed

    def _examine(self, unit: Unit) -> KnownUnit:
        known = self._known.get(unit) or self._remembered.get(unit.key)
        before, began = stamp(unit, known.findings.files if known else ()), time.monotonic()
        if known is not None and known.stamp == before and began < known.again_at:
            return known
        findings = describe(self.interpreter, unit, self._schedule_problem)
        if known is None or findings != known.findings:
            _log_findings(unit, findings)
        # Of its own files the stamp from before the import counts: a change during it is seen at the next look.
        paths = {path for path, _, _ in before}
        seen = before | {entry for entry in stamp(unit, findings.files) if entry[0] not in paths}
        took_s = time.monotonic() - began
        return KnownUnit(
            seen, findings, began + RETRY_FAILED_S + IMPORT_TIME_FACTOR * took_s if findings.failure else math.inf
        )

    def _recall(self, registry: Registry) -> dict[str, KnownUnit]:
        """What an earlier process found with this interpreter. Failures are not recalled: they may be mended by now."""
        functions: dict[str, list[FunctionSpec]] = {}
        for function in registry.functions:
            functions.setdefault(function.unit, []).append(function)
        failed = {failure.unit for failure in registry.failures}
        return {
            known.unit: KnownUnit(
                frozenset((path, mtime, size) for path, mtime, size in known.files),
                Findings(tuple(functions.get(known.unit, ())), None, tuple(path for path, _, _ in known.files)),
            )
            for known in registry.units
            if known.python == self.interpreter.python and known.unit not in failed
        }

    def _discovered_units(self) -> tuple[DiscoveredUnit, ...]:
        return tuple(
            DiscoveredUnit(unit.key, self.interpreter.python, [list(entry) for entry in sorted(known.stamp)])
            for unit, known in sorted(self._known.items(), key=lambda entry: entry[0])
            if known.findings.failure is None
        )


def _log_skipped(files: set[SkippedFile]) -> None:
    for file in sorted(files):
        log.warning("a file is not discovered", extra={"file": file.source_file, "reason": file.reason})


def _log_findings(unit: Unit, findings: Findings) -> None:
    """Modules without a function are shared code, and no news."""
    if (failure := findings.failure) is not None:
        error = f"{failure.error_type}: {failure.error_message}"
        log.warning("a module cannot be imported", extra={"unit": unit.key, "error": error})
    elif findings.functions:
        names = [function.name for function in findings.functions[:MAX_LOGGED_NAMES]]
        names += ["…"] if len(findings.functions) > MAX_LOGGED_NAMES else []
        log.info("discovered", extra={"unit": unit.key, "functions": ",".join(names)})
