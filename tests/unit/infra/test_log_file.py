"""The log of a detached `up` stays within two files, and its readers miss no line."""

import os
import selectors
import sys
from pathlib import Path

import pytest

from infra.supervisor.log_file import LogFile
from infra.supervisor.output import Output

MAX_BYTES = 1000


@pytest.fixture
def log(tmp_path: Path) -> LogFile:
    return LogFile(tmp_path, MAX_BYTES)


def write(log: LogFile, *lines: str) -> None:
    with log.open() as output:
        output.write("".join(f"{line}\n" for line in lines).encode())


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_a_flood_stays_within_two_files(log: LogFile, tmp_path: Path) -> None:
    with log.open() as output:
        for number in range(2000):
            output.write(f"line {number}\n".encode())
            output.flush()
            log.bound()
            assert size(tmp_path) < 2 * MAX_BYTES + 20
    assert log.read_last(3) == ["line 1997", "line 1998", "line 1999"]
    assert len(list(tmp_path.iterdir())) == 2
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_writer_with_an_old_descriptor_continues_at_the_start(log: LogFile) -> None:
    with log.open() as output:
        output.write(b"x" * MAX_BYTES)
        output.flush()
        log.bound()
        output.write(b"after\n")
    assert log.path.read_bytes() == b"after\n"


def test_the_last_lines_reach_into_the_previous_file(log: LogFile) -> None:
    write(log, *(f"line {number:094}" for number in range(10)))
    log.bound()
    write(log, "last")
    assert log.read_last(2) == [f"line {9:094}", "last"]
    assert log.read_last(0) == []


def test_a_follower_gets_each_line_once_although_the_log_is_emptied(log: LogFile) -> None:
    write(log, "before")
    assert log.read_last(10) == ["before"]
    write(log, "x" * MAX_BYTES)
    log.bound()
    write(log, "after")
    assert log.read_new() == ["x" * MAX_BYTES, "after"]
    assert log.read_new() == []


def test_a_follower_waits_for_the_end_of_a_line(log: LogFile) -> None:
    log.skip_to_end()
    with log.open() as output:
        output.write(b"ha")
        output.flush()
        assert log.read_new() == []
        output.write(b"lf\n")
    assert log.read_new() == ["half"]


def test_where_the_copy_has_no_space_the_log_is_emptied(log: LogFile, tmp_path: Path) -> None:
    (tmp_path / "up.log.1").symlink_to("/dev/full")
    write(log, "x" * MAX_BYTES)
    log.bound()
    assert log.path.read_bytes() == b""
    assert not os.path.lexists(tmp_path / "up.log.1")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is a device of Linux")
def test_after_a_full_disk_the_output_still_goes_to_the_log() -> None:
    reader, writer = os.pipe()
    device = Path("/dev/full")
    with (
        device.open("ab", buffering=0) as target,
        selectors.DefaultSelector() as selector,
        os.fdopen(reader, "rb", 0) as pipe,
    ):
        output = Output(selector, with_names=False)
        output.add("web", pipe, target)
        os.write(writer, b"lost\n")
        os.close(writer)
        (key, _) = selector.select(10)[0]
        output.pump(key.data)
        assert os.path.samestat(os.fstat(target.fileno()), device.stat())


def test_a_removed_log_is_no_error(log: LogFile) -> None:
    log.bound()
    assert log.read_new() == []
    with pytest.raises(FileNotFoundError):
        log.read_last(1)


def test_only_the_owner_reads_the_log(log: LogFile) -> None:
    write(log, "line")
    assert log.path.stat().st_mode & 0o777 == 0o600
