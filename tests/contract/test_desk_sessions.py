"""Where somebody is signed in: seen, ended from elsewhere, and kept while the database is away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Settings
from desk import events as desk_events
from records.database import reading, writing
from records.sessions import all_open, end_all, hash_of, sessions_of
from records.users import add_user, change_user
from tests.contract.test_desk_events import reading as reader
from tests.contract.test_desk_events import the_next
from tests.fixtures.desk import PASSWORD, RITHY, People, RunningDesk, Visitor, alive, live_call, opened, served


def rows(desk: RunningDesk, user_id: int) -> list[int]:
    with reading(desk.database()) as session:
        return [one.id for one in sessions_of(session, user_id, desk.app.state.services.sessions.lasts)]


async def held(*visitors: Visitor) -> list[bool]:
    return [(await visitor.get("/api/v1/me")).status_code == 200 for visitor in visitors]


async def test_a_person_sees_their_sessions_and_ends_one_or_all_others(desk: RunningDesk, dara: Visitor) -> None:
    async with Visitor(desk.app, "192.0.2.7") as phone, Visitor(desk.app) as third, Visitor(desk.app) as mony:
        phone.headers["User-Agent"] = "Mozilla/5.0 (Linux; Android 15) Chrome/150.0 Mobile Safari/537.36"
        assert (await phone.sign_in("dara")).status_code == 303
        [of_phone, _] = rows(desk, desk.people.dara)
        await third.sign_in("dara")
        await mony.sign_in("mony")
        page = (await dara.get("/me")).text
        assert page.count(">this one<") == 1
        assert "Chrome on Android" in page
        assert "from 192.0.2.7" in page
        assert len(re.findall(r"/me/sessions/\d+/end", page)) == 3
        assert (await mony.post(f"/me/sessions/{of_phone}/end")).status_code == 404, "it is not theirs"
        assert (await dara.post(f"/me/sessions/{of_phone}/end")).status_code == 303
        assert await held(dara, phone, third, mony) == [True, False, True, True]
        assert (await dara.post("/me/sessions/end-others")).status_code == 303
        assert await held(dara, phone, third, mony) == [True, False, False, True]


async def test_an_administrator_sees_and_ends_anybodys(desk: RunningDesk, boss: Visitor, dara: Visitor) -> None:
    path = f"/people/{desk.people.dara}"
    async with Visitor(desk.app) as second, Visitor(desk.app) as mony:
        await second.sign_in("dara")
        await mony.sign_in("mony")
        listed = (await boss.get(f"/api/v1{path}/sessions")).json()
        assert set(listed[0]) == {"id", "began_at", "seen_at", "browser", "address"}
        [last, _] = rows(desk, desk.people.dara)
        assert last in {one["id"] for one in listed}
        assert f"{path}/sessions/{last}/end" in (await boss.get(path)).text
        assert (await boss.post(f"{path}/sessions/{last}/end")).status_code == 303
        assert await held(dara, second, mony, boss) == [True, False, True, True]
        assert (await boss.post(f"{path}/sessions/end")).status_code == 303
        assert await held(dara, mony, boss) == [False, True, True]
        mony_path = f"/api/v1/people/{desk.people.mony}/sessions"
        [only] = rows(desk, desk.people.mony)
        assert (await boss.delete(f"{mony_path}/{only}")).status_code == 204
        await mony.sign_in("mony")
        assert (await boss.delete(mony_path)).status_code == 204
        assert await held(mony, boss) == [False, True]


async def test_the_database_never_holds_what_is_in_a_cookie(desk: RunningDesk, dara: Visitor) -> None:
    kept = (Path(desk.parts.settings.store.data_dir) / "ringcard.db").read_bytes()
    kept += (Path(desk.parts.settings.store.data_dir) / "ringcard.db-wal").read_bytes()
    _, key = desk.app.state.services.sessions._signer.loads(dara.cookies["ringcard"])
    assert hash_of(key).encode() in kept
    assert key.encode() not in kept


async def test_who_was_seen_is_noted(desk: RunningDesk, dara: Visitor) -> None:
    with reading(desk.database()) as session:
        [before] = sessions_of(session, desk.people.dara, desk.app.state.services.sessions.lasts)
    await dara.get("/")
    await desk.app.state.services.sessions.note()
    with reading(desk.database()) as session:
        [after] = sessions_of(session, desk.people.dara, desk.app.state.services.sessions.lasts)
    assert after.seen_at > before.seen_at
    assert after.address == "127.0.0.1"


async def test_a_session_begun_at_one_desk_holds_at_another_at_once_and_ends_there_too(
    company: tuple[Settings, People], redis_url: str
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        desks = [await stack.enter_async_context(opened(*company, redis_url)) for _ in range(2)]
        for desk in desks:
            await stack.enter_async_context(alive(desk))
        one, other = [await stack.enter_async_context(Visitor(desk.app)) for desk in desks]
        assert await held(other) == [False]
        await one.sign_in("dara")
        other.cookies.update(one.cookies)
        assert await held(one, other) == [True, True]
        await one.post("/sign-out")
        async with asyncio.timeout(30):
            while await held(other) == [True]:
                await asyncio.sleep(0.1)


async def test_while_the_database_is_away_sessions_of_before_go_on_and_nobody_is_signed_out(
    desk: RunningDesk, dara: Visitor
) -> None:
    """What began at another desk a moment before is not known: it is told to wait, and keeps its cookie."""
    services = desk.app.state.services
    with writing(desk.database()) as session:
        other = add_user(session, "late", "Late", PASSWORD).id
    services.people.forget()
    async with Visitor(desk.app) as late, Visitor(desk.app) as away:
        await late.has_session(desk, other)
        assert await held(dara) == [True]
        await away.sign_in("mony")
        assert await held(away) == [True]
        services.people._known = replace(
            services.people._known,
            sessions=services.people._known.sessions - {hash_of(_key(desk, late))},
        )
        file = Path(desk.parts.settings.store.data_dir) / "ringcard.db"
        desk.database().dispose()
        os.rename(file, file.with_suffix(".away"))
        services.people.forget()
        try:
            assert await held(dara) == [True]
            answer = await late.get("/api/v1/me")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
            assert (await away.post("/sign-out")).status_code == 303
            assert (await away.get("/api/v1/me")).status_code == 401, "signing out works all the same"
        finally:
            os.rename(file.with_suffix(".away"), file)
        services.people.forget()
        assert await held(dara, late) == [True, True]
        await services.sessions.note()
        with reading(desk.database()) as session:
            assert hash_of(_key(desk, dara)) in all_open(session)
        assert rows(desk, desk.people.mony) == [], "and is made good when the database is back"


def _key(desk: RunningDesk, visitor: Visitor) -> str:
    cookie = visitor.cookies["ringcard"]
    return str(desk.app.state.services.sessions._signer.loads(cookie)[1])


async def test_signing_in_makes_a_new_session_and_ends_the_one_that_the_browser_had(
    desk: RunningDesk, stranger: Visitor
) -> None:
    """Fixation: whoever put their own cookie into another's browser is not signed in with them, nor any more at all."""
    async with Visitor(desk.app) as attacker:
        await attacker.sign_in("mony")
        stranger.cookies.set("ringcard", attacker.cookies["ringcard"], domain="desk.test")
        await stranger.sign_in("dara")
        assert stranger.cookies["ringcard"] != attacker.cookies["ringcard"]
        assert (await stranger.get("/api/v1/me")).json()["login"] == "dara"
        assert (await attacker.get("/api/v1/me")).status_code == 401
        assert rows(desk, desk.people.mony) == []


async def test_an_own_password_is_changed_by_saying_the_old_one(desk: RunningDesk, dara: Visitor) -> None:
    new = {"new": "battery staple", "again": "battery staple"}
    async with Visitor(desk.app) as elsewhere:
        await elsewhere.sign_in("dara")
        for form, said in (
            ({"password": "wrong horse", **new}, "That is not your password"),
            ({"password": PASSWORD, "new": "battery staple", "again": "battery"}, "The two new passwords differ"),
            ({"password": PASSWORD, "new": "short", "again": "short"}, "8 to 1024 characters"),
        ):
            refused = await dara.post("/me/password", data=form)
            assert (refused.status_code, said in refused.text) == (422, True)
        assert await held(dara, elsewhere) == [True, True]
        done = await dara.post("/me/password", data={"password": PASSWORD, **new})
        assert "Your new password holds." in done.text
        assert await held(dara, elsewhere) == [True, False], "only who changed it stays signed in"
        assert (await elsewhere.sign_in("dara")).status_code == 401
        assert (await elsewhere.sign_in("dara", "battery staple")).status_code == 303


async def test_guessing_the_password_at_an_unlocked_screen_is_slowed_too(desk: RunningDesk, dara: Visitor) -> None:
    desk.app.state.door.clock = lambda: 1000.0
    new = {"new": "battery staple", "again": "battery staple"}
    statuses = [
        (await dara.post("/me/password", data={"password": f"guess {number}", **new})).status_code
        for number in range(6)
    ]
    assert statuses == [422] * 5 + [429]


async def test_a_session_that_is_ended_elsewhere_ends_its_stream_at_once(
    company: tuple[Settings, People], redis_url: str
) -> None:
    async with (
        opened(*company, redis_url) as desk,
        served(desk) as address,
        reader(address, "dara") as dara,
        reader(address, "dara") as elsewhere,
        dara.events(await dara.now()) as events,
    ):
        assert (await elsewhere.client.post("/me/sessions/end-others")).status_code == 303
        async with asyncio.timeout(2.5):  # sooner than every connection looks by itself
            assert [event.kind for event in await the_next(events)] == ["signed_out"]


async def test_a_session_that_another_process_ended_ends_its_stream_within_seconds(
    company: tuple[Settings, People], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_events, "LOOK_S", 0.1)
    monkeypatch.setattr("desk.directory.FRESH_S", 0.1)
    async with (
        opened(*company, redis_url) as desk,
        served(desk) as address,
        reader(address, "dara") as dara,
        dara.events(await dara.now()) as events,
    ):
        with writing(desk.database()) as session:
            end_all(session, desk.people.dara)
        assert [event.kind for event in await the_next(events)] == ["signed_out"]


async def test_a_stream_ends_to_begin_anew_when_its_reader_may_see_something_else(
    company: tuple[Settings, People], redis_url: str
) -> None:
    async with (
        opened(*company, redis_url) as desk,
        served(desk) as address,
        reader(address, "sophea") as sophea,
        sophea.events(await sophea.now()) as events,
    ):
        with writing(desk.database()) as session:
            change_user(session, desk.people.sophea, team="Support")
        desk.app.state.services.people.forget()
        desk.app.state.services.hub.session_ended()
        assert [event.kind async for event in events] == [], "it ends without signing anybody out"
        async with sophea.events(await sophea.now()) as anew:
            of_before, of_now = live_call(RITHY, "101"), live_call(RITHY, "109")
            await desk.publish(of_before, of_now)
            [event] = await the_next(anew)
            assert event.data["call_id"] == of_now.call_id


async def test_a_connection_is_kept_warm_while_only_others_are_called(
    company: tuple[Settings, People], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a browser takes a desk for silent that is busy with everybody else."""
    monkeypatch.setattr(desk_events, "HEARTBEAT_S", 0.3)
    monkeypatch.setattr(desk_events, "LOOK_S", 0.2)
    async with (
        opened(*company, redis_url) as desk,
        served(desk) as address,
        reader(address, "dara") as dara,
        dara.events(await dara.now(), heartbeats=True) as events,
    ):

        async def calls_of_others() -> None:
            while True:
                await desk.publish(live_call(RITHY, "102"))
                await asyncio.sleep(0.02)

        busy = asyncio.create_task(calls_of_others())
        try:
            assert {event.kind for event in await the_next(events, 4)} == {"heartbeat"}
        finally:
            busy.cancel()
            await asyncio.gather(busy, return_exceptions=True)
