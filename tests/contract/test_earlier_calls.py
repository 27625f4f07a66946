"""A number that is entered later: its earlier calls become the customer's, whoever enters it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from records import calls
from records.database import reading, writing
from records.journal import Journal
from records.replay import replay
from records.tables import CallRow, NumberRange
from tests.contract.test_freshness import CHAN, NOBODY, NUMBER, SOK, UNREAD, House, company, house, until
from tests.facts import facts

__all__ = ["house"]

RANGE = "INSERT INTO number_ranges (customer_id, raw, label, norm_version)"


def called(house: House, call_id: str, key: str, **more: object) -> None:
    with writing(house.database) as session:
        calls.write_call(session, replace(facts(call_id), caller_number=key, caller_key=key, **more))  # type: ignore[arg-type]


def whose(house: House, call_id: str) -> int | None:
    with reading(house.database) as session:
        row = session.get(CallRow, call_id)
        assert row is not None
        return row.customer_id


async def become(house: House, call_id: str, customer_id: int) -> None:
    async def is_theirs() -> bool:
        return whose(house, call_id) == customer_id

    await until(is_theirs)


async def test_a_number_that_another_program_enters_takes_its_earlier_calls(house: House) -> None:
    house.put(*company())
    called(house, "c1", NOBODY, caller_name="sokdara77")
    called(house, "c2", "+85512999001")
    async with house.following():
        house.sql(f"{NUMBER} VALUES (1, '{NOBODY}', '{NOBODY}', '{NOBODY}', '12999000', '', '', 1)")
        await become(house, "c1", 1)
        house.sql(f"{UNREAD} VALUES (2, '012 999 001', '', '', 0)")
        await become(house, "c2", 2)
    with reading(house.database) as session:
        row = session.get(CallRow, "c1")
        assert row is not None
        assert (row.caller_name, row.shown_name) == ("sokdara77", ""), "what was received and shown then stays"


async def test_a_range_that_another_program_enters_takes_the_earlier_calls_of_its_numbers(house: House) -> None:
    house.put(*company())
    for digit in "18":
        called(house, f"c{digit}", f"+8552399900{digit}")
    called(house, "other", "+85523999100")
    async with house.following():
        house.sql(f"{RANGE} VALUES (2, '023 999 00x', '', 0)")
        await become(house, "c1", 2)
        await become(house, "c8", 2)
        await house.followed()
    assert whose(house, "other") is None
    with reading(house.database) as session:
        assert session.query(NumberRange).one().prefix == "+8552399900"


async def test_a_number_that_moves_to_another_customer_leaves_its_calls_where_they_were(house: House) -> None:
    house.put(*company())
    called(house, "c1", SOK, customer_id=1)
    called(house, "c2", SOK)
    async with house.following():
        house.sql(f"UPDATE phone_numbers SET customer_id = 2 WHERE match_key = '{SOK}'")
        await become(house, "c2", 2)
        await house.followed()
    assert whose(house, "c1") == 1


async def test_a_number_that_several_share_gives_its_calls_to_none_of_them(house: House) -> None:
    house.put(*company())
    called(house, "c1", CHAN)
    async with house.following():
        house.sql(f"{NUMBER} VALUES (1, '{CHAN}', '{CHAN}', '{CHAN}', '12777888', '', '', 1)")
        await house.followed()
        assert whose(house, "c1") is None
        house.sql(f"DELETE FROM phone_numbers WHERE customer_id = 1 AND match_key = '{CHAN}'")
        await house.followed()
    assert whose(house, "c1") is None, "who called then is not known better now"


@pytest.mark.parametrize("entered", [True, False])
def test_facts_that_lay_in_the_journal_while_the_number_was_entered(
    house: House, tmp_path: Path, entered: bool
) -> None:
    journal = Journal(tmp_path / "journal.db")
    key = SOK if entered else NOBODY
    journal.append(facts("c1", caller_key=key, version=1))
    journal.append(facts("c1", caller_key=key, version=2, ended_ms=facts("c1").started_ms + 1000, outcome="missed"))
    journal.flush()
    house.put(*company())
    assert replay(journal, house.database) == 2
    assert whose(house, "c1") == (1 if entered else None)
    journal.close()
