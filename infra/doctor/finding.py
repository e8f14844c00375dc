"""What a check of `localfn doctor` has found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckResult:
    """What one check found. todo: what to do about it, when it is not well."""

    name: str
    ok: bool
    detail: str
    hint: str = ""
