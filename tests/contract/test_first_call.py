"""The walk to one's first call at the desk: to whom it is offered, for how long, and how far each person is."""

from __future__ import annotations

import asyncio

from lookup import numbers
from lookup.notices import LiveCall
from records.database import writing
from records.tables import Customer, User
from tests.fixtures.desk import RunningDesk, Visitor


async def answered(desk: RunningDesk, call_id: str) -> None:
    await _becomes(desk, call_id, "answered_ms")


async def ended(desk: RunningDesk, call_id: str) -> None:
    await _becomes(desk, call_id, "ended_ms")


async def _becomes(desk: RunningDesk, call_id: str, moment: str) -> None:
    async with asyncio.timeout(10):
        while not getattr(desk.app.state.services.hub.call(call_id), moment):
            await asyncio.sleep(0.005)


def call_of(desk: RunningDesk) -> LiveCall:
    [call] = desk.app.state.services.hub.calls()[1]
    assert isinstance(call, LiveCall)
    return call


async def test_the_walk_is_offered_until_it_is_done_and_each_person_has_their_own(
    desk: RunningDesk, boss: Visitor
) -> None:
    assert 'href="/welcome"' in (await boss.get("/")).text
    assert 'data-stage="begin"' in (await boss.get("/welcome")).text
    assert (await boss.post("/welcome/ring")).headers["location"] == "/welcome"
    assert (await boss.post("/welcome/ring")).status_code == 303
    call = call_of(desk)
    assert call.customer_id == desk.people.rithy, "the customer with most on the card"
    assert 'data-stage="ringing"' in (await boss.get("/pieces/welcome")).text
    await boss.post(f"/api/v1/test-calls/{call.call_id}/answer")
    await answered(desk, call.call_id)
    talking = (await boss.get("/pieces/welcome")).text
    await boss.post(f"/api/v1/calls/{call.call_id}/notes", json={"text": "Hello"})
    assert (await boss.get("/pieces/welcome")).text != talking
    await boss.post(f"/api/v1/test-calls/{call.call_id}/end")
    await ended(desk, call.call_id)
    assert 'data-stage="after"' in (await boss.get("/pieces/welcome")).text
    desk.app.state.services.hub._calls.clear()  # a minute later
    assert 'data-stage="after"' in (await boss.get("/welcome")).text
    assert 'href="/welcome"' in (await boss.get("/")).text
    assert (await boss.post("/welcome/over")).headers["location"] == "/"
    assert 'href="/welcome"' not in (await boss.get("/")).text
    with writing(desk.database()) as session:
        session.get_one(User, desk.people.sophea).role = "administrator"
    desk.app.state.services.people.forget()
    async with Visitor(desk.app) as another:
        await another.has_session(desk, desk.people.sophea)
        assert 'href="/welcome"' in (await another.get("/")).text


async def test_it_is_for_administrators_and_begun_from_our_own_pages_only(
    desk: RunningDesk, boss: Visitor, dara: Visitor
) -> None:
    for path in ("/welcome", "/pieces/welcome"):
        assert (await dara.get(path)).status_code == 403, path
    for path in ("/welcome/ring", "/welcome/over"):
        assert (await dara.post(path)).status_code == 403, path
        assert (await boss.post(path, headers={"Origin": "http://evil.example"})).status_code == 403, path
    assert "/welcome" not in (await dara.get("/")).text
    assert desk.app.state.services.hub.calls()[1] == ()


async def test_where_no_customer_is_yet_a_number_rings_that_nobody_has(desk: RunningDesk, boss: Visitor) -> None:
    with writing(desk.database()) as session:
        for customer in session.query(Customer):
            session.delete(customer)
    assert (await boss.post("/welcome/ring")).status_code == 303
    call = call_of(desk)
    assert (call.answer, call.caller_number) == ("unknown", numbers.example("KH"))
    assert "New customer" in (await boss.get("/welcome")).text


async def test_a_call_that_nobody_answered_can_ring_again(desk: RunningDesk, boss: Visitor) -> None:
    await boss.post("/welcome/ring")
    await boss.post(f"/api/v1/test-calls/{call_of(desk).call_id}/end")
    await ended(desk, call_of(desk).call_id)
    page = (await boss.get("/welcome")).text
    assert "Nobody answered that one" in page
    assert "Ring me" in page
