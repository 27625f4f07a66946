"""Keeping a secret in the database that must be read again: sealed with a key made of the desk's own secret.

AES-256-GCM. What a secret is about is sealed with it, so one person's does not open as another's.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from config.sentences import say
from records.errors import Refused

NONCE = 12

ANOTHER_SECRET = say("this was sealed with another secret; was {setting} changed?", setting="desk.secret")


class Seal:
    """Seals and opens. `purpose` makes keys of one secret differ."""

    def __init__(self, secret: str, purpose: str) -> None:
        if not secret:
            raise ValueError("nothing can be sealed without a secret")
        key = HKDF(SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret.encode())
        self._cipher = AESGCM(key)

    def close(self, text: str, about: str) -> str:
        nonce = os.urandom(NONCE)
        return urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), about.encode())).decode()

    def open(self, sealed: str, about: str) -> str:
        """Raises Refused: the secret was changed since, or this is about something else."""
        try:
            raw = urlsafe_b64decode(sealed)
            return self._cipher.decrypt(raw[:NONCE], raw[NONCE:], about.encode()).decode()
        except (InvalidTag, ValueError) as exc:
            raise Refused(ANOTHER_SECRET) from exc


class SteadySeal:
    """As `Seal`, but the same text about the same thing is sealed to the same: for names that are compared. AES-SIV."""

    def __init__(self, secret: str, purpose: str) -> None:
        if not secret:
            raise ValueError("nothing can be sealed without a secret")
        self._cipher = AESSIV(HKDF(SHA256(), length=64, salt=None, info=purpose.encode()).derive(secret.encode()))

    def close(self, text: str, about: str) -> str:
        return urlsafe_b64encode(self._cipher.encrypt(text.encode(), [about.encode()])).decode()

    def open(self, sealed: str, about: str) -> str:
        """Raises Refused: the secret was changed since, or this is about something else."""
        try:
            return self._cipher.decrypt(urlsafe_b64decode(sealed), [about.encode()]).decode()
        except (InvalidTag, ValueError) as exc:
            raise Refused(ANOTHER_SECRET) from exc
