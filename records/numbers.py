"""Phone numbers as rows. How a number is read is decided above, in `lookup.numbers`; here it is only kept.

Each function that writes numbers is given `read_number`, so that what is stored and what is looked up are read alike.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from config.sentences import say
from records.database import reading, writing
from records.errors import Refused
from records.tables import PhoneNumber
from records.touched import Touched, touch


class ReadNumber(Protocol):
    """A number as it was read. An empty text means that the number has none."""

    @property
    def e164(self) -> str: ...  # as shown and dialled
    @property
    def match_key(self) -> str: ...  # as compared; empty: not a valid number
    @property
    def tail(self) -> str: ...  # last national digits, of a valid number too
    @property
    def ext(self) -> str: ...
    @property
    def rules(self) -> int: ...  # version of the rules that read it
    @property
    def own(self) -> bool: ...  # one of the company's own lines, which is never a customer's


Reader = Callable[[str], ReadNumber]


def phone_number(raw: str, read_number: Reader, label: str = "") -> PhoneNumber:
    """A row for a number as a person typed it. Raises Refused when there is no digit in it, or it is our own."""
    number = PhoneNumber(raw=raw.strip(), label=label.strip())
    if not any(letter.isdigit() for letter in number.raw):
        raise Refused(
            say("{number!r} is no phone number; write its digits, best with + and the country code", number=number.raw)
        )
    if read_number(number.raw).own:
        raise Refused(
            say("{number!r} is a line of your own company; a customer needs one of their own", number=number.raw)
        )
    _read_into(number, read_number)
    return number


def renew_numbers(engine: Engine, read_number: Reader, version: int, at_once: int = 500) -> Touched:
    """Reads every number again that was read by older rules than `version` (lookup.numbers.NORM_VERSION).

    In short transactions, so that it may run beside calls; ended half-way it goes on where it was. A number that became
    the same as another one of its customer keeps its text and loses its match_key.
    """
    touched, last = Touched(), 0
    while True:
        with writing(engine) as session:
            rows = session.scalars(
                select(PhoneNumber)
                .where(PhoneNumber.id > last, PhoneNumber.norm_version < version)
                .order_by(PhoneNumber.id)
                .limit(at_once)
            ).all()
            if not rows:
                return touched
            touched |= _renew(session, rows, read_number, version)
            last = rows[-1].id


def read_again(engine: Engine, read_number: Reader, ids: Collection[int]) -> None:
    """Whoever wrote these rows, they hold what is read from their text: another program may give the text only.

    Writes nothing when they do, and nothing into what a newer version has read.
    """
    wanted = select(PhoneNumber).where(PhoneNumber.id.in_(ids))
    with reading(engine) as session:
        wrong = [row.id for row in session.scalars(wanted) if _is_wrong(row, read_number)]
    if wrong:
        with writing(engine) as session:
            rows = session.scalars(select(PhoneNumber).where(PhoneNumber.id.in_(wrong)).order_by(PhoneNumber.id)).all()
            _renew(session, rows, read_number, read_number("").rules)


def _is_wrong(row: PhoneNumber, read_number: Reader) -> bool:
    read = read_number(row.raw)
    as_read = (read.e164 or None, read.match_key or None, read.tail or None, read.ext)
    return row.norm_version <= read.rules and as_read != _as_read(row)


def _read_into(number: PhoneNumber, read_number: Reader) -> None:
    read = read_number(number.raw)
    number.e164 = read.e164 or None
    number.match_key = read.match_key or None
    number.nsn_tail = read.tail or None
    number.ext = read.ext
    number.norm_version = read.rules


def _renew(session: Session, rows: Sequence[PhoneNumber], read_number: Reader, version: int) -> Touched:
    before, changed = Touched(), set()
    for row in rows:
        old = _as_read(row)
        with session.no_autoflush:
            _read_into(row, read_number)
            row.norm_version = version
            if _as_read(row) != old and row.match_key and _has_twin(session, row):
                row.match_key = None
            if _as_read(row) == old:
                continue
        session.flush()
        changed.add(row.customer_id)
        before |= Touched(frozenset({old[1]} if old[1] else ()), frozenset({old[2]} if old[2] else ()))
    return (before | touch(session, changed)) if changed else Touched()


def _as_read(row: PhoneNumber) -> tuple[str | None, str | None, str | None, str]:
    return row.e164, row.match_key, row.nsn_tail, row.ext


def _has_twin(session: Session, row: PhoneNumber) -> bool:
    twin = select(PhoneNumber.id).where(
        PhoneNumber.customer_id == row.customer_id,
        PhoneNumber.match_key == row.match_key,
        PhoneNumber.ext == row.ext,
        PhoneNumber.id != row.id,
    )
    return session.scalar(twin) is not None
