"""Name requests in log lines: one line for all requests of one transaction."""

from collections.abc import Sequence
from uuid import UUID

MAX_IDS = 100  # in one line; a batch may have ten thousand requests

NamedRequest = tuple[UUID, int | None, str]  # request id, attempt or None, function


def for_requests(requests: Sequence[NamedRequest]) -> dict[str, object]:
    """Return the fields of a log line: the facts of a single request; the count and the ids of several."""
    if len(requests) == 1:
        request_id, attempt, function = requests[0]
        fields: dict[str, object] = {"request_id": str(request_id)}
        return fields | ({} if attempt is None else {"attempt": attempt}) | {"function": function}
    functions = ",".join(sorted({function for _, _, function in requests}))
    ids = [str(request_id) for request_id, _, _ in requests[:MAX_IDS]]
    more = ["…"] if len(requests) > MAX_IDS else []
    return {"count": len(requests), "function": functions, "requests": " ".join([*ids, *more])}
