"""Plan the faults of a run as a pure function of the seed, so that a run can be repeated."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

GAP_S = 2.0  # between two faults, on average
FIRST_AT_S = 2.0
SETTLE_S = 5.0  # from the end of the last fault to a calm: all processes run again
MARGIN_S = 3.0  # a calm lasts longer than a lease by this
LONGEST_FREEZE_S = 20.0
AWAY_S = 10.0
LONGEST_FULL_S = 10.0
CROWD = 200  # requests that start at the same time
CROWD_LIMIT_S = 10.0  # for the start of a crowd; those that run by then are hit


class Act(StrEnum):
    """Name the action of a fault."""

    KILL = "kill"
    TERM = "term"
    FREEZE = "freeze"
    EMPTY = "empty"  # Redis: killed, and its data removed
    FLUSH = "flush"
    PAUSE = "pause"
    AWAY = "away"  # PostgreSQL: immediate stop, and back later
    SLOW = "slow"  # PostgreSQL: each of its answers comes late
    STUTTER = "stutter"  # stopped again and again, each time for less than a pool allows
    FILL = "fill"  # the disk of LOCALFN_HOME, to its last byte; what fills it is removed later
    # Faults of a busy worker without other faults: these measure the promised time.
    LONE_KILL = "lone kill"
    LONE_FREEZE = "lone freeze"
    # The same with hundreds of running requests.
    CROWD_KILL = "crowd kill"
    CROWD_FREEZE = "crowd freeze"


class Target(StrEnum):
    """Name the target of a fault."""

    WEB = "web"
    POOL = "pool"
    WORKER = "worker"
    SANDBOX = "sandbox"
    SCHEDULER = "scheduler"
    REDIS = "redis"
    POSTGRES = "postgres"
    RUNTIME = "runtime"  # all runtime processes at once
    DISK = "disk"  # left out if no small disk can be mounted


@dataclass(frozen=True, slots=True)
class Fault:
    """Hold one planned fault.

    at_s: seconds from the start. lasts_s: duration of a freeze, stutter, pause, outage, full disk or calm.

    chance: from 0 to 1, which of the processes of its kind it hits.
    """

    at_s: float
    act: Act
    target: Target
    lasts_s: float
    chance: float

    @property
    def ends_at_s(self) -> float:
        return self.at_s + self.lasts_s


# Shuffled and used up before it is shuffled again, so that each kind of fault occurs with each seed.
FAULT_MIX = (
    (Act.KILL, Target.WEB),
    (Act.TERM, Target.WEB),
    (Act.FREEZE, Target.WEB),
    (Act.KILL, Target.POOL),
    (Act.TERM, Target.POOL),
    (Act.FREEZE, Target.POOL),
    (Act.KILL, Target.WORKER),
    (Act.KILL, Target.WORKER),
    (Act.TERM, Target.WORKER),
    (Act.FREEZE, Target.WORKER),
    (Act.FREEZE, Target.WORKER),
    (Act.STUTTER, Target.WORKER),
    (Act.STUTTER, Target.WORKER),
    (Act.KILL, Target.SANDBOX),
    (Act.KILL, Target.SANDBOX),
    (Act.TERM, Target.SANDBOX),
    (Act.FREEZE, Target.SANDBOX),
    (Act.KILL, Target.SCHEDULER),
    (Act.TERM, Target.SCHEDULER),
    (Act.FREEZE, Target.SCHEDULER),
    (Act.KILL, Target.REDIS),
    (Act.EMPTY, Target.REDIS),
    (Act.FREEZE, Target.REDIS),
    (Act.FLUSH, Target.REDIS),
    (Act.PAUSE, Target.REDIS),
    (Act.KILL, Target.POSTGRES),
    (Act.AWAY, Target.POSTGRES),
    (Act.FREEZE, Target.POSTGRES),
    (Act.SLOW, Target.POSTGRES),
    (Act.SLOW, Target.POSTGRES),
    (Act.KILL, Target.RUNTIME),
    (Act.FILL, Target.DISK),
    (Act.FILL, Target.DISK),
    (Act.LONE_KILL, Target.WORKER),
    (Act.LONE_KILL, Target.WORKER),
    (Act.LONE_FREEZE, Target.WORKER),
    (Act.CROWD_KILL, Target.WORKER),
    (Act.CROWD_FREEZE, Target.WORKER),
)
LASTING = (Act.FREEZE, Act.PAUSE, Act.SLOW, Act.STUTTER)
CROWDS = (Act.CROWD_KILL, Act.CROWD_FREEZE)
LONE = (Act.LONE_KILL, Act.LONE_FREEZE, *CROWDS)


def schedule(seed: int, duration_s: float, lease_s: float) -> list[Fault]:
    """Return the faults of one run by time; all end before `duration_s`."""
    random = Random(seed)
    faults: list[Fault] = []
    at_s, quiet_from_s = FIRST_AT_S, 0.0
    while True:
        for act, target in random.sample(FAULT_MIX, len(FAULT_MIX)):
            lasts_s = _lasts_s(random, act, lease_s)
            at_s += random.expovariate(1 / GAP_S)
            if at_s > duration_s:
                return faults
            starts_s = max(at_s, quiet_from_s + SETTLE_S) if act in LONE else at_s
            fault = Fault(starts_s, act, target, lasts_s, random.random())
            if fault.ends_at_s > duration_s:
                continue  # a shorter fault may fit
            faults.append(fault)
            quiet_from_s = max(quiet_from_s, fault.ends_at_s)
            if act in LONE:
                at_s = fault.ends_at_s


def _lasts_s(random: Random, act: Act, lease_s: float) -> float:
    if act in LONE:
        return lease_s + MARGIN_S + (CROWD_LIMIT_S if act in CROWDS else 0.0)
    if act == Act.AWAY:
        return AWAY_S
    if act == Act.FILL:
        return random.uniform(1.0, LONGEST_FULL_S)
    if act not in LASTING:
        return 0.0
    shorter, longer = random.uniform(1.0, lease_s), random.uniform(lease_s, min(3 * lease_s, LONGEST_FREEZE_S))
    return random.choice((shorter, longer))
