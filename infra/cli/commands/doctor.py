"""`localfn doctor`: what is well, what is not, and what to do about it."""

from dataclasses import asdict

import click

from infra.cli.output.formatting import one_line
from infra.cli.output.tables import emit, emit_json, json_option
from infra.command_name import with_command_name

NOT_WELL_CODE, NOTHING_RUNS_CODE = 1, 3


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check settings, interpreter, services, workers and functions."""
    from infra.doctor.finding import CheckResult
    from infra.doctor.services import examine, nothing_runs

    findings: list[CheckResult] = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            emit(_line(finding.name, finding.ok, one_line(finding.detail), finding.hint))
    ok = all(finding.ok for finding in findings)
    if as_json:
        emit_json({"ok": ok, "checks": [asdict(finding) for finding in findings]})
    if not ok:
        ctx.exit(NOTHING_RUNS_CODE if nothing_runs(findings) else NOT_WELL_CODE)


def _line(name: str, ok: bool, detail: str, todo: str) -> str:
    mark = click.style("ok", fg="green") if ok else click.style("!!", fg="red", bold=True)
    return f"{mark}  {name:<11}  {detail}" + (f"  → {with_command_name(todo)}" if todo else "")
