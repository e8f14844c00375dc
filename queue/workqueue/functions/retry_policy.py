"""Decide what follows a failed attempt. Pure."""

from dataclasses import dataclass

from workqueue.backoff import Backoff

MAX_LOSSES = 3  # reruns after a lost worker, which is not the function's failure
JITTER = 0.2  # spreads the retries of requests that failed at the same time


@dataclass(frozen=True, slots=True)
class Policy:
    """The retry settings of a function, named as in @function."""

    max_attempts: int = 1
    retry_delay_s: float = 2.0
    retry_max_delay_s: float = 300.0
    on_lost: str = "rerun"


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Run another attempt in `delay_s` seconds."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Fail:
    """Fail the request."""


Decision = GiveBack | Fail


def after_failure(policy: Policy, failures: int, *, asked_delay_s: float | None = None, chance: float) -> Decision:
    """Decide after a failure of the function itself: an exception, a timeout or a kill.

    failures: the number of failures, including this one. asked_delay_s: the delay in `raise Retry(delay_s=…)`.
    chance: a random number from 0 to 1 for the jitter.
    """
    if failures >= policy.max_attempts:
        return Fail()
    return GiveBack(backoff_s(policy, failures, chance) if asked_delay_s is None else asked_delay_s)


def after_loss(policy: Policy, losses: int) -> Decision:
    """Decide after a lost worker. losses: the number of losses, including this one."""
    if policy.on_lost == "fail" or losses > MAX_LOSSES:
        return Fail()
    return GiveBack(0.0)


def backoff_s(policy: Policy, failures: int, chance: float) -> float:
    """Return the delay: retry_delay_s, doubled with each failure up to retry_max_delay_s, with jitter."""
    delay_s = Backoff(policy.retry_delay_s, policy.retry_max_delay_s).delay_s(failures)
    return min(delay_s * (1 + JITTER * (2 * chance - 1)), policy.retry_max_delay_s)
