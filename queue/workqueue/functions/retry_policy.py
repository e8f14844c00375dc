"""Decides what follows a failed attempt. Pure: what it needs comes in, a decision goes out."""

from dataclasses import dataclass

from workqueue.backoff import Backoff

MAX_LOSSES = 3  # a lost worker is not the function's failure: so many times more it runs again (contract, section 4)
JITTER = 0.2  # spread of the delay, so that requests that failed together do not come back together


@dataclass(frozen=True, slots=True)
class Policy:
    """How a function wants its failures treated; the same names as in @function."""

    max_attempts: int = 1
    retry_delay_s: float = 2.0
    retry_max_delay_s: float = 300.0
    on_lost: str = "rerun"


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Another attempt, `delay_s` seconds from now."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Fail:
    """No further attempt."""


Decision = GiveBack | Fail


def after_failure(policy: Policy, failures: int, *, asked_delay_s: float | None = None, chance: float) -> Decision:
    """After a failure of the function's own: an exception, a timeout, a kill.

    failures: how many there are now, this one counted. asked_delay_s: from `raise Retry(delay_s=…)`.
    chance: from 0 to 1, where in the jitter this delay falls.
    """
    if failures >= policy.max_attempts:
        return Fail()
    return GiveBack(backoff_s(policy, failures, chance) if asked_delay_s is None else asked_delay_s)


def after_loss(policy: Policy, losses: int) -> Decision:
    """After a lost worker. losses: how many there are now, this one counted."""
    if policy.on_lost == "fail" or losses > MAX_LOSSES:
        return Fail()
    return GiveBack(0.0)


def backoff_s(policy: Policy, failures: int, chance: float) -> float:
    """retry_delay_s doubled with each failure, at most retry_max_delay_s, spread by the jitter."""
    delay_s = Backoff(policy.retry_delay_s, policy.retry_max_delay_s).delay_s(failures)
    return min(delay_s * (1 + JITTER * (2 * chance - 1)), policy.retry_max_delay_s)
