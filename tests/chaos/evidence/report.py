"""Report a run as a table of figures."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.evidence.collect import Evidence
from tests.chaos.evidence.recovery_time import Recovery
from tests.chaos.evidence.verdict import Violation


@dataclass(frozen=True)
class Report:
    """Hold the figures of a run.

    timelines: texts of the requests of the first violations.
    """

    seed: int
    lease_s: float
    settled_s: float
    evidence: Evidence
    find_recoveries: list[Recovery]
    violations: list[Violation]
    timelines: list[str]

    def table(self) -> str:
        return "\n".join(f"{name:<34}{value}" for name, value in self._rows())

    def findings(self) -> str:
        counts = Counter(violation.what for violation in self.violations)
        listed = [f"- {violation.what} [{violation.id or '-'}]" for violation in self.violations]
        return "\n".join([f"seed {self.seed}: {len(self.violations)} violations ({len(counts)} kinds)", *listed])

    def _rows(self) -> Iterator[tuple[str, object]]:
        evidence, record = self.evidence, self.evidence.record
        yield "seed", self.seed
        yield "lease", f"{self.lease_s:g} s"
        yield "faults", evidence.event_log.faults().total()
        for kind, count in sorted(evidence.event_log.faults().items()):
            yield f"  {kind}", count
        for kind in sorted(evidence.event_log.left_out):
            yield f"  {kind}", "left out: this account may not mount a small disk"
        yield (
            "requests",
            f"{len(evidence.requests)} ({len(record.ids)} answered 202, {len(record.keys)} with a key)",
        )
        yield "  refused with 503", record.refusals - len(record.full_at)
        yield "  refused with 507", len(record.full_at)
        yield "  not answered", record.unreachable
        yield "  cancels answered 202", len(record.cancelled)
        yield "  retries asked for", len(record.retried)
        ends = Counter(f"{row['status']} {row['error_type'] or ''}".strip() for row in evidence.requests.values())
        for end, count in sorted(ends.items()):
            yield f"  {end}", count
        attempts = [attempt for rows in evidence.attempts.values() for attempt in rows]
        yield "attempts", len(attempts)
        for outcome, count in sorted(Counter(str(row["outcome"]) for row in attempts).items()):
            yield f"  {outcome}", count
        yield "executions in the ledger", sum(len(evidence.starts(id)) for id in evidence.entries)
        alone = [found.took_s for found in self.find_recoveries if found.alone]
        yield "worst recovery, all else well", _worst(alone)
        disturbed = [found for found in self.find_recoveries if not found.alone]
        yield "worst recovery, amid other faults", _worst([found.took_s for found in disturbed])
        yield "  since the last of them", _worst([found.undisturbed_s for found in disturbed])
        yield "all ended after the last fault", f"{self.settled_s:.1f} s"
        yield "violations", len(self.violations)


def _worst(took_s: list[float]) -> str:
    return f"{max(took_s):.1f} s of {len(took_s)}" if took_s else "none was seen"
