"""Configure the C library's allocator to return freed memory to the system."""

import ctypes

# Constants of glibc's malloc.h.
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE_BYTES = 128 * 1024
ARENAS = 2


def return_freed_memory() -> None:
    """Map large blocks one by one, and share two arenas among all threads.

    By itself glibc keeps up to 32 MiB of each freed block in the arena of the thread that had it, and makes eight
    arenas for each processor: a hundred threads that once held a large body each keep its memory. Other C libraries
    have no such setting, and need none.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_ARENA_MAX, ARENAS)
