"""Commit items of concurrent threads in groups: each once, in order, and an error reaches its group only."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.waiting import wait_until
from workqueue.lifecycle.group_commit import GroupCommit

THREADS = 16


def test_a_single_thread_commits_alone() -> None:
    groups: list[list[int]] = []
    commits: GroupCommit[int] = GroupCommit(lambda items: groups.append(list(items)), list, 10)
    for item in range(3):
        commits.add(item)
    assert groups == [[0], [1], [2]]


def test_threads_that_come_during_a_commit_share_the_next_ones() -> None:
    groups, followed = commit_behind_a_slow_one(lambda _: None, max_items=10)
    assert [len(group) for group in groups] == [1, 10, THREADS - 10]
    assert sorted(followed) == list(range(THREADS + 1)), "each item is committed and followed up once"


def test_an_error_reaches_each_thread_of_its_group_and_no_other() -> None:
    def fail_for_one(items: Sequence[int]) -> None:
        if 3 in items:
            raise ValueError(f"{len(items)} items")

    _, followed = commit_behind_a_slow_one(fail_for_one, max_items=THREADS // 2, errors=THREADS // 2)
    assert 3 not in followed
    assert len(followed) == THREADS // 2 + 1


def test_after_an_error_the_next_item_is_committed() -> None:
    def fail_for_zero(items: Sequence[int]) -> None:
        assert items != [0]

    commits: GroupCommit[int] = GroupCommit(fail_for_zero, list, 10)
    with pytest.raises(AssertionError):
        commits.add(0)
    commits.add(1)


def commit_behind_a_slow_one(
    check: Callable[[Sequence[int]], None], max_items: int, errors: int = 0
) -> tuple[list[list[int]], list[int]]:
    """Add an item whose commit lasts until THREADS others wait. Return the groups and the items followed up."""
    groups: list[list[int]] = []
    followed: list[int] = []
    is_committing, may_end = threading.Event(), threading.Event()

    def commit(items: Sequence[int]) -> None:
        groups.append(list(items))
        is_committing.set()
        assert may_end.wait(10)
        check(items)

    commits = GroupCommit(commit, followed.extend, max_items)
    with ThreadPoolExecutor(THREADS + 1) as pool:
        added = [pool.submit(commits.add, THREADS)]
        assert is_committing.wait(10)
        added += [pool.submit(commits.add, item) for item in range(THREADS)]
        wait_until(lambda: len(commits._queue) == THREADS)
        may_end.set()
        failed = [future.exception() for future in added if future.exception() is not None]
    assert len(failed) == errors
    return groups, followed
