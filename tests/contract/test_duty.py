"""What the company says about who rings: kept in its records, in memory when a call comes, on both databases."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from lookup.blocking import Blocked
from lookup.card import Person, Phone
from lookup.duty import COMPANY, CardRule, Duty
from lookup.numbers import NumberPlan, read
from lookup.sql_cards import SqlCards
from lookup.sql_duty import DutyBook
from records import calls, customers, routing, users
from records.changes import done, pending
from records.database import open_database, reading, writing
from records.facts import CallFacts
from records.tables import Change, User
from tests.facts import facts

SAID = Duty(destinations={"night": "company-voicemail,100"}, blocked=Blocked(country="KH", own=frozenset({"+855239"})))
SOK = "+85512345678"
LONG_S = 20.0


@pytest.fixture
def staff(database: Engine) -> tuple[int, int]:
    """Dara at 101, of Sales; Bopha on a mobile."""
    with writing(database) as session:
        dara = users.add_user(session, "dara", "Dara", "a long password", team="Sales")
        bopha = users.add_user(session, "bopha", "Bopha", "a long password")
        users.seat(session, dara.id, "pbx", "101")
        users.seat(session, bopha.id, "pbx", "+85599000111", inside=False)
        return dara.id, bopha.id


@contextlib.asynccontextmanager
async def kept(database: Engine) -> AsyncIterator[DutyBook]:
    book = DutyBook(open_database(database.url.render_as_string(hide_password=False)), SAID)
    task = asyncio.create_task(book.run())
    try:
        async with asyncio.timeout(LONG_S):
            await book.looked.wait()
        yield book
    finally:
        task.cancel()
        await asyncio.wait({task})
        book._database.dispose()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not holds():
            await asyncio.sleep(0.01)


async def test_what_people_enter_reaches_the_next_call_and_so_does_another_programs_sql(
    database: Engine, staff: tuple[int, int]
) -> None:
    dara, bopha = staff
    async with kept(database) as book:
        assert book.now.people[dara].person == Person(dara, "Dara", (Phone("pbx", "101"),))
        assert book.now.people[bopha].person.phones == (Phone("pbx", "+85599000111", inside=False),)
        assert (book.now.destinations, book.now.blocked) == (SAID.destinations, SAID.blocked)
        team_id = book.now.people[dara].team_id
        assert team_id is not None
        assert book.now.teams == {team_id: "Sales"}

        with writing(database) as session:
            routing.set_do_not_disturb(session, dara, True)
            routing.seen(session, [dara, bopha])
            routing.save_calendar(session, None, "Mon-Fri 08:00-17:00", "12-25", "night")
            routing.save_calendar(session, team_id, "daily 00:00-24:00", "", "")
            routing.add_rule(session, "VIP", "vip", "is", "yes", person_id=bopha, always=True)
            routing.add_rule(session, "Debt", "debt", "over", "10000", currency="USD", destination="night")
            routing.block(session, "number", SOK, "rude", dara)
            routing.block(session, "prefix", "+7495", "", None)
            routing.block(session, "withheld", "", "", None)
        await until(lambda: book.now.people[dara].do_not_disturb)
        seen_at = book.now.people[bopha].seen_at
        assert seen_at is not None
        assert abs((seen_at - datetime.now(UTC)).total_seconds()) < 60
        assert book.now.calendars[COMPANY].closed_to == "night"
        assert book.now.calendars[team_id].closed(datetime(2026, 11, 29, 3, tzinfo=UTC)) == ""
        assert book.now.rules == (
            CardRule("VIP", "vip", "is", "yes", person_id=bopha, always=True),
            CardRule("Debt", "debt", "over", "10000", "USD", destination="night"),
        )
        assert book.now.blocked == replace(SAID.blocked, numbers={SOK: "rude"}, prefixes={"+7495": ""}, withheld=True)

        for statement, holds in (
            ("DELETE FROM blocked_callers", lambda: book.now.blocked == SAID.blocked),
            ("UPDATE presences SET seen_at = NULL", lambda: book.now.people[bopha].seen_at is None),
            ("UPDATE routing_rules SET active = FALSE WHERE name = 'VIP'", lambda: len(book.now.rules) == 1),
            ("UPDATE calendars SET closed_to = ''", lambda: book.now.calendars[COMPANY].closed_to == ""),
            ("DELETE FROM endpoint_people", lambda: book.now.people[dara].person.phones == ()),
            ("UPDATE users SET active = FALSE WHERE login = 'dara'", lambda: dara not in book.now.people),
        ):
            with writing(database) as session:
                session.execute(text(statement))
            await until(holds)


async def test_what_another_program_wrote_wrongly_harms_no_call(
    database: Engine, staff: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    with writing(database) as session:
        routing.save_calendar(session, None, "when it pleases us", "", "")
        routing.add_rule(session, "Debt", "debt", "over", "a lot", person_id=staff[0])
        routing.add_rule(session, "VIP", "vip", "is", "yes", person_id=staff[0])
        routing.block(session, "nonsense", "x", "", None)
    async with kept(database) as book:
        assert [rule.name for rule in book.now.rules] == ["VIP"]
        assert book.now.calendars == {}
    assert "count as always" in caplog.text
    assert "left out" in caplog.text


async def test_while_the_database_is_away_what_was_known_holds(
    tmp_path: object, caplog: pytest.LogCaptureFixture
) -> None:
    book = DutyBook(open_database(f"postgresql+psycopg://nobody@/none?host={tmp_path}"), SAID)
    task = asyncio.create_task(book.run())
    async with asyncio.timeout(LONG_S):
        await book.looked.wait()
    assert book.now is SAID
    assert caplog.text.count("routed by the card alone") == 1
    task.cancel()


# --- who spoke last ---


async def test_who_spoke_last_is_on_the_card_and_a_change_of_it_is_noted(
    database: Engine, staff: tuple[int, int]
) -> None:
    def read_number(raw: str) -> object:
        return read(raw, NumberPlan("KH"))

    with writing(database) as session:
        customer = customers.add_customer(session, read_number, name="Sok", numbers=[SOK])[0].id  # type: ignore[arg-type]
    source = SqlCards(database.url.render_as_string(hide_password=False))

    def spoken(call_id: str, phone: str, minute: int) -> CallFacts:
        base = facts(call_id, customer_id=customer, answered_endpoint=phone)
        return replace(
            base, started_ms=base.started_ms + minute * 60_000, answered_ms=base.started_ms + minute * 60_000
        )

    async def last() -> tuple[str, str] | None:
        (match,) = await source.fetch(read(SOK, NumberPlan("KH")))
        spoke = match.card.spoke_last
        return (spoke.person.name, spoke.at) if spoke else None

    def noted(call: CallFacts) -> bool:
        done(database, pending(database))
        with writing(database) as session:
            calls.write_call(session, call)
        return customer in [change.customer_id for change in pending(database)]

    try:
        assert await last() is None
        assert noted(replace(facts("missed", customer_id=customer), ended_ms=1)) is False
        assert noted(spoken("a", "101", 0)) is True
        assert await last() == ("Dara", "2026-03-10T09:30:00Z")
        assert noted(replace(spoken("a", "101", 0), version=2, ended_ms=1)) is False
        assert noted(spoken("b", "101", 1)) is False, "the same person again: the card may stay where it is"
        assert noted(spoken("c", "+85599000111", 2)) is True
        assert await last() == ("Bopha", "2026-03-10T09:32:00Z")
        assert noted(spoken("old", "101", -60)) is False
        with reading(database) as session:
            assert session.query(User).count() == 2
            assert session.query(Change).filter(Change.routing_id.is_not(None)).count() == 0
    finally:
        await source.close()
