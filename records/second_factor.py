"""The second factor: a code of six digits that a telephone makes every half minute (RFC 6238), or one for its loss."""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pyotp
from sqlalchemy import CursorResult, delete, func, select
from sqlalchemy.orm import Session

from records.sessions import hash_of
from records.tables import RecoveryCode, SecondFactor

STEP_S = 30
BESIDE = (0, -1, 1)
"""Codes of the half minutes before and after are taken too: clocks differ, and people type slowly."""

RECOVERY_CODES = 10


@dataclass(frozen=True, slots=True)
class State:
    since: datetime
    codes_left: int


def new_secret() -> str:
    """160 random bits, in the letters that authenticators read (base 32)."""
    return pyotp.random_base32()


def address_of(secret: str, login: str, issuer: str) -> str:
    """What the QR code says: an otpauth:// address."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=issuer)


def code_at(secret: str, step: int) -> str:
    return pyotp.TOTP(secret).at(step * STEP_S)


def step_of(secret: str, code: str, now_s: float, after: int = -1) -> int | None:
    """The half minute whose code this is, when it is one of now that comes after the half minute `after`."""
    typed = "".join(code.split())
    found = None
    for beside in BESIDE:  # all of them, so that the time says nothing
        step = int(now_s) // STEP_S + beside
        if hmac.compare_digest(code_at(secret, step).encode(), typed.encode()) and step > after:
            found = step
    return found


def set_up(session: Session, user_id: int, sealed: str, step: int) -> list[str]:
    """The person's second factor from now on, in the place of one before. Gives the recovery codes, told only now."""
    found = session.get(SecondFactor, user_id) or SecondFactor(user_id=user_id)
    found.sealed, found.since, found.last_step = sealed, datetime.now(UTC), step
    session.add(found)
    session.flush()
    return new_recovery_codes(session, user_id)


def new_recovery_codes(session: Session, user_id: int) -> list[str]:
    """In the place of those before."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(user_id=user_id, code_hash=_hash(code)) for code in codes)
    session.flush()
    return codes


def take_off(session: Session, user_id: int) -> None:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))


def state_of(session: Session, user_id: int) -> State | None:
    """None: the person has no second factor."""
    found = session.get(SecondFactor, user_id)
    if found is None:
        return None
    left = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
    return State(found.since, session.scalar(left) or 0)


def who_has_one(session: Session) -> frozenset[int]:
    return frozenset(session.scalars(select(SecondFactor.user_id)))


def accept(session: Session, user_id: int, unseal: Callable[[str], str], code: str, now_s: float) -> bool:
    """Whether the code is right, which it is once. Raises Refused when the secret cannot be opened."""
    found = session.scalar(select(SecondFactor).where(SecondFactor.user_id == user_id).with_for_update())
    if found is None:
        return False
    if len("".join(code.split())) > len("123456"):
        used = delete(RecoveryCode).where(RecoveryCode.user_id == user_id, RecoveryCode.code_hash == _hash(code))
        result = session.execute(used)
        assert isinstance(result, CursorResult)
        return result.rowcount == 1
    step = step_of(unseal(found.sealed), code, now_s, found.last_step)
    if step is None:
        return False
    found.last_step = step
    return True


def _recovery_code() -> str:
    """80 random bits, as four groups of four letters: enough that a plain hash keeps them."""
    letters = b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def _hash(code: str) -> str:
    """Of a code as somebody typed it: blanks, dashes and capitals do not matter."""
    return hash_of("".join(filter(str.isalnum, code.lower())))
