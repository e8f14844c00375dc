"""Compare a sandbox after a request with its state before the first one: restore it, or name the leftovers.

Process settings are restored (process_settings.py). Leftover threads, timers and descriptors, and settings that only
a new process has, end the sandbox: the runtime does not use it again. Objects in the modules of user code are neither
compared nor changed: a warm start keeps them on purpose.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from localfn.process_state.leftover_names import describe_fd, format_names, thread_names
from localfn.process_state.process_settings import OUTPUT_FDS, Setting, settings_of_process
from localfn.runtime.channel import open_cached
from localfn.runtime.memory_usage import PeakMemory
from localfn.runtime.output_order import LOWEST_FD

GRACE_S = 0.02  # the kernel lists a joined thread for a moment longer
LONG_GRACE_S = 0.5  # for a thread that waits for a processor to end
POLL_S = 0.0005
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
PUBLIC_SIGNALS = sum(1 << (number - 1) for number in signal.valid_signals())
SIGNALS = b"\nSigPnd:"
UNREADABLE = object()  # the value of a setting that cannot be read
KERNEL_FIELDS = {  # of /proc/self/status
    b"Uid": "user",
    b"Gid": "group",
    b"SigPnd": "pending signals",
    b"ShdPnd": "pending signals",
    b"SigBlk": "blocked signals",
    b"SigIgn": "signal handlers",
    b"SigCgt": "signal handlers",
    b"Cpus_allowed": "processor affinity",
}  # other fields keep the name of the kernel


class FreshState:
    """Record the state of a sandbox after the import of its function, before its first request.

    peak: reader of /proc/self/status, which lists signals and threads, too.
    logger: name of the function's logger.
    """

    def __init__(self, peak: PeakMemory, logger: str) -> None:
        self._peak = peak
        self._timers_file = open_cached("/proc/self/timers", os.O_RDONLY)
        self._fd_folder = open_cached("/proc/self/fd", os.O_RDONLY)
        self._tasks = open_cached("/proc/self/task", os.O_RDONLY)
        self._settings = settings_of_process(logger)
        self._values = [_read_setting(setting) for setting in self._settings]
        self._module_count = len(sys.modules)
        self._sdk = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "localfn"}
        self._handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self._kernel = _kernel_state(peak.read())
        # The kernel's bits show other changes, but not that one Python handler replaced another.
        self._compared = [n for n, handler in self._handlers.items() if callable(handler) or not self._kernel[0]]
        self._fds = self._open_fds()
        self._files = self._identities()
        self._fd_count = self._count_fds()
        self._threads = self._thread_ids()

    def restore(self, status: bytes) -> list[str]:
        """Restore the changes of a request; return readable names of the leftovers that cannot be restored.

        status: the result of `PeakMemory.read` after the request.
        """
        has_imported, self._module_count = len(sys.modules) != self._module_count, len(sys.modules)
        left = self._armed_timers() + self._leftover_threads(status)
        if not self._has_all_values():
            left += self._changed_settings(has_imported)
        if not self._is_same_process(status):
            left += self._changed_process(has_imported)
        left += self._changed_fds()
        if has_imported and any(sys.modules.get(name) is not module for name, module in self._sdk.items()):
            left.append("modules of localfn removed from sys.modules")
        return left

    def _armed_timers(self) -> list[str]:
        """Return the names of armed timers; disarm those of setitimer(2) and alarm(2)."""
        real, virtual, profile = TIMERS
        left = []
        if signal.setitimer(real, 0)[0] or signal.setitimer(virtual, 0)[0] or signal.setitimer(profile, 0)[0]:
            left.append("a timer (alarm, setitimer)")
        if self._timers_file is not None and os.pread(self._timers_file, 1, 0):
            left.append("a timer (timer_create)")
        return left

    def _leftover_threads(self, status: bytes) -> list[str]:
        if len(self._threads) == 1 and b"\nThreads:\t1\n" in status:
            return []
        began, is_collected = time.monotonic(), False
        while left := self._thread_ids() - self._threads:
            passed_s = time.monotonic() - began
            if passed_s >= LONG_GRACE_S or (passed_s >= GRACE_S and not all(map(_may_be_ending, left))):
                return format_names("thread", thread_names(left))
            if not is_collected:  # collecting an unused executor ends its threads
                gc.collect()
                is_collected = True
            time.sleep(POLL_S)
        return []

    def _has_all_values(self) -> bool:
        try:
            return [setting.read() for setting in self._settings] == self._values
        except Exception:  # a setting cannot be read; `_changed_settings` finds which
            return False

    def _changed_settings(self, has_imported: bool) -> Iterator[str]:
        for place, setting in enumerate(self._settings):
            if (now := _read_setting(setting)) == self._values[place]:
                continue
            if has_imported and not setting.belongs_to_modules:
                self._values[place] = now
            elif has_imported:
                # A newly imported module may rely on it, and is not imported again.
                yield f"{setting.name} (changed while modules were imported)"
            elif not _write_setting(setting, self._values[place]):
                yield setting.name

    def _is_same_process(self, status: bytes) -> bool:
        users, signals = self._kernel
        if not (users in status and status.startswith(signals, status.find(SIGNALS))):
            return False
        return not self._compared or all(signal.getsignal(each) is self._handlers[each] for each in self._compared)

    def _changed_process(self, has_imported: bool) -> Iterator[str]:
        """Restore signal handlers; yield names of other changes in /proc/self/status, which cannot be restored."""
        if not has_imported:
            for number, handler in self._handlers.items():
                if handler is not None and signal.getsignal(number) is not handler:
                    signal.signal(number, handler)
        state = _kernel_state(self._peak.read())
        before, now = _parse_kernel_state(self._kernel), _parse_kernel_state(state)
        changed = {KERNEL_FIELDS.get(name, name.decode()) for name in before if before[name] != now.get(name)}
        if any(signal.getsignal(number) is not self._handlers[number] for number in self._compared):
            changed.add("signal handlers")
        if not changed:
            self._kernel = state  # with changes of the C library
        yield from sorted(changed)

    def _changed_fds(self) -> list[str]:
        if self._count_fds() == self._fd_count and self._identities() == self._files:
            return []
        gc.collect()  # closes files in unused cycles
        changed = [fd for fd, before, now in zip(self._fds, self._files, self._identities()) if before != now]
        opened_since = set(self._open_fds()) - set(self._fds)
        left = format_names("descriptor", [describe_fd(fd) for fd in sorted({*changed, *opened_since})])
        return left or (["descriptors"] if self._count_fds() != self._fd_count else [])

    def _identities(self) -> list[tuple[int, int] | None]:
        return [_identity(fd) for fd in self._fds]

    def _count_fds(self) -> int:
        if self._fd_folder is not None and (count := os.fstat(self._fd_folder).st_size):
            return count  # since Linux 6.2 the size of this folder is their number
        return len(os.listdir("/dev/fd" if self._fd_folder is None else self._fd_folder))

    def _open_fds(self) -> list[int]:
        """Return the descriptors of user code; those of the SDK have high numbers."""
        found = os.listdir("/dev/fd" if self._fd_folder is None else self._fd_folder)
        below = sorted({*OUTPUT_FDS, *(fd for fd in map(int, found) if fd < LOWEST_FD)})
        return [fd for fd in below if fd in OUTPUT_FDS or _identity(fd) is not None]

    def _thread_ids(self) -> set[int]:
        """Return the ids of all threads: on Linux those of C libraries, too, elsewhere those of `threading`."""
        if self._tasks is not None:
            return set(map(int, os.listdir(self._tasks)))
        return {thread.ident for thread in threading.enumerate() if thread.ident is not None}


def _read_setting(setting: Setting) -> Any:
    try:
        return setting.read()
    except Exception:
        return UNREADABLE


def _write_setting(setting: Setting, value: Any) -> bool:
    """Restore a setting; return True if it has the value again."""
    try:
        setting.write(value)
    except Exception:
        return False
    return bool(_read_setting(setting) == value)


def _kernel_state(status: bytes) -> tuple[bytes, bytes]:
    """Return the lines of /proc/self/status that a request must not change: users, then signals."""
    users, groups = status.find(b"\nUid:"), status.find(b"\nFDSize:")
    signals, switches = status.find(SIGNALS), status.find(b"\nvoluntary_ctxt_switches:")
    if min(users, groups, signals, switches) < 0:
        return b"", b""
    return status[users:groups], status[signals:switches]


def _parse_kernel_state(state: tuple[bytes, bytes]) -> dict[bytes, bytes | int]:
    """Parse the lines; drop the signals that the C library uses for its threads."""
    found: dict[bytes, bytes | int] = {}
    for line in b"".join(state).split(b"\n"):
        name, _, value = line.partition(b":")
        found[name] = int(value, 16) & PUBLIC_SIGNALS if name.startswith((b"Sig", b"Shd")) else value
    return found


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _may_be_ending(thread: int) -> bool:
    """Return True if Python has forgotten the thread and the kernel does not list it as sleeping."""
    if any(thread == each.native_id for each in threading.enumerate()):
        return False
    try:
        with open(f"/proc/self/task/{thread}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"S"
    except (OSError, IndexError):
        return sys.platform == "linux"  # it has ended
