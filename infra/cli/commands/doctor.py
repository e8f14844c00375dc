"""Define `localfn doctor`: check the installation and suggest fixes."""

from dataclasses import asdict

import click

from infra.cli.output.formatting import one_line
from infra.cli.output.tables import json_option, print_data, print_json
from infra.command_name import with_command_name

PROBLEM_CODE, NOT_RUNNING_CODE = 1, 3


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check settings, interpreter, services, workers and functions, and suggest fixes."""
    from infra.doctor import CheckResult
    from infra.doctor.services import is_nothing_running, run_checks

    findings: list[CheckResult] = []
    for finding in run_checks():
        findings.append(finding)
        if not as_json:
            print_data(_line(finding.name, finding.ok, one_line(finding.detail), finding.hint))
    ok = all(finding.ok for finding in findings)
    if as_json:
        print_json({"ok": ok, "checks": [asdict(finding) for finding in findings]})
    if not ok:
        ctx.exit(NOT_RUNNING_CODE if is_nothing_running(findings) else PROBLEM_CODE)


def _line(name: str, ok: bool, detail: str, hint: str) -> str:
    mark = click.style("ok", fg="green") if ok else click.style("!!", fg="red", bold=True)
    return f"{mark}  {name:<11}  {detail}" + (f"  → {with_command_name(hint)}" if hint else "")
