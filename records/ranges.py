"""Ranges of numbers as rows: "+7 495 123-45xx" is a hundred numbers of one customer.

Each x at the end is one digit. A range is compared where its numbers are, among match_keys, so it is read by reading
its first and its last number: whatever `lookup.numbers` folds is folded in a range too. It is small on purpose: when
something about its customer changes, each of its numbers is forgotten by name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, func, select
from sqlalchemy.orm import Session

from config.sentences import say
from records.database import reading, writing
from records.errors import Refused
from records.numbers import Reader
from records.tables import NumberRange
from records.touched import Touched, touch

MOST_OPEN = 4
"""x at the end of a range: ten thousand numbers at most."""

LONGEST = 64  # characters; no number is longer

_X = "xX\u0445\u0425\u00d7"  # Latin, Cyrillic, and the sign of multiplication
_RANGE = re.compile(rf"([^{_X}]*\d[^{_X}\w]*)((?:[{_X}][^{_X}\w]*)+)")

Span = tuple[str, int]
"""How the match_keys of a range begin, and how many digits follow."""


def is_range(raw: str) -> bool:
    """Whether a person who typed this means a range, be it a right one or not."""
    return _typed(raw) is not None


def number_range(raw: str, read_number: Reader, label: str = "") -> NumberRange:
    """A row for a range as a person typed it. Raises Refused when it is none of whole, valid numbers."""
    row = NumberRange(raw=raw.strip(), label=label.strip())
    _read_into(row, read_number)
    if row.prefix is None:
        raise Refused(why_not(row.raw, read_number))
    return row


def span_of(raw: str, read_number: Reader) -> Span | None:
    """None: it cannot be read."""
    typed = _typed(raw)
    if typed is None:
        return None
    count = sum(letter in _X for letter in typed[2])
    if count > MOST_OPEN:
        return None
    first, last = (read_number(_with(typed, digit)).match_key for digit in "09")
    prefix = first[:-count]
    is_whole = bool(prefix) and (first, last) == (prefix + "0" * count, prefix + "9" * count)
    return (prefix, count) if is_whole else None


def why_not(raw: str, read_number: Reader) -> str:
    """What to tell whoever typed a range that cannot be read."""
    typed = _typed(raw)
    if typed is not None and sum(letter in _X for letter in typed[2]) > MOST_OPEN:
        return say(
            "{text!r} has more than {most} x, so it is more than {numbers} numbers; write smaller ranges",
            text=raw,
            most=MOST_OPEN,
            numbers=10**MOST_OPEN,
        )
    return say(
        "{text!r} is no range of whole phone numbers; write an x for each digit that is open, at the end, "
        "best with + and the country code, like +7 495 123-45xx",
        text=raw,
    )


def covering(match_key: Any, prefixes: Sequence[Any]) -> ColumnElement[bool]:
    """The ranges that hold this number, for a statement: the key and `prefixes_of` it, or parameters for these."""
    return and_(
        NumberRange.prefix.in_(prefixes),
        NumberRange.open_digits == func.length(match_key) - func.length(NumberRange.prefix),
    )


def prefixes_of(match_key: str) -> tuple[str, ...]:
    """How every range begins that can hold this number; the longest first."""
    return tuple(match_key[: max(len(match_key) - count, 0)] for count in range(1, MOST_OPEN + 1))


def renew_ranges(engine: Engine, read_number: Reader, version: int) -> Touched:
    """Reads the ranges again that older rules than `version` read; as `renew_numbers`."""
    with reading(engine) as session:
        ids = session.scalars(select(NumberRange.id).where(NumberRange.norm_version < version)).all()
    return _renew(engine, read_number, ids)


def read_ranges_again(engine: Engine, read_number: Reader, ids: Collection[int]) -> None:
    """Whoever wrote these rows, they hold what is read from their text. Writes nothing when they do."""
    with reading(engine) as session:
        rows = session.scalars(select(NumberRange).where(NumberRange.id.in_(ids))).all()
        wrong = [row.id for row in rows if _is_wrong(row, read_number)]
    _renew(engine, read_number, wrong)


def _renew(engine: Engine, read_number: Reader, ids: Collection[int]) -> Touched:
    if not ids:
        return Touched()
    with writing(engine) as session:
        rows = session.scalars(select(NumberRange).where(NumberRange.id.in_(ids)).order_by(NumberRange.id)).all()
        before, changed = frozenset[Span](), set()
        for row in rows:
            old = _span(row)
            with session.no_autoflush:
                _read_into(row, read_number)
                if _span(row) != old and _has_twin(session, row):
                    row.prefix = row.open_digits = None
            session.flush()
            if _span(row) != old:
                changed.add(row.customer_id)
                before |= {old} if old else frozenset()
        return (Touched(ranges=before) | touch(session, changed)) if changed else Touched()


def _read_into(row: NumberRange, read_number: Reader) -> None:
    row.prefix, row.open_digits = span_of(row.raw, read_number) or (None, None)
    row.norm_version = read_number("").rules


def _is_wrong(row: NumberRange, read_number: Reader) -> bool:
    return row.norm_version <= read_number("").rules and _span(row) != span_of(row.raw, read_number)


def _span(row: NumberRange) -> Span | None:
    return (row.prefix, row.open_digits) if row.prefix and row.open_digits else None


def _has_twin(session: Session, row: NumberRange) -> bool:
    twin = select(NumberRange.id).where(
        NumberRange.customer_id == row.customer_id,
        NumberRange.prefix == row.prefix,
        NumberRange.open_digits == row.open_digits,
        NumberRange.id != row.id,
    )
    return session.scalar(twin) is not None


def _typed(raw: str) -> re.Match[str] | None:
    text = raw.strip()
    return _RANGE.fullmatch(text) if len(text) <= LONGEST else None


def _with(typed: re.Match[str], digit: str) -> str:
    return typed[1] + re.sub(rf"[{_X}]", digit, typed[2])
