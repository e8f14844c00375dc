"""Remove the leftovers of a crash, and nothing else."""

import io
import os
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import redis
from sqlalchemy import Engine, insert, text

from schema.tables.requests import input_file
from tests.integration.lifecycle.steps import NOW, accept_request, claim_request, finish
from workqueue import lifecycle
from workqueue.clock import Clock
from workqueue.errors import UnknownRequestError
from workqueue.files.store import FolderStore
from workqueue.lifecycle import AttemptRecord, Completion
from workqueue.maintenance import cleaner
from workqueue.requests import queries
from workqueue.transport.doorbell import Doorbell


def directory(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir()
    return path


def insert_worker(engine: Engine, name: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO worker VALUES (:name, 'host', 1, 'default', :now, :now)"),
            {"name": name, "now": datetime.now(UTC)},
        )


def upload(engine: Engine, store: FolderStore, request_id: UUID) -> None:
    stored = store.put(request_id, "in", "a.txt", io.BytesIO(b"x"))
    with engine.begin() as connection:
        connection.execute(insert(input_file), asdict(stored) | {"request_id": request_id, "created_at": NOW})


def test_only_directories_of_gone_workers_are_removed(engine: Engine, tmp_path: Path) -> None:
    running, ended = accept_request(engine), accept_request(engine)
    claim_request(engine, running, "silent")
    finish(engine, claim_request(engine, ended, "dead"))
    insert_worker(engine, "alive")
    kept = [
        directory(tmp_path, "silent+x1.work"),  # The worker may still run; only the lease decides.
        directory(tmp_path, "alive+x1.work"),
        directory(tmp_path, "notes"),
    ]
    directory(tmp_path, "dead+x1.work")
    directory(tmp_path, "dead+x2.work")
    (tmp_path / "forgotten+x1.work").write_text("user code put it there in place of its directory")

    assert cleaner.remove_working_directories(engine, Clock(), tmp_path) == 3
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    with engine.begin() as connection:
        connection.execute(text("UPDATE worker SET seen_at = '2026-01-01'"))
    assert cleaner.remove_working_directories(engine, Clock(), tmp_path) == 1
    assert not kept[1].exists()


def test_old_requests_are_deleted_with_their_files_and_young_ones_kept(
    engine: Engine, redis_client: redis.Redis, tmp_path: Path
) -> None:
    store, doorbell, clock = FolderStore(tmp_path), Doorbell(redis_client), Clock()
    old, waiting = accept_request(engine), accept_request(engine)
    finish(engine, claim_request(engine, old))
    for request_id in (old, waiting):
        upload(engine, store, request_id)

    days = (datetime.now(UTC) - NOW).days
    assert cleaner.delete_old_requests(engine, store, doorbell, clock, 0) == 0
    assert cleaner.delete_old_requests(engine, store, doorbell, clock, days + 2) == 0
    assert cleaner.delete_old_requests(engine, store, doorbell, clock, days - 1) == 1
    with pytest.raises(UnknownRequestError):
        queries.find_request(engine, old)
    assert store.request_ids(time.time() + 1) == [waiting]


def test_the_store_is_called_only_for_old_requests_with_files(
    engine: Engine, redis_client: redis.Redis, tmp_path: Path
) -> None:
    class Watched(FolderStore):
        def remove(self, request_id: UUID, part: str = "") -> None:
            removed.append(request_id)
            super().remove(request_id, part)

    removed: list[UUID] = []
    store, plain = Watched(tmp_path), accept_request(engine)
    uploaded, written = accept_request(engine), accept_request(engine)
    finish(engine, claim_request(engine, plain))
    upload(engine, store, uploaded)
    finish(engine, claim_request(engine, uploaded))
    stored = store.put(written, "1", "b.txt", io.BytesIO(b"x"))
    completion = Completion(claim_request(engine, written), "1", [stored], AttemptRecord())
    assert lifecycle.finish(engine, [completion], NOW) == {}

    days = (datetime.now(UTC) - NOW).days - 1
    assert cleaner.delete_old_requests(engine, store, Doorbell(redis_client), Clock(), days) == 3
    assert sorted(removed) == sorted([uploaded, written])
    assert store.request_ids(time.time() + 1) == []


def test_old_files_of_unknown_requests_are_removed(engine: Engine, tmp_path: Path) -> None:
    store, known, unknown = FolderStore(tmp_path), accept_request(engine), UUID(int=7)
    for request_id in (known, unknown):
        store.put(request_id, "in", "a.txt", io.BytesIO(b"x"))
    (tmp_path / ".DS_Store").touch()

    assert cleaner.remove_orphaned_files(engine, store) == 0
    assert cleaner.remove_orphaned_files(engine, store, before=time.time() + 1) == 1
    assert store.request_ids(time.time() + 1) == [known]


def test_a_stored_file_is_synced_with_its_name_and_all_new_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, fsync = set[int](), os.fsync

    def watched(fd: int) -> None:
        fsync(fd)
        synced.add(os.fstat(fd).st_ino)

    monkeypatch.setattr(os, "fsync", watched)
    folder, request_id = tmp_path / "files", UUID(int=7)
    FolderStore(folder).put(request_id, "in", "a.txt", io.BytesIO(b"x"))
    file = folder / str(request_id) / "in" / "a.txt"
    assert {path.stat().st_ino for path in (file, *file.parents[:4])} <= synced


def test_an_empty_home_is_not_an_error(engine: Engine, tmp_path: Path) -> None:
    assert cleaner.remove_working_directories(engine, Clock(), tmp_path) == 0
    assert cleaner.remove_orphaned_files(engine, FolderStore(tmp_path / "missing")) == 0
