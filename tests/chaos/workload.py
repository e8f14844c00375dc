"""Define the posts of the clients: function, event and allowed outcomes."""

import hashlib
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import uuid4

# Error types of all functions: a cancel, a lost worker, a killed or frozen sandbox.
ALWAYS = frozenset({"Cancelled", "WorkerLost", "SandboxExited", "TimedOut"})
OWN_ERRORS = {"flaky": frozenset({"UnluckyError"}), "doomed": frozenset({"UnluckyError"})}
NEVER_COMPLETE = frozenset({"doomed", "overdue"})
WRITING = frozenset({"long", "writer"})  # these write into their working directories
SHARES = {
    "quick": 26,
    "large": 4,
    "long": 18,
    "flaky": 14,
    "doomed": 4,
    "overdue": 4,
    "brood": 6,
    "writer": 14,
    "reader": 14,
    "once": 8,
}
LONGEST_S = 25.0
NAP_S = 12.0  # longer than the start of a crowd
MANY = ("quick", "flaky", "writer")  # functions of batches


@dataclass(frozen=True, slots=True)
class Post:
    """Hold one post.

    key: its Idempotency-Key. content: the part `data` of a multipart post.
    """

    function: str
    events: tuple[dict[str, Any], ...]
    key: str | None = None
    content: bytes | None = None

    @property
    def is_batch(self) -> bool:
        return len(self.events) > 1


def draw(random: Random, longest_s: float) -> Post:
    """Draw a post.

    longest_s: maximum duration of the function `long`.
    """
    if random.random() < 0.08:
        function = random.choice(MANY)
        return Post(function, tuple(event(random, function, longest_s) for _ in range(random.randint(2, 6))))
    function = random.choices(list(SHARES), list(SHARES.values()))[0]
    key = uuid4().hex if random.random() < 0.5 else None
    content = random.randbytes(random.randint(1, 50_000)) if function == "reader" else None
    made = event(random, function, longest_s)
    if content is not None:
        made["sha256"] = hashlib.sha256(content).hexdigest()
    return Post(function, ({**made, "key": key},), key, content)


def event(random: Random, function: str, longest_s: float) -> dict[str, Any]:
    made: dict[str, Any] = {"token": uuid4().hex}
    if function == "long":
        # A few outlast the periodic tasks of the runtime.
        is_marathon = random.random() < 0.05
        made["seconds"] = LONGEST_S if is_marathon else round(random.uniform(1.0, longest_s), 1)
    elif function == "flaky":
        made["fails"] = random.randint(1, 3)
    elif function in ("brood", "writer", "once"):
        made["seconds"] = round(random.uniform(0.0, 2.0), 1)
    return made


def crowd(count: int) -> Post:
    return Post("nap", tuple({"token": uuid4().hex, "seconds": NAP_S} for _ in range(count)))


def may_end_with(function: str) -> frozenset[str]:
    return ALWAYS | OWN_ERRORS.get(function, frozenset())
