"""Create, hash and verify passwords, session tokens and API keys."""

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
VISIBLE_KEY_LENGTH = len(KEY_PREFIX) + 6  # leading characters of a key that lists show
MAX_PASSWORD = 1024  # characters; limits the hashing work that an unauthenticated client can cause
MIN_PASSWORD = 8
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's second choice: 19 MiB, some 25 ms
# Two at a time per process, so that a flood of logins leaves memory and processors for requests.
HASHING_SLOTS = threading.BoundedSemaphore(2)
MAX_HASHING_WAIT_S = 5.0
MAX_LOGINS = 12  # in progress per process, including those that wait for a hashing slot
MAX_LOGINS_PER_ADDRESS = 3
# Verified for unknown users, so that the response time does not reveal which usernames exist. Of a random text; a
# constant, because a hash would delay the start of each process by 25 ms.
DUMMY_HASH = "$argon2id$v=19$m=19456,t=2,p=1$vp/0xlL+yP1JKuQnPBcJIA$bseWiwvtNPploZJiR7sbKn/VpqQwZ9m+KUvN/Nj3/Yk"


class LoginLimiter:
    """Limit the logins in progress in this process, in total and per client address."""

    def __init__(self) -> None:
        self._by_address: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, address: str) -> Iterator[None]:
        """Hold a slot while a login is in progress. Raises TooManyLoginsError if no slot is free."""
        with self._lock:
            if self._by_address.total() >= MAX_LOGINS or self._by_address[address] >= MAX_LOGINS_PER_ADDRESS:
                raise TooManyLoginsError(1)
            self._by_address[address] += 1
        try:
            yield
        finally:
            with self._lock:
                self._by_address[address] -= 1
                self._by_address += Counter()  # removes addresses with a count of zero


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
    """Return the hash to store for a password. Raises TooManyLoginsError."""
    with _hashing_slot():
        return HASHER.hash(password)


def verify_password(password: str, password_hash: str | None) -> bool:
    """Return True if the password matches the hash. Raises TooManyLoginsError.

    password_hash: None for an unknown user; the check then takes as long as for a known one.
    """
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
    """Return the hash to store for a token or key. With 256 random bits, it needs neither a slow hash nor a salt."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
