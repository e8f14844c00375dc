"""Implement the checks of `localfn doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckResult:
    """Report one check. hint: what to do if it failed."""

    name: str
    ok: bool
    detail: str
    hint: str = ""
