"""Configure each peer as its documentation advises for short tasks."""

from dataclasses import dataclass

from benchmarks.peers.contestant import Kind

# Bases of the ratios. SimpleWorker is the quicker of RQ's two workers.
PLAIN_RQ = "RQ SimpleWorker x 2"
BATCHED_BOUND = "bare loop, batches of 32"


@dataclass(frozen=True, slots=True)
class Setup:
    """Describe a peer: its module in runners/, the arguments after the interpreter, and the number of processes."""

    name: str
    module: str
    words: tuple[str, ...]
    description: str
    copies: int = 1
    kind: Kind = "peer"
    share: float = 1.0


def _module(name: str) -> str:
    return f"benchmarks.peers.runners.{name}"


def _dramatiq(processes: int, threads: int) -> Setup:
    words = ("-m", "dramatiq", _module("on_dramatiq"), "--processes", str(processes), "--threads", str(threads))
    description = (
        f"{processes} processes with {threads} thread{'s' if threads > 1 else ''} each, Redis broker, the rest at its "
        "default; an idle consumer polls Redis, at intervals that grow to a second"
    )
    return Setup(f"Dramatiq {processes}x{threads}", _module("on_dramatiq"), words, description)


def _huey(workers: int, kind: str, copies: int) -> Setup:
    module = _module("on_huey")
    words = ("-m", "huey.bin.huey_consumer", f"{module}.huey", "--workers", str(workers), "--worker-type", kind)
    description = (
        f"{copies} consumer{'s' if copies > 1 else ''} with {workers} workers of type {kind}, RedisHuey (blocking), "
        "no result store; it acknowledges nothing: requests of a crashed worker stay unfinished in PostgreSQL"
    )
    name = f"Huey {workers} processes" if kind == "process" else f"Huey {copies}x{workers} threads"
    return Setup(name, module, (*words, "--no-periodic", "--quiet"), description, copies)


SETUPS = (
    Setup(
        "Celery prefork 2",
        _module("on_celery"),
        (
            "-m",
            "celery",
            "--app",
            _module("on_celery"),
            "worker",
            "--pool",
            "prefork",
            "--concurrency",
            "2",
            "--loglevel",
            "WARNING",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ),
        "prefork with 2 children, Redis broker, JSON, acks_late, prefetch multiplier 4, no result backend, no gossip",
    ),
    _dramatiq(2, 8),
    _dramatiq(2, 1),
    _huey(2, "process", copies=1),
    _huey(8, "thread", copies=2),
    Setup(
        PLAIN_RQ,
        _module("on_rq"),
        ("-m", _module("on_rq"), "simple"),
        "2 SimpleWorkers, JSON, result_ttl=0",
        copies=2,
    ),
    Setup(
        "RQ Worker x 2",
        _module("on_rq"),
        ("-m", _module("on_rq"), "fork"),
        "2 Workers, a forked child for every job, module preloaded, JSON, result_ttl=0",
        copies=2,
        share=0.1,
    ),
    Setup(
        "bare loop",
        _module("bare"),
        ("-m", _module("bare"), "1"),
        "2 processes; LMOVE, claim, finish, LREM: four round trips a request",
        copies=2,
        kind="bound",
    ),
    Setup(
        BATCHED_BOUND,
        _module("bare"),
        ("-m", _module("bare"), "32"),
        "2 processes; the same four round trips for up to 32 requests, one durable transaction for all of them",
        copies=2,
        kind="bound",
    ),
)
