"""Passwords, tokens and keys: made, hashed, compared."""

import hashlib
import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from workqueue.errors import TooManyLoginsError

KEY_PREFIX = "lfn_"
SHOWN = len(KEY_PREFIX) + 6  # characters of a key by which a person knows it again
MAX_PASSWORD = 1024  # characters; hashing a megabyte for a stranger would be a gift
MIN_PASSWORD = 8
# OWASP's second choice for argon2id: 19 MiB and two passes, some 25 ms. Two at a time in a process: a flood of
# logins costs neither the memory nor the processors that requests need.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
AT_ONCE = threading.BoundedSemaphore(2)
WAIT_S = 5.0
# Of no password that anybody has: an unknown name has to cost the time of a known one.
NOBODY = HASHER.hash(secrets.token_urlsafe(32))


def hash_password(password: str) -> str:
    return HASHER.hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether it is the one. None, for a user who is not there, takes as long. Raises TooManyLoginsError."""
    if not AT_ONCE.acquire(timeout=WAIT_S):
        raise TooManyLoginsError(1)
    try:
        HASHER.verify(password_hash or NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    finally:
        AT_ONCE.release()
    return password_hash is not None


def make_token() -> str:
    return secrets.token_urlsafe(32)


def make_key() -> str:
    return KEY_PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a token or a key. They hold 256 random bits: a slow hash or a salt would add nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
