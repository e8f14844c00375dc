"""Watch the code of functions, and import changed modules again."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workqueue.functions.discovery import (
    FileStamps,
    Findings,
    ScheduleCheck,
    Unit,
    find_skipped_files,
    find_units,
    import_unit,
    merge_findings,
    stamp_files,
)
from workqueue.functions.registry import DiscoveredUnit, FunctionSpec, Registry
from workqueue.functions.skipped_files import SkippedFile
from workqueue.sandboxes.interpreter import Interpreter

log = logging.getLogger(__name__)

# Retry a failed import even if its files have not changed: a server that it needs may be available again.
RETRY_FAILED_S = 20.0
IMPORT_TIME_FACTOR = 10  # add this many times the duration of the import, so that slow imports are retried less often
MAX_LOGGED_NAMES = 5  # names of functions per log line


@dataclass(frozen=True, slots=True)
class KnownUnit:
    """The last import of a unit. stamps: its files at that time. retry_at: after a failure, on the monotonic clock."""

    stamps: FileStamps
    findings: Findings
    retry_at: float = math.inf


Limits = Mapping[str, Mapping[str, Any]]  # by function: options that replace those in the code


class CodeWatcher:
    """Discover changes of functions. The first call of `refresh` compares with the stored registry."""

    def __init__(
        self,
        interpreter: Interpreter,
        sources: Sequence[str],
        registry: Registry,
        schedule_problem: ScheduleCheck,
        limits: Limits | None = None,
    ) -> None:
        self.interpreter = interpreter
        self._schedule_problem = schedule_problem
        self.sources = sources
        self._limits = limits or {}
        self.registry = registry
        self._known: dict[Unit, KnownUnit] = {}
        self._remembered = self._recall(registry)

    def refresh(self) -> bool:
        """Import new and changed units. Return True if the registry has changed."""
        self._known = {unit: self._examine(unit) for unit in find_units(self.sources)}
        self._remembered = {}
        found = {unit: known.findings for unit, known in self._known.items()}
        files = find_skipped_files(self.sources, found)
        _log_skipped(set(files) - set(self.registry.skipped))
        merged = merge_findings(found, self.registry)
        functions = tuple(replace(each, **self._limits.get(each.name, {})) for each in merged.functions)
        registry = replace(merged, functions=functions, units=self._discovered_units(), skipped=files)
        changed, self.registry = registry != self.registry, registry
        return changed

    def _examine(self, unit: Unit) -> KnownUnit:
        known = self._known.get(unit) or self._remembered.get(unit.key)
        stamps_before, started = stamp_files(unit, known.findings.files if known else ()), time.monotonic()
        if known is not None and known.stamps == stamps_before and started < known.retry_at:
            return known
        findings = import_unit(self.interpreter, unit, self._schedule_problem)
        if known is None or findings != known.findings:
            _log_findings(unit, findings)
        # For the unit's own files keep the stamps from before the import: then the next call finds a change during it.
        paths = {path for path, _, _ in stamps_before}
        stamps_after = stamps_before | {entry for entry in stamp_files(unit, findings.files) if entry[0] not in paths}
        import_s = time.monotonic() - started
        retry_at = started + RETRY_FAILED_S + IMPORT_TIME_FACTOR * import_s if findings.failure else math.inf
        return KnownUnit(stamps_after, findings, retry_at)

    def _recall(self, registry: Registry) -> dict[str, KnownUnit]:
        """Return the units that an earlier process imported with this interpreter, except failed ones: retry those."""
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
        """Return the units that the next process need not import.

        It imports a unit with a limited function again: the registry holds the limit, not the option in the code.
        """
        return tuple(
            DiscoveredUnit(unit.key, self.interpreter.python, [list(entry) for entry in sorted(known.stamps)])
            for unit, known in sorted(self._known.items(), key=lambda entry: entry[0])
            if known.findings.failure is None
            and not any(function.name in self._limits for function in known.findings.functions)
        )


def _log_skipped(files: set[SkippedFile]) -> None:
    for file in sorted(files):
        log.warning("file skipped", extra={"file": file.source_file, "reason": file.reason})


def _log_findings(unit: Unit, findings: Findings) -> None:
    """Log a failed import or the discovered functions. Modules without functions are shared code: do not log them."""
    if (failure := findings.failure) is not None:
        error = f"{failure.error_type}: {failure.error_message}"
        log.warning("module import failed", extra={"unit": unit.key, "error": error})
    elif findings.functions:
        names = [function.name for function in findings.functions[:MAX_LOGGED_NAMES]]
        names += ["…"] if len(findings.functions) > MAX_LOGGED_NAMES else []
        log.info("functions discovered", extra={"unit": unit.key, "functions": ",".join(names)})
