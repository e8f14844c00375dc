"""Deletes many requests, one call each: the API has no other way, and each must be able to refuse."""

from collections.abc import Sequence
from http import HTTPStatus

from infra.cli.progress import Progress
from infra.client import Client, RefusedError, request_path

SAY_EVERY = 100
# Gone already, or given another try in the meantime.
LEFT_ALONE = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


def purge_all(client: Client, ids: Sequence[str]) -> int:
    """How many were deleted."""
    progress, deleted = Progress(), 0
    try:
        for number, request_id in enumerate(ids):
            if number % SAY_EVERY == 0 and number:
                progress.say(f"{number} of {len(ids)} deleted")
            deleted += _delete(client, request_id)
    finally:
        progress.clear()
    return deleted


def _delete(client: Client, request_id: str) -> bool:
    try:
        client.delete(request_path(request_id))
    except RefusedError as error:
        if error.status not in LEFT_ALONE:
            raise
        return False
    return True
