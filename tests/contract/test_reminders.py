"""A task that falls due comes up to whoever has it: told once, by whichever worker is there, and lost by none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import select

from config.settings import Settings
from desk.store import Store
from lookup.notices import Notice
from lookup.redis_notices import RedisNotices
from records import tasks
from records.database import open_database, reading, writing
from records.errors import DatabaseGone
from records.tables import Task
from records.users import add_user
from ringcard import reminding
from ringcard.compose import run_worker
from ringcard.redis_server import OwnServer
from ringcard.reminding import Reminding
from tests.contract.test_desk_events import Event, the_next
from tests.contract.test_desk_events import reading as signed_in
from tests.fixtures.desk import PASSWORD, People, RunningDesk, opened, served
from tests.fixtures.redis import kill

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


class Clock:
    """Time as the test wants it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@contextlib.asynccontextmanager
async def published(redis_url: str) -> AsyncIterator[RedisNotices]:
    notices = RedisNotices(redis_url)
    try:
        yield notices
    finally:
        await notices.close()


async def heard(redis_url: str) -> list[Notice]:
    """Every notice of a reminder that there is in the stream."""
    found = []
    async with published(redis_url) as follower:
        last, _ = await follower.snapshot()
        if last != "0-0":
            async for id, notice in follower.follow("0-0"):
                found.append(notice)
                if id == last:
                    break
    return [notice for notice in found if notice.kind == "task_due"]


def due(database: Database, at: datetime = NOW) -> tuple[int, int]:
    """A task and whose it is."""
    with writing(database) as session:
        user = add_user(session, f"dara{at:%H%M}", "Dara", PASSWORD)
        task, _ = tasks.add_task(session, "Call back", user_id=user.id, due_at=at)
    return task.id, user.id


async def test_a_task_is_told_when_it_is_due_and_not_before_and_not_again(database: Database, redis_url: str) -> None:
    clock = Clock()
    task_id, user_id = due(database, NOW + timedelta(minutes=1))
    async with published(redis_url) as notices:
        worker = Reminding(database, notices, clock)
        assert await worker.look() is False
        clock.now += timedelta(minutes=1)
        assert await worker.look() is True
        clock.now += timedelta(hours=1)
        assert await worker.look() is False
    [notice] = await heard(redis_url)
    assert (notice.task_id, notice.user_id) == (task_id, user_id)


async def test_what_fell_due_while_no_worker_ran_is_told_when_one_is_back(database: Database, redis_url: str) -> None:
    due(database, NOW - timedelta(days=3))
    async with published(redis_url) as notices:
        assert await Reminding(database, notices, Clock()).look() is True
    assert len(await heard(redis_url)) == 1


async def test_several_workers_tell_it_and_the_records_note_it_once(database: Database, redis_url: str) -> None:
    task_id, _ = due(database)
    async with published(redis_url) as one, published(redis_url) as other:
        workers = [Reminding(database, notices, Clock()) for notices in (one, other)]
        await asyncio.gather(*(worker.look() for worker in workers))
        assert [await worker.look() for worker in workers] == [False, False]
    assert {notice.task_id for notice in await heard(redis_url)} == {task_id}
    with reading(database) as session:
        assert session.scalar(select(Task.told_at)) == NOW


async def test_while_redis_is_away_nothing_is_noted_and_it_is_told_when_redis_is_back(
    database: Database, breakable_redis: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminding, "SENT_S", 0.3)
    due(database)
    async with published(breakable_redis.url) as notices:
        await notices.snapshot()
        kill(breakable_redis.pid)
        worker = Reminding(database, notices, Clock())
        assert await worker.look() is False
        with reading(database) as session:
            assert session.scalar(select(Task.told_at)) is None
        breakable_redis.start()
        monkeypatch.setattr(reminding, "SENT_S", 30)
        assert await worker.look() is True
    assert len(await heard(breakable_redis.url)) >= 1


async def test_the_workers_process_tells_it(company: tuple[Settings, People], redis_url: str) -> None:
    settings, people = company
    settings = replace(settings, store=replace(settings.store, redis_url=redis_url))
    database = open_database(settings.database_url)
    with writing(database) as session:
        task, _ = tasks.add_task(session, "Call back", user_id=people.dara, due_at=NOW)
    database.dispose()
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(settings, stop))
    async with asyncio.timeout(60):
        while not (told := await heard(redis_url)):
            await asyncio.sleep(0.05)
    stop.set()
    await working
    assert [notice.task_id for notice in told] == [task.id]


async def test_a_task_that_is_snoozed_while_it_is_told_comes_up_again(database: Database, redis_url: str) -> None:
    clock = Clock()
    task_id, _ = due(database)
    async with published(redis_url) as notices:
        worker = Reminding(database, notices, clock)
        publish = notices.publish

        def snooze_first(notice: Notice) -> None:
            with writing(database) as session:
                tasks.snooze_task(session, task_id, NOW + timedelta(minutes=10))
            publish(notice)

        notices.publish = snooze_first  # type: ignore[method-assign]
        await worker.look()
        notices.publish = publish  # type: ignore[method-assign]
        assert await worker.look() is False
        clock.now += timedelta(minutes=10)
        assert await worker.look() is True
    assert len(await heard(redis_url)) == 2


# --- what the desk tells


@pytest.fixture
async def running(company: tuple[Settings, People], redis_url: str) -> AsyncIterator[tuple[RunningDesk, str]]:
    settings, people = company
    async with opened(settings, people, redis_url) as desk, served(desk) as address:
        yield desk, address


async def of_kind(events: AsyncIterator[Event], kind: str) -> dict[str, Any]:
    while True:
        [event] = await the_next(events)
        if event.kind == kind:
            return event.data


async def test_it_comes_up_to_the_person_responsible_and_to_nobody_else(running: tuple[RunningDesk, str]) -> None:
    desk, address = running
    with writing(desk.database()) as session:
        for user, title in ((desk.people.mony, "Mony's"), (desk.people.dara, "Dara's")):
            tasks.add_task(
                session, title, user_id=user, customer_id=desk.people.rithy, due_at=NOW - timedelta(days=user)
            )
    async with signed_in(address, "dara") as dara, dara.events(await dara.now()) as events:
        assert await Reminding(desk.database(), desk.notices).look() is True
        told = await of_kind(events, "task_due")
        assert (told["task"]["title"], told["up"], told["call_id"]) == ("Dara's", True, None)
        assert told["task"]["customer_name"] == "Sok Rithy"
        assert told["at"].endswith("Z")
        assert "html" not in told
        done = await dara.client.post(f"/api/v1/tasks/{told['task_id']}/done", json={})
        assert done.status_code == 200
        gone = await of_kind(events, "task_due")  # Mony's was told before, and not to Dara
        assert (gone["task_id"], gone["up"], gone["task"]) == (told["task_id"], False, None)


async def test_who_was_not_there_finds_it_at_the_next_sign_in_until_there_is_a_word_on_it(
    running: tuple[RunningDesk, str],
) -> None:
    desk, address = running
    with writing(desk.database()) as session:
        task, _ = tasks.add_task(session, "Call back", user_id=desk.people.dara, due_at=NOW)
    await Reminding(desk.database(), desk.notices).look()
    async with signed_in(address, "dara") as dara:
        for _ in range(2):
            assert "Call back" in (await dara.client.get("/pieces/reminders")).text
        await dara.client.post(f"/api/v1/tasks/{task.id}/put-away", json={})
        assert (await dara.client.get("/pieces/reminders")).text == ""


async def test_a_notice_that_comes_after_the_task_was_done_shows_nothing(running: tuple[RunningDesk, str]) -> None:
    desk, address = running
    with writing(desk.database()) as session:
        task, _ = tasks.add_task(session, "Call back", user_id=desk.people.dara, due_at=NOW)
        tasks.finish_task(session, task.id)
    async with signed_in(address, "dara") as dara, dara.events(await dara.now()) as events:
        desk.notices.publish(Notice("task_due", 1, None, None, task.id, desk.people.dara))
        assert (await of_kind(events, "task_due"))["up"] is False


async def test_while_the_database_is_away_the_page_is_told_to_ask_again(
    running: tuple[RunningDesk, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, address = running

    async def gone(*_: Any, **__: Any) -> Any:
        raise DatabaseGone("away")

    async with signed_in(address, "dara") as dara, dara.events(await dara.now()) as events:
        await dara.client.get("/api/v1/me")
        monkeypatch.setattr(Store, "read", gone)
        answer = await dara.client.get("/pieces/reminders")
        assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (200, "", "5")
        desk.notices.publish(Notice("task_due", 1, None, None, 1, desk.people.dara))
        told = await of_kind(events, "task_due")
        assert (told["up"], told["task"]) == (True, None)
