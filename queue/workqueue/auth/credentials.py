"""Passwords, tokens and keys: made, hashed, compared."""

import hashlib
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from workqueue.errors import TooManyLoginsError

KEY_PREFIX = "lfn_"
VISIBLE_KEY_LENGTH = len(KEY_PREFIX) + 6  # characters of a key by which a person knows it again
MAX_PASSWORD = 1024  # characters; hashing a megabyte for a stranger would be a gift
MIN_PASSWORD = 8
# OWASP's second choice for argon2id: 19 MiB and two passes, some 25 ms. Two at a time in a process: a flood of
# logins costs neither the memory nor the processors that requests need.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
HASHING_SLOTS = threading.BoundedSemaphore(2)
MAX_HASHING_WAIT_S = 5.0
MAX_LOGINS = 12  # under way in a process, those that wait for their hash among them: the next is told to come again
MAX_LOGINS_PER_ADDRESS = 3
# Of no password that anybody has: an unknown name has to cost the time of a known one.
DUMMY_HASH = HASHER.hash(secrets.token_urlsafe(32))


class LoginLimiter:
    """The logins that are under way in this process, by the address of their client."""

    def __init__(self) -> None:
        self._by_address: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, address: str) -> Iterator[None]:
        """Count a login while it is under way. Raises TooManyLoginsError at once when there are too many."""
        with self._lock:
            if self._by_address.total() >= MAX_LOGINS or self._by_address[address] >= MAX_LOGINS_PER_ADDRESS:
                raise TooManyLoginsError(1)
            self._by_address[address] += 1
        try:
            yield
        finally:
            with self._lock:
                self._by_address[address] -= 1
                self._by_address += Counter()  # drops addresses without a login


LOGIN_LIMITER = LoginLimiter()


@contextmanager
def _hashing_slot() -> Iterator[None]:
    if not HASHING_SLOTS.acquire(timeout=MAX_HASHING_WAIT_S):
        raise TooManyLoginsError(1)
    try:
        yield
    finally:
        HASHING_SLOTS.release()


def hash_password(password: str) -> str:
    """Return the hash to be stored. Raises TooManyLoginsError."""
    with _hashing_slot():
        return HASHER.hash(password)


def verify_password(password: str, password_hash: str | None) -> bool:
    """Tell whether it is the one. None, for a user who is not there, takes as long. Raises TooManyLoginsError."""
    try:
        with _hashing_slot():
            HASHER.verify(password_hash or DUMMY_HASH, password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def make_token() -> str:
    return secrets.token_urlsafe(32)


def make_key() -> str:
    return KEY_PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a token or a key. They hold 256 random bits: a slow hash or a salt would add nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
