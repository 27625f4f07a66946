"""Passwords: kept as Argon2 hashes, checked in the same time whether the login exists or not."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from config.sentences import say
from records.errors import Refused

SHORTEST = 8  # NIST SP 800-63B: length is what counts, and no rules about characters
LONGEST = 1024  # a longer one only makes the hash slow

_hasher = PasswordHasher()


class Verdict(NamedTuple):
    right: bool
    new_hash: str = ""  # to be stored instead: the old one was made with weaker parameters


def hash_password(password: str) -> str:
    """Takes some 50 ms and 64 MB on purpose. Raises Refused for a password that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(
            say(
                "a password has {least} to {most} characters; this one has {n}",
                least=SHORTEST,
                most=LONGEST,
                n=len(password),
            )
        )
    return _hasher.hash(password)


def verify(password_hash: str | None, password: str) -> Verdict:
    """Whether the password fits. For an unknown login pass None: it takes as long and is never right."""
    known = password_hash is not None and password_hash.startswith("$argon2")
    try:
        _hasher.verify(password_hash if known and password_hash else _nobodys_hash(), password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return Verdict(right=False)
    if not known or password_hash is None:
        return Verdict(right=False)
    return Verdict(right=True, new_hash=_hasher.hash(password) if _hasher.check_needs_rehash(password_hash) else "")


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("nobody has this password")
