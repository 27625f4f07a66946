"""Tasks, notes and calendars at the desk: pages and the API, for those who may, and what others must not see."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import vobject
from sqlalchemy import func, select

from config.card_fields import Field
from config.settings import Settings
from records import routing
from records.database import reading, writing
from records.tables import Note, Task, User
from records.users import add_user, deactivate
from tests.fixtures.desk import (
    HOSTILE_NAME,
    KHMER,
    PASSWORD,
    RITHY,
    People,
    RunningDesk,
    Visitor,
    alive,
    live_call,
    opened,
)

TASKS = "/api/v1/tasks"
OVERSEERS = ("supervisor", "administrator")


def soon(**delta: int) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextlib.asynccontextmanager
async def coming(desk: RunningDesk, user_id: int) -> AsyncIterator[Visitor]:
    async with Visitor(desk.app) as visitor:
        yield await visitor.has_session(desk, user_id)


async def made(visitor: Visitor, title: str = "Call back", **fields: Any) -> dict[str, Any]:
    answer = await visitor.post(TASKS, json={"title": title, **fields})
    assert answer.status_code == 201, answer.text
    task: dict[str, Any] = answer.json()
    return task


async def titles(visitor: Visitor, **query: Any) -> list[str]:
    answer = await visitor.get(TASKS, params=query)
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


def problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    return detail


# --- the API


async def test_a_task_is_made_listed_changed_and_done(dara: Visitor, desk: RunningDesk) -> None:
    task = await made(dara, due_at="2030-03-10T16:30", customer_id=desk.people.rithy, repeats="weekly")
    assert (task["due_at"], task["repeats"]) == ("2030-03-10T09:30:00.000Z", "weekly")  # Phnom Penh's clock
    assert (task["responsible"], task["customer_name"], task["created_by"]) == ("Dara Chan", "Sok Rithy", "Dara Chan")
    assert await titles(dara) == ["Call back", "Send the invoice"]  # without a date: last
    assert await titles(dara, customer_id=desk.people.rithy) == ["Call back", "Send the invoice"]
    assert await titles(dara, due_before="2030-03-11") == ["Call back"]
    assert await titles(dara, due_before="2030-03-10T09:29:00Z") == []

    address = f"{TASKS}/{task['task_id']}"
    read = await dara.get(address)
    changes = {"title": "Write", "due_at": "2030-03-12T08:00:00+02:00", "user_id": desk.people.mony}
    changed = await dara.patch(address, json=changes, headers={"If-Match": read.headers["etag"]})
    assert changed.status_code == 200
    told = changed.json()
    assert (told["title"], told["due_at"], told["responsible"]) == ("Write", "2030-03-12T06:00:00.000Z", "Mony Keo")
    assert changed.headers["etag"] != read.headers["etag"]
    assert "somebody changed this task" in problem(
        await dara.patch(address, json={"title": "x"}, headers={"If-Match": read.headers["etag"]}), 412
    )
    assert "If-Match" in problem(await dara.patch(address, json={"title": "x"}), 428)

    for _ in range(2):
        assert (await dara.post(f"{address}/done", json={})).json()["state"] == "done"
    following = (await dara.get(TASKS, params={"user_id": desk.people.mony})).json()["items"]
    assert [(one["title"], one["due_at"]) for one in following] == [("Write", "2030-03-19T06:00:00.000Z")]
    etag = (await dara.get(address)).headers["etag"]
    assert (await dara.patch(address, json={"state": "open"}, headers={"If-Match": etag})).json()["state"] == "open"


async def test_the_card_of_a_call_that_rings_shows_the_new_task_and_that_it_is_done(
    dara: Visitor, desk: RunningDesk
) -> None:
    await desk.publish(live_call(KHMER, "101", customers=(desk.people.khmer,)))

    async def last_task() -> tuple[str, str] | None:
        [call] = (await dara.get("/api/v1/live")).json()["calls"]
        shown = call["card"]["customers"][0]["last_task"]
        return shown and (shown["title"], shown["state"])

    assert await last_task() is None
    task = await made(dara, customer_id=desk.people.khmer)
    assert await last_task() == ("Call back", "open")
    await dara.post(f"{TASKS}/{task['task_id']}/done", json={})
    assert await last_task() == ("Call back", "done")


async def test_a_list_in_pages_holds_every_task_once(dara: Visitor) -> None:
    for number in range(5):
        await made(dara, str(number), due_at=soon(days=number + 1))
    seen, after = [], ""
    while True:
        page = (await dara.get(TASKS, params={"limit": 2, "after": after})).json()
        seen += [task["title"] for task in page["items"]]
        if not (after := page["next"]):
            break
    assert seen == ["0", "1", "2", "3", "4", "Send the invoice"]
    assert "begin at the first" in problem(await dara.get(TASKS, params={"after": "nonsense"}), 422)


async def test_the_same_request_with_the_same_key_makes_one_task(dara: Visitor, desk: RunningDesk) -> None:
    body, key = {"title": "Once", "due_at": soon(hours=1)}, {"Idempotency-Key": "b1"}
    first, second = [await dara.post(TASKS, json=body, headers=key) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    other = await dara.post(TASKS, json={**body, "title": "Other"}, headers=key)
    assert "used for another request" in problem(other, 422)
    async with coming(desk, desk.people.mony) as mony:
        assert (await mony.post(TASKS, json=body, headers=key)).status_code == 201  # their own key


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"title": " "}, 422, "needs a title"),
        ({"title": "x", "due_at": "tomorrow"}, 422, "write it like 2026-04-14"),
        ({"title": "x", "due_at": "2026-02-30"}, 422, "write it like 2026-04-14"),
        ({"title": "x", "due_at": "0001-01-01T00:00:00+14:00"}, 422, "write it like 2026-04-14"),
        ({"title": "x", "repeats": "weekly"}, 422, "needs a date"),
        ({"title": "x", "repeats": "yearly", "due_at": "2030-01-01"}, 422, "repeats"),
        ({"title": "x", "customer_id": 999_999}, 404, "no customer"),
        ({"title": "x", "user_id": 999_999}, 404, "no person"),
        ({"title": "x", "call_id": "nothing"}, 404, "no such call"),
        ({"title": "x", "shoe_size": 43}, 422, "shoe_size"),
    ],
)
async def test_what_cannot_be_kept_is_refused_in_words(
    dara: Visitor, body: dict[str, Any], status: int, said: str
) -> None:
    assert said in problem(await dara.post(TASKS, json=body), status)
    assert await titles(dara) == ["Send the invoice"]


async def test_a_day_alone_is_that_days_morning_by_the_calendar(dara: Visitor, desk: RunningDesk) -> None:
    assert (await made(dara, due_at="2030-03-11"))["due_at"] == "2030-03-11T02:00:00.000Z"  # nine, for want of one
    with writing(desk.database()) as session:
        routing.save_calendar(session, None, "Mon-Fri 07:30-16:00", "", "")
    assert (await made(dara, due_at="2030-03-11"))["due_at"] == "2030-03-11T00:30:00.000Z"


async def test_tomorrow_is_the_next_working_morning_of_whose_task_it_is(dara: Visitor, desk: RunningDesk) -> None:
    task = await made(dara, due_at="2020-03-10")
    with writing(desk.database()) as session:
        routing.save_calendar(session, None, "daily 06:15-16:00", "", "")
    snoozed = await dara.post(f"{TASKS}/{task['task_id']}/snooze", json={"until": "tomorrow"})
    until = datetime.fromisoformat(snoozed.json()["snoozed_to"])
    assert f"{until:%H:%M}" == "23:15"  # 06:15 in Phnom Penh
    assert timedelta() < until - datetime.now(UTC) < timedelta(days=2)
    assert snoozed.json()["due_at"] == task["due_at"]
    assert "write one of 10m, 1h, tomorrow" in problem(
        await dara.post(f"{TASKS}/{task['task_id']}/snooze", json={"until": "never"}), 422
    )


# --- who may


async def test_whoever_may_not_see_a_task_learns_nothing_of_it(
    company: tuple[Settings, People], redis_url: str
) -> None:
    settings, people = company
    settings = replace(settings, fields={"last_task": Field(roles=OVERSEERS), "note": Field(roles=OVERSEERS)})
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(opened(settings, people, redis_url))
        await stack.enter_async_context(alive(desk))
        dara = await stack.enter_async_context(coming(desk, people.dara))
        mony = await stack.enter_async_context(coming(desk, people.mony))
        sophea = await stack.enter_async_context(coming(desk, people.sophea))
        task = await made(dara, "Hush-hush", customer_id=people.rithy, due_at="2020-01-01")
        await dara.post(f"/api/v1/customers/{people.rithy}/notes", json={"text": "pssst-pssst"})
        address = f"{TASKS}/{task['task_id']}"
        for ask in (
            mony.get(address),
            mony.patch(address, json={"title": "Mine"}, headers={"If-Match": '"x"'}),
            mony.post(f"{address}/done", json={}),
            mony.post(f"{address}/snooze", json={"until": "1h"}),
            mony.post(f"{address}/put-away", json={}),
        ):
            assert "not yours to see" in problem(await ask, 404)
        assert (await mony.get(f"/tasks/{task['task_id']}")).status_code == 404
        assert await titles(mony, customer_id=people.rithy) == await titles(mony, user_id=people.dara) == []
        customer = f"/customers/{people.rithy}"
        for path in (
            customer,
            f"/api/v1{customer}",
            f"/api/v1{customer}/notes",
            "/tasks?of=others",
            "/pieces/reminders",
        ):
            answer = await mony.get(path)
            assert answer.status_code == 200
            assert "ush-hush" not in answer.text, path
            assert "pssst" not in answer.text, path
        assert "pssst-pssst" in (await dara.get(customer)).text  # one's own
        for path in (customer, "/tasks?of=others"):
            assert "Hush-hush" in (await sophea.get(path)).text, path
        assert "pssst-pssst" in (await sophea.get(customer)).text


async def test_an_agent_sees_a_customers_tasks_and_changes_own_and_nobodys_only(
    dara: Visitor, desk: RunningDesk
) -> None:
    async with coming(desk, desk.people.mony) as mony:
        task = await made(mony, customer_id=desk.people.rithy)
        free = await made(mony, "Whose?", customer_id=desk.people.rithy, user_id=None)
        assert set(await titles(dara, customer_id=desk.people.rithy)) == {"Send the invoice", "Call back", "Whose?"}
        assert "somebody else's" in problem(await dara.post(f"{TASKS}/{task['task_id']}/done", json={}), 403)
        page = (await dara.get(f"/tasks/{task['task_id']}")).text
        assert "Call back" in page
        assert 'name="title"' not in page
        assert (await dara.post(f"{TASKS}/{free['task_id']}/done", json={})).status_code == 200


async def test_a_task_is_handed_to_somebody_else_who_sees_it_among_theirs(dara: Visitor, desk: RunningDesk) -> None:
    task = await made(dara, due_at="2020-01-01")
    etag = (await dara.get(f"{TASKS}/{task['task_id']}")).headers["etag"]
    await dara.patch(f"{TASKS}/{task['task_id']}", json={"user_id": desk.people.mony}, headers={"If-Match": etag})
    async with coming(desk, desk.people.mony) as mony:
        assert await titles(mony) == ["Call back"]
        assert "Call back" in (await mony.get("/pieces/reminders")).text  # and it comes up to them
    assert "Call back" not in (await dara.get("/pieces/reminders")).text
    assert "Call back" in (await dara.get("/tasks?of=others")).text


async def test_a_supervisor_sees_the_team_and_no_other(desk: RunningDesk, dara: Visitor) -> None:
    await made(dara, "Of Sales")
    with reading(desk.database()) as session:
        alone = session.scalar(select(User.id).where(User.login == "alone"))
    assert alone
    async with coming(desk, desk.people.sophea) as sophea, coming(desk, alone) as other:
        assert "Of Sales" in (await sophea.get("/tasks?of=others")).text
        assert "Of Sales" not in (await other.get("/tasks?of=others")).text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", TASKS),
        ("POST", TASKS),
        ("GET", "/api/v1/customers/1/notes"),
        ("POST", "/api/v1/calls/x/notes"),
        ("POST", f"{TASKS}/1/done"),
    ],
)
async def test_strangers_and_other_sites_get_nothing(stranger: Visitor, dara: Visitor, method: str, path: str) -> None:
    body = None if method == "GET" else {"title": "x"}
    assert (await stranger.request(method, path, json=body)).status_code == 401
    if body:
        foreign = {"Origin": "https://evil.example"}
        assert (await dara.request(method, path, json=body, headers=foreign)).status_code == 403


# --- pages


def fields(**more: str) -> dict[str, str]:
    return {"title": "Call", "day": "", "at": "", "repeats": "", "user": "", "customer": "", **more}


async def test_the_page_groups_what_is_to_be_done(dara: Visitor, desk: RunningDesk) -> None:
    me = str(desk.people.dara)
    for title, day in (("Ago", "2020-03-10"), ("Ahead", "2040-03-10"), ("Some time", "")):
        answer = await dara.post("/tasks", data=fields(title=title, day=day, user=me))
        assert (answer.status_code, answer.headers["location"]) == (303, "/tasks")
    page = (await dara.get("/tasks")).text
    order = [page.index(f">{text}<") for text in ("Ago", "Ahead", "Send the invoice", "Some time")]
    assert order == sorted(order)
    assert re.findall(r'<h2 id="group-(\w+)"', page) == ["overdue", "later", "undated"]


async def test_the_first_page_lists_what_is_to_be_done_today(dara: Visitor, desk: RunningDesk) -> None:
    await made(dara, "Ago", due_at="2020-03-10")
    await made(dara, "Ahead", due_at="2040-03-10")
    await made(dara, "Mony's", due_at="2020-03-10", user_id=desk.people.mony)
    for path in ("/", "/pieces/today"):
        page = (await dara.get(path)).text.partition("To be done today")[2]
        assert "Ago" in page
        assert "Ahead" not in page
        assert "Mony&#39;s" not in page


async def test_a_task_of_somebody_who_has_left_stays_theirs_until_it_is_given_to_another(desk: RunningDesk) -> None:
    async with coming(desk, desk.people.sophea) as sophea:
        task = await made(sophea, user_id=desk.people.dara)
        with writing(desk.database()) as session:
            deactivate(session, desk.people.dara)
        page = (await sophea.get(f"/tasks/{task['task_id']}")).text
        assert f'<option value="{desk.people.dara}" selected>Dara Chan</option>' in page
        mark = re.search(r'name="mark" value="(\w+)"', page)
        assert mark
        typed = {**fields(title="Other", user=str(desk.people.dara)), "mark": mark[1]}
        assert (await sophea.post(f"/tasks/{task['task_id']}", data=typed)).status_code == 303
        assert "has left" in problem(await sophea.post(TASKS, json={"title": "x", "user_id": desk.people.dara}), 422)


async def test_a_task_is_changed_finished_and_opened_again_on_pages(dara: Visitor, desk: RunningDesk) -> None:
    me, rithy = str(desk.people.dara), str(desk.people.rithy)
    typed = fields(day="2030-01-31", at="09:15", repeats="monthly", user=me, customer=rithy)
    back = f"/customers/{rithy}#tasks"
    assert (await dara.post("/tasks", data={**typed, "back": back})).headers["location"] == back
    [task] = [one for one in (await dara.get(TASKS)).json()["items"] if one["title"] == "Call"]
    address = f"/tasks/{task['task_id']}"
    page = (await dara.get(address)).text
    for shown in ('value="2030-01-31"', 'value="09:15"', "on the 31st of each month, or its last day", "Sok Rithy"):
        assert shown in page
    mark = re.search(r'name="mark" value="(\w+)"', page)
    assert mark
    changed = {**typed, "title": "Call <b>twice</b>", "mark": mark[1]}
    assert (await dara.post(address, data=changed)).status_code == 303
    page = (await dara.get(f"/customers/{rithy}")).text
    assert "Call &lt;b&gt;twice&lt;/b&gt;" in page
    assert (await dara.post(f"{address}/done", data={"back": back})).headers["location"] == back
    assert "Call &lt;b&gt;twice&lt;/b&gt;" in (await dara.get("/tasks?of=done")).text
    [following] = [one for one in (await dara.get(TASKS)).json()["items"] if "twice" in one["title"]]
    assert following["due_at"] == "2030-02-28T02:15:00.000Z"
    assert (await dara.post(f"{address}/reopen", data={"back": "//evil.example"})).headers["location"] == "/"
    assert (await dara.get(f"{TASKS}/{task['task_id']}")).json()["state"] == "open"


async def test_what_cannot_be_kept_comes_back_as_it_was_typed(dara: Visitor, desk: RunningDesk) -> None:
    for wrong, said in (
        ({"title": "  ", "day": "2030-01-31"}, "needs a title"),
        ({"at": "09:15"}, "a time needs a day"),
        ({"repeats": "weekly"}, "needs a date"),
    ):
        answer = await dara.post("/tasks", data=fields(customer=str(desk.people.rithy), **wrong))
        assert answer.status_code == 422
        assert said in answer.text
        assert f'value="{desk.people.rithy}" data-pick-id' in answer.text
    task = await made(dara)
    address = f"/tasks/{task['task_id']}"
    answer = await dara.post(address, data={**fields(title="Later"), "mark": "of before"})
    assert answer.status_code == 409
    assert "changed this task meanwhile" in answer.text
    assert (await dara.post("/tasks", data=fields(user="1 OR 1=1"))).status_code == 422


async def test_an_untouched_date_stays_to_the_second(dara: Visitor, desk: RunningDesk) -> None:
    task = await made(dara, due_at="2030-01-31T02:15:42.5Z")
    page = (await dara.get(f"/tasks/{task['task_id']}")).text
    mark = re.search(r'name="mark" value="(\w+)"', page)
    assert mark
    typed = fields(title="Other", day="2030-01-31", at="09:15", user=str(desk.people.dara))
    assert (await dara.post(f"/tasks/{task['task_id']}", data={**typed, "mark": mark[1]})).status_code == 303
    assert (await dara.get(f"{TASKS}/{task['task_id']}")).json()["due_at"] == "2030-01-31T02:15:42.500Z"


async def test_a_hostile_title_and_note_are_text_wherever_they_stand(dara: Visitor, desk: RunningDesk) -> None:
    customer = f"/customers/{desk.people.khmer}"
    call = live_call(KHMER, "101", customers=(desk.people.khmer,))
    await desk.publish(call)
    task = await made(dara, HOSTILE_NAME, customer_id=desk.people.khmer, due_at="2020-01-01", call_id=call.call_id)
    assert (await dara.post(f"/api/v1/calls/{call.call_id}/notes", json={"text": HOSTILE_NAME})).status_code == 201
    for path in ("/", "/tasks", f"/tasks/{task['task_id']}", "/pieces/reminders", customer, "/tasks?of=others"):
        answer = await dara.get(path)
        assert answer.status_code == 200
        assert "<script>document" not in answer.text, path
        assert "<img src=x" not in answer.text, path


# --- notes


async def test_a_note_of_a_live_call_is_on_the_page_of_its_customer(dara: Visitor, desk: RunningDesk) -> None:
    call = live_call(RITHY, "101", customers=(desk.people.rithy,))
    await desk.publish(call)
    address, key = f"/api/v1/calls/{call.call_id}/notes", {"Idempotency-Key": "n1"}
    first, again = [await dara.post(address, json={"text": "Wants\na price"}, headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    note = first.json()
    assert (note["text"], note["written_by"], note["customer_id"]) == ("Wants\na price", "Dara Chan", desk.people.rithy)
    assert (await dara.get(address)).json()["items"] == [note]
    assert (await dara.get(f"/api/v1/customers/{desk.people.rithy}/notes")).json() == {"items": [note], "next": ""}
    assert "Wants\na price" in (await dara.get(f"/customers/{desk.people.rithy}")).text


async def test_a_note_of_a_call_in_the_log_is_written_on_its_page(dara: Visitor, desk: RunningDesk) -> None:
    [call, *_] = (await dara.get("/api/v1/calls")).json()["items"]
    page = f"/calls/{call['call_id']}"
    answer = await dara.post(f"{page}/notes", data={"text": "Was in a hurry"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{page}#notes")
    assert "Was in a hurry" in (await dara.get(page)).text
    customer = f"/customers/{desk.people.rithy}"
    assert "Was in a hurry" in (await dara.get(customer)).text
    assert (await dara.post(f"{customer}/notes", data={"text": "Pays late"})).status_code == 303
    html = (await dara.get(customer)).text
    assert html.index("Pays late") < html.index("Was in a hurry")
    assert (await dara.post(f"{customer}/notes", data={"text": " "})).status_code == 422
    assert (await dara.post("/customers/999999/notes", data={"text": "x"})).status_code == 404


async def test_a_call_that_one_may_not_see_takes_no_note_and_tells_none(dara: Visitor, desk: RunningDesk) -> None:
    call = live_call(KHMER, "102", customers=(desk.people.khmer,))
    await desk.publish(call)
    address = f"/api/v1/calls/{call.call_id}/notes"
    async with coming(desk, desk.people.mony) as mony:
        assert (await mony.post(address, json={"text": "x"})).status_code == 201
    assert "not yours to see" in problem(await dara.post(address, json={"text": "y"}), 404)
    assert "not yours to see" in problem(await dara.get(address), 404)
    assert "not yours to see" in problem(await dara.post(TASKS, json={"title": "x", "call_id": call.call_id}), 404)
    with reading(desk.database()) as session:
        assert session.scalar(select(func.count()).select_from(Note)) == 1


async def test_a_task_made_during_a_call_keeps_the_call_and_takes_its_customer(
    dara: Visitor, desk: RunningDesk
) -> None:
    call = live_call(KHMER, "101", customers=(desk.people.khmer,))
    await desk.publish(call)
    task = await made(dara, call_id=call.call_id)
    assert (task["call_id"], task["customer_id"]) == (call.call_id, desk.people.khmer)
    assert await titles(dara, call_id=call.call_id) == ["Call back"]


# --- the calendar


def address(html: str) -> str:
    found = re.search(r'value="http://desk.test(/tasks/calendar/[^"]+\.ics)"', html)
    return found[1] if found else ""


async def test_a_calendar_has_ones_open_tasks_with_a_date(dara: Visitor, stranger: Visitor, desk: RunningDesk) -> None:
    long = "Bring, if it is dry; \\ ទិញអង្ករ " * 6
    await made(dara, long, due_at="2030-03-10T16:30", customer_id=desk.people.khmer)
    await made(dara, "a\r\nBEGIN:VALARM", due_at="2030-03-11")
    await made(dara, "Done", due_at="2030-03-11")
    await made(dara, "Mony's", due_at="2030-03-11", user_id=desk.people.mony)
    for task in (await dara.get(TASKS)).json()["items"]:
        if task["title"] == "Done":
            await dara.post(f"{TASKS}/{task['task_id']}/done", json={})
    assert address((await dara.get("/tasks")).text) == ""
    assert (await dara.post("/tasks/calendar/renew")).status_code == 303
    path = address((await dara.get("/tasks")).text)
    answer = await stranger.get(path)  # a calendar program has no session
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert all(len(line.encode()) <= 75 for line in answer.text.split("\r\n"))
    events = vobject.readOne(answer.text).vevent_list
    assert [event.summary.value for event in events] == [
        f"{' '.join(long.split())} (សុខ ចាន់ដារា)",
        "a BEGIN:VALARM",
    ]
    assert events[0].dtstart.value == datetime(2030, 3, 10, 9, 30, tzinfo=UTC)
    assert KHMER not in answer.text
    assert len({event.uid.value for event in events}) == 2


async def test_another_address_and_the_old_one_leads_nowhere(dara: Visitor, stranger: Visitor) -> None:
    await dara.post("/tasks/calendar/renew")
    old = address((await dara.get("/tasks")).text)
    await dara.post("/tasks/calendar/renew")
    new = address((await dara.get("/tasks")).text)
    assert old != new
    assert (await stranger.get(old)).status_code == 404
    assert (await stranger.get(new)).status_code == 200
    await dara.post("/tasks/calendar/end")
    assert (await stranger.get(new)).status_code == 404


async def test_an_address_that_was_guessed_or_is_of_somebody_who_left_leads_nowhere(
    dara: Visitor, stranger: Visitor, desk: RunningDesk
) -> None:
    await dara.post("/tasks/calendar/renew")
    path = address((await dara.get("/tasks")).text)
    of_mony = path.replace(f"/{desk.people.dara}-", f"/{desk.people.mony}-")
    for guessed in (of_mony, path[:-5] + ".ics", "/tasks/calendar/x.ics", "/tasks/calendar/%F0%9F%98%80-1.ics"):
        assert (await stranger.get(guessed)).status_code == 404
    with writing(desk.database()) as session:
        deactivate(session, desk.people.dara)
    desk.app.state.services.people.forget()
    assert (await stranger.get(path)).status_code == 404


# --- on PostgreSQL


async def test_all_of_it_holds_on_postgresql(
    company: tuple[Settings, People], redis_url: str, postgres_url: str
) -> None:
    settings, people = company
    settings = replace(settings, store=replace(settings.store, database_url=postgres_url))
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(opened(settings, people, redis_url))
        with writing(desk.database()) as session:
            user = add_user(session, "dara", "Dara Chan", PASSWORD)
        await stack.enter_async_context(alive(desk))
        dara = await stack.enter_async_context(coming(desk, user.id))
        task = await made(dara, due_at="2020-03-10", repeats="workdays")
        key = {"Idempotency-Key": "k"}
        for status in (201, 200):
            assert (await dara.post(TASKS, json={"title": "Once"}, headers=key)).status_code == status
        assert "Call back" in (await dara.get("/pieces/reminders")).text
        assert (await dara.post(f"{TASKS}/{task['task_id']}/snooze", json={"until": "10m"})).status_code == 200
        assert (await dara.get("/pieces/reminders")).text == ""
        assert (await dara.post(f"{TASKS}/{task['task_id']}/done", json={})).status_code == 200
        assert (await dara.get("/tasks")).text.count("Call back") > 0  # the next
        assert "Call back" in (await dara.get("/tasks?of=done")).text
        with reading(desk.database()) as session:
            assert session.scalar(select(func.count()).select_from(Task)) == 3
