"""`localfn doctor`: what is well, what is not, and what to do about it."""

from dataclasses import asdict

import click

from infra.called_as import as_typed
from infra.cli.printing import emit, emit_json, json_option
from infra.cli.units import one_line

NOT_WELL_CODE, NOTHING_RUNS_CODE = 1, 3


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check settings, interpreter, services, workers and functions."""
    from infra.checks import examine, nothing_runs
    from infra.finding import Finding

    findings: list[Finding] = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            emit(_line(finding.name, finding.ok, one_line(finding.detail), finding.todo))
    ok = all(finding.ok for finding in findings)
    if as_json:
        emit_json({"ok": ok, "checks": [asdict(finding) for finding in findings]})
    if not ok:
        ctx.exit(NOTHING_RUNS_CODE if nothing_runs(findings) else NOT_WELL_CODE)


def _line(name: str, ok: bool, detail: str, todo: str) -> str:
    mark = click.style("ok", fg="green") if ok else click.style("!!", fg="red", bold=True)
    return f"{mark}  {name:<11}  {detail}" + (f"  → {as_typed(todo)}" if todo else "")
