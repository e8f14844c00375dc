"""Deletes many requests, a few at a time. What is gone already, or was given another try meanwhile, is left alone."""

from collections.abc import Sequence

from infra.api_client import Client
from infra.cli.output.progress import Progress

AT_A_TIME = 200  # each is a transaction, and its files are removed: an answer within a second or two


def purge_all(client: Client, ids: Sequence[str]) -> int:
    """How many were deleted."""
    progress, deleted = Progress(), 0
    try:
        for first in range(0, len(ids), AT_A_TIME):
            if first:
                progress.update(f"{first} of {len(ids)} deleted")
            body = {"action": "delete", "ids": ids[first : first + AT_A_TIME]}
            deleted += client.post("/api/requests/bulk", json=body)["done"]
    finally:
        progress.clear()
    return deleted
