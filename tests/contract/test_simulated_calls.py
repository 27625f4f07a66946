"""The administrator's test call and doctor at the desk: whom it rings, who may, and that it is kept nowhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import func, select

from desk.doctor import Doctor
from desk.simulating import AT_ONCE, FREE, Simulations
from lookup.notices import LiveCall
from records.database import reading
from records.tables import CallRow, Note, User
from ringcard import doctor_program
from ringcard.doctor_program import DoctorProgram
from ringcard.findings import Finding, ok
from tests.fixtures.desk import HOSTILE, HOSTILE_NAME, RITHY, RunningDesk, Visitor, live_call

Told = dict[str, Any]


@pytest.fixture
async def sophea(desk: RunningDesk) -> AsyncIterator[Visitor]:
    """A supervisor, signed in."""
    async with Visitor(desk.app) as visitor:
        yield await visitor.has_session(desk, desk.people.sophea)


async def begin(visitor: Visitor, number: str = RITHY, **more: Any) -> Told:
    answer = await visitor.post("/api/v1/test-calls", json={"number": number, **more})
    assert answer.status_code == 201, answer.text
    told: Told = answer.json()
    return told


async def live(visitor: Visitor) -> list[Told]:
    shown: list[Told] = (await visitor.get("/api/v1/live")).json()["calls"]
    return shown


async def becomes(desk: RunningDesk, call_id: str, **wanted: Any) -> LiveCall:
    """The call, once every desk is told that it is so."""
    async with asyncio.timeout(10):
        while True:
            call = desk.app.state.services.hub.call(call_id)
            if call and all(getattr(call, name) == value for name, value in wanted.items()):
                assert isinstance(call, LiveCall)
                return call
            await asyncio.sleep(0.005)


async def test_a_test_call_rings_the_administrator_alone_and_is_answered_and_ended_there_and_kept_nowhere(
    desk: RunningDesk, boss: Visitor, dara: Visitor, sophea: Visitor
) -> None:
    told = await begin(boss)
    assert (told["answer"], told["customer_id"], told["rings"]) == ("found", desk.people.rithy, ["Boss Srey"])
    [shown] = await live(boss)
    assert (shown["card"]["state"], shown["card"]["simulated"]) == ("ringing", True)
    assert shown["card"]["customers"][0]["name"] == "Sok Rithy"
    assert await live(dara) == await live(sophea) == [], "nobody else is disturbed"
    page = (await boss.get("/")).text
    assert "Simulated" in page
    assert 'data-simulated="answer"' in page

    address = f"/api/v1/test-calls/{told['call_id']}"
    assert (await boss.post(f"{address}/answer")).status_code == 204
    await becomes(desk, told["call_id"], answered_endpoint="a page")
    [shown] = await live(boss)
    assert shown["card"]["state"] == "talking"
    assert (await boss.post(f"{address}/answer")).status_code == 409
    assert (await boss.post(f"{address}/end")).status_code == 204
    assert (await boss.post(f"{address}/end")).status_code == 204, "once more changes nothing"
    over = await becomes(desk, told["call_id"], outcome="answered")
    assert over.ended_ms
    piece = (await boss.get(f"/pieces/simulated-story?call={told['call_id']}")).text
    assert "ended: answered" in piece
    with reading(desk.database()) as session:
        ids = session.scalars(select(CallRow.call_id)).all()
    assert set(ids) == {"answered", "missed"}
    answer = await boss.get(f"/api/v1/calls/{told['call_id']}")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "That was a simulated call. Such calls are kept nowhere.",
    )


async def test_it_may_ring_another_person_a_phone_or_whom_the_rules_say(
    desk: RunningDesk, boss: Visitor, dara: Visitor, sophea: Visitor
) -> None:
    for asked in ({"person_id": desk.people.dara}, {"phone": "101"}, {"by_rules": True}):
        told = await begin(boss, **asked)
        assert told["rings"] == ["Dara Chan"]
        [shown] = await live(dara)
        assert shown["card"]["simulated"]
        [beside] = await live(sophea)
        assert beside["team"]["simulated"]
        assert (await dara.post(f"/api/v1/test-calls/{told['call_id']}/answer")).status_code == 204
        await becomes(desk, told["call_id"], answered_endpoint="101")
        assert (await dara.post(f"/api/v1/test-calls/{told['call_id']}/end")).status_code == 204
        await becomes(desk, told["call_id"], outcome="answered")


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"number": "Sok Dara"}, 422, "cannot call; write a number like"),
        ({"number": RITHY, "phone": "199"}, 422, "Nobody sits at phone 199"),
        ({"number": RITHY, "person_id": 99_999}, 404, "no such person"),
        ({"number": "+33142685300", "by_rules": True}, 422, "No phone would ring. The company's own way"),
        ({"number": RITHY, "person_id": "1"}, 422, "person_id"),
        ({}, 422, "number"),
    ],
)
async def test_what_cannot_ring_is_refused_in_words(boss: Visitor, asked: Told, status: int, said: str) -> None:
    answer = await boss.post("/api/v1/test-calls", json=asked)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


async def test_only_administrators_begin_one_or_ask_the_doctor_and_only_from_our_own_pages(
    desk: RunningDesk, boss: Visitor, dara: Visitor, sophea: Visitor, stranger: Visitor
) -> None:
    theirs = await begin(boss)
    for visitor in (dara, sophea):
        for path in ("/test-call", "/pieces/simulated-story"):
            assert (await visitor.get(path)).status_code == 403, path
        for path in ("/test-call", "/test-call/doctor", "/api/v1/doctor"):
            assert (await visitor.post(path)).status_code == 403, path
        assert (await visitor.post("/api/v1/test-calls", json={"number": RITHY})).status_code == 403
        for what in ("answer", "end"):
            assert (await visitor.post(f"/api/v1/test-calls/{theirs['call_id']}/{what}")).status_code == 404
        page = (await visitor.get("/")).text
        assert "/test-call" not in page
    assert (await stranger.post("/api/v1/test-calls", json={"number": RITHY})).status_code == 401
    foreign = {"Origin": "http://evil.example"}
    for path in ("/test-call", "/test-call/doctor", "/api/v1/test-calls", "/api/v1/doctor"):
        assert (await boss.post(path, headers=foreign)).status_code == 403, path
    assert len(desk.app.state.services.hub.calls()[1]) == 1


async def test_a_real_call_is_neither_answered_nor_ended_that_way(desk: RunningDesk, boss: Visitor) -> None:
    call = live_call(RITHY, "101", customers=(desk.people.rithy,))
    await desk.publish(call)
    for what in ("answer", "end"):
        assert (await boss.post(f"/api/v1/test-calls/{call.call_id}/{what}")).status_code == 404


async def test_many_one_after_the_other_are_slowed_and_many_at_once_refused(desk: RunningDesk, boss: Visitor) -> None:
    for _ in range(FREE):
        await begin(boss)
    answer = await boss.post("/api/v1/test-calls", json={"number": RITHY})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert (await boss.post("/test-call", data={"number": RITHY})).status_code == 429
    simulations: Simulations = desk.app.state.simulations
    simulations._throttle.clear(str(await user_id(desk, "boss")))
    for _ in range(AT_ONCE - FREE):
        simulations._throttle.clear(str(await user_id(desk, "boss")))
        await begin(boss)
    simulations._throttle.clear(str(await user_id(desk, "boss")))
    assert (await boss.post("/api/v1/test-calls", json={"number": RITHY})).status_code == 409


async def user_id(desk: RunningDesk, login: str) -> int:
    with reading(desk.database()) as session:
        return session.scalars(select(User.id).where(User.login == login)).one()


async def test_what_nobody_plays_any_more_is_ended_when_its_time_is_over(desk: RunningDesk, boss: Visitor) -> None:
    left = live_call(RITHY, "101", call_id="sim-left", over_by_ms=int(time.time() * 1000) - 1)
    going_on = live_call(RITHY, "102", call_id="sim-on", over_by_ms=int(time.time() * 1000) + 60_000)
    real = live_call(RITHY, "102")
    await desk.publish(left, going_on, real)
    desk.app.state.simulations.clear()
    await becomes(desk, "sim-left", outcome="abandoned")
    for call_id in ("sim-on", real.call_id):
        await becomes(desk, call_id, ended_ms=0)


async def test_a_desk_that_stops_hangs_up(desk: RunningDesk, boss: Visitor) -> None:
    told = await begin(boss)
    await desk.app.state.simulations.close()
    await becomes(desk, told["call_id"], outcome="abandoned")


async def test_a_customer_is_chosen_on_the_page_and_hostile_text_stays_text(desk: RunningDesk, boss: Visitor) -> None:
    sent = await boss.post("/test-call", data={"customer": str(desk.people.hostile), "number": ""})
    assert sent.status_code == 303
    page = await boss.get(sent.headers["location"])
    assert "Simulated call, not in the log" in page.text
    assert HOSTILE_NAME not in page.text
    refused = await boss.post("/test-call", data={"number": HOSTILE_NAME})
    assert refused.status_code == 422
    assert HOSTILE_NAME not in refused.text
    assert "cannot call" in refused.text
    for typed in ({"number": HOSTILE, "to": "person:x"}, {"number": HOSTILE, "to": f"phone:{'1' * 100}"}):
        assert (await boss.post("/test-call", data=typed)).status_code == 422
    assert (await boss.post("/test-call", data={"number": "1" * 150})).status_code == 422


async def test_a_note_of_a_simulated_call_stays_with_its_customer_and_of_nobodys_call_is_refused(
    desk: RunningDesk, boss: Visitor
) -> None:
    told = await begin(boss)
    written = await boss.post(f"/api/v1/calls/{told['call_id']}/notes", json={"text": "Wants rice"})
    assert written.status_code == 201
    page = (await boss.get(f"/customers/{desk.people.rithy}")).text
    assert "Wants rice" in page
    assert "during a simulated call" in page
    assert f"/calls/{told['call_id']}" not in page
    nobodys = await begin(boss, "+33142685300")
    refused = await boss.post(f"/api/v1/calls/{nobodys['call_id']}/notes", json={"text": "Who?"})
    assert (refused.status_code, "nobody has this number" in refused.json()["detail"]) == (422, True)
    with reading(desk.database()) as session:
        assert session.scalar(select(func.count()).select_from(Note)) == 1


# --- doctor


class Examined:
    """A look that lasts until it is let go."""

    def __init__(self) -> None:
        self.times = 0
        self.go_on = asyncio.Event()

    async def __call__(self) -> Sequence[Finding]:
        self.times += 1
        await self.go_on.wait()
        return [ok("desk", "serves"), Finding("redis", "fail", HOSTILE_NAME, "Start it")]


async def test_doctor_looks_once_at_a_time_and_says_on_the_page_and_to_programs_how_to_mend(
    desk: RunningDesk, boss: Visitor
) -> None:
    examined = Examined()
    desk.app.state.doctor = Doctor(examined, desk.parts.clock)
    asked = [asyncio.create_task(boss.post(path)) for path in ("/test-call/doctor", "/api/v1/doctor")]
    while not examined.times:
        await asyncio.sleep(0.005)
    assert (await boss.get("/health")).status_code in (200, 503), "the desk goes on meanwhile"
    examined.go_on.set()
    page, told = await asyncio.gather(*asked)
    assert (page.status_code, page.headers["location"]) == (303, "/test-call#doctor")
    assert told.json()["works"] is False
    assert told.json()["findings"][1] == {"name": "redis", "state": "fail", "seen": HOSTILE_NAME, "mend": "Start it"}
    assert examined.times == 1
    text = (await boss.get("/test-call")).text
    assert "A call would not work as it should." in text
    assert "Start it" in text
    assert HOSTILE_NAME not in text


async def test_the_desks_doctor_is_the_commands_and_one_that_hangs_is_ended(desk: RunningDesk) -> None:
    findings = await DoctorProgram(desk.parts.settings).findings()
    names = [finding.name for finding in findings]
    assert {"settings", "database", "redis", "desk"} <= set(names)
    [late] = await DoctorProgram(desk.parts.settings, limit_s=0.01).findings()
    assert (late.state, late.mend) == ("fail", doctor_program.BY_HAND)
