"""How log lines name the requests that a move was made with: one line for all that moved together."""

from collections.abc import Sequence
from uuid import UUID

MAX_IDS = 100  # named in one line; a batch may have ten thousand

Moved = tuple[UUID, int | None, str]  # which, its attempt if there is one, its function


def for_requests(moved: Sequence[Moved]) -> dict[str, object]:
    """Of one its facts, of several how many, and the ids by which each is found."""
    if len(moved) == 1:
        request_id, attempt, function = moved[0]
        about: dict[str, object] = {"request_id": str(request_id)}
        return about | ({} if attempt is None else {"attempt": attempt}) | {"function": function}
    functions = ",".join(sorted({function for _, _, function in moved}))
    ids = [str(request_id) for request_id, _, _ in moved[:MAX_IDS]]
    more = ["…"] if len(moved) > MAX_IDS else []
    return {"count": len(moved), "function": functions, "requests": " ".join([*ids, *more])}
