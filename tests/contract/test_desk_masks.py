"""What a role may not see is at no address of the desk, in no event, and cannot be found out by asking for it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from starlette.requests import HTTPConnection

from config.card_fields import BUILT_IN, Field
from config.settings import Settings
from desk.announce import Audience
from lookup.links import make
from records import customers
from records.customers import change_customer
from records.database import writing
from records.orders import add_order
from records.tables import CustomerChange, Note, Task
from records.users import add_user
from tests.fixtures.desk import PASSWORD, RITHY, SECRET, People, RunningDesk, Visitor, _read, alive, live_call, opened
from tests.hostile import STREAM, Trap, fill, routes

OVERSEERS = ("supervisor", "administrator")
MASKED = {name: Field(roles=OVERSEERS) for name in BUILT_IN} | {"hidden": Field(roles=OVERSEERS)}
OTHER = "+85599111222"
SECRETS = {
    "company": "Zebra Holding",
    "email": "hush@zebra.example",
    "address": "9 Zebra Lane",
    "note": "zebra in the note",
    "hidden": "zebra of our own",
    "debt": "9,876.54",
    "debt in the API": "987654",
    "order": "ZEBRA-1",
    "task": "zebra to feed",
    "note of a colleague": "zebra was seen",
    "another number": "99 111 222",
    "another number in the API": "99111222",
}


@dataclass
class Zoo:
    desk: RunningDesk
    trap: Trap
    dara: Visitor
    sophea: Visitor
    guest: Visitor

    @property
    def rithy(self) -> int:
        return self.desk.people.rithy


@pytest.fixture
async def zoo(company: tuple[Settings, People], redis_url: str) -> AsyncIterator[Zoo]:
    """Agents see nothing but names; Rithy, who calls Dara now, has a secret in every field."""
    settings, people = company
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(opened(replace(settings, fields=MASKED), people, redis_url))
        trap = fill(desk)
        _hide(desk, people)
        await stack.enter_async_context(alive(desk))
        visitors = []
        for user_id in (people.dara, people.sophea, trap.people["none"]):
            visitor = await stack.enter_async_context(Visitor(desk.app))
            visitors.append(await visitor.has_session(desk, user_id))
        await desk.publish(live_call(RITHY, "101", "104", customers=(people.rithy,)))
        yield Zoo(desk, trap, *visitors)


def _hide(desk: RunningDesk, people: People) -> None:
    now = datetime.now(UTC)
    texts = {name: SECRETS[name] for name in ("company", "email", "address", "note")}
    with writing(desk.database()) as session:
        keeper = add_user(session, "keeper", "Keeper of Zebras", PASSWORD, role="supervisor", team="Zoo")
        custom = {"hidden": SECRETS["hidden"]}
        change_customer(session, people.rithy, {**texts, "debt_minor": 987654, "custom": custom}, None, keeper.id)
        customers.attach_number(session, _read, people.rithy, OTHER, "work", keeper.id)
        add_order(session, people.rithy, "ZEBRA-1", "Hay", total_minor=987654)
        due = now - timedelta(hours=2)
        task = {"customer_id": people.rithy, "user_id": people.sophea, "due_at": due, "created_at": now}
        session.add(Task(title=SECRETS["task"], **task))
        session.add(Note(text="zebra was seen", customer_id=people.rithy, user_id=people.sophea, created_at=now))
        session.add(CustomerChange(customer_id=people.rithy, at=now, field="note", before=None, after=SECRETS["note"]))


async def everything_told(zoo: Zoo, visitor: Visitor, user_id: int) -> str:
    """Every answer with Rithy in its address, the lists, and what the stream of events says."""
    ids = {**zoo.trap.ids, "customer_id": str(zoo.rithy), "call_id": "answered", "number": RITHY}
    ids["token"] = make(SECRET, "card", zoo.rithy, "call", int(datetime.now(UTC).timestamp()) + 600)
    told = []
    for method, route in routes():
        if method == "GET" and route.path != STREAM:
            answer = await visitor.get(replace(zoo.trap, ids=ids).address(route.path))
            assert answer.status_code < 500, route.path
            told.append(f"{route.path} {dict(answer.headers)} {answer.text}")
    contact = make(SECRET, "vcard", zoo.rithy, "call", int(datetime.now(UTC).timestamp()) + 600)
    told.append("phone " + (await visitor.get(f"/v/{contact}.vcf")).text)
    services = zoo.desk.app.state.services
    account = await services.people.account(user_id)
    with services.hub.subscribe("") as subscription:
        event = await subscription.next(5)
        for pieces in (HTTPConnection({"type": "http", "headers": [], "app": zoo.desk.app}), None):
            messages = await Audience(services, account.reader, pieces).messages(event)
            told += [f"events {message.decode()}" for message in messages]
    return "\n".join(told)


async def test_what_a_role_may_not_see_is_told_nowhere(zoo: Zoo) -> None:
    seen = await everything_told(zoo, zoo.sophea, zoo.desk.people.sophea)
    assert [name for name, secret in SECRETS.items() if secret not in seen] == [], "or nothing is hidden below"
    for visitor, user_id in ((zoo.dara, zoo.desk.people.dara), (zoo.guest, zoo.trap.people["none"])):
        told = await everything_told(zoo, visitor, user_id)
        for name, secret in SECRETS.items():
            found = [line.split()[0] for line in told.split("\n") if secret.lower() in line.lower()]
            assert found == [], f"{name} in {found}"


def results(page: str) -> str:
    """The list of a page, without the calls in its corner."""
    return page.partition('id="results"')[2].partition("</main>")[0]


async def test_nobody_is_found_by_a_part_of_what_the_finder_may_not_see(zoo: Zoo) -> None:
    """Also by digits from the middle of a number."""
    found_by = set()
    for typed in (*SECRETS.values(), "Zebra", "99111", "111222", OTHER, "Keeper", "zebra.example"):
        for path in ("/api/v1/customers", "/api/v1/customers/suggest", "/customers"):
            for visitor in (zoo.dara, zoo.guest, zoo.sophea):
                answer = await visitor.get(f"{path}?q={quote(typed)}")
                assert answer.status_code == 200
                is_found = "Rithy" in (results(answer.text) if path == "/customers" else answer.text)
                assert visitor is zoo.sophea or not is_found, f"{path} {typed}"
                found_by |= {typed} if is_found else set()
    assert {"Zebra Holding", "zebra.example", "99111", "ZEBRA-1"} <= found_by, "or nobody finds by these"


async def test_no_list_is_drawn_by_what_the_reader_may_not_see(zoo: Zoo) -> None:
    for asked in ("owes=yes", "manager=me", "manager=nobody", "task=open"):
        for path in ("/customers", "/api/v1/customers"):
            assert (await zoo.dara.get(f"{path}?{asked}")).status_code == 403, path


async def test_whose_a_hidden_number_is_nobody_finds_out_by_asking(zoo: Zoo) -> None:
    """It is no oracle: a role that is not shown numbers is told of the one that calls, and of no other."""
    hidden, calls = quote(OTHER), quote(RITHY)
    customer = f"/customers/{zoo.rithy}"
    choose: dict[str, Any] = {"json": {"customer_id": zoo.rithy}}
    led = await zoo.dara.get(f"/customers/by-number/{hidden}")
    assert led.headers["location"] == f"/customers?q={hidden}"
    assert "Rithy" not in results((await zoo.dara.get(led.headers["location"])).text)
    for method, path, sent in (
        ("GET", f"/api/v1/lookup?number={hidden}", {}),
        ("GET", f"/api/v1/numbers/{hidden}/choice", {}),
        ("POST", f"/api/v1/numbers/{hidden}/choice", choose),
        ("DELETE", f"/api/v1/numbers/{hidden}/choice", {}),
    ):
        answer = await zoo.dara.request(method, path, **sent)
        assert answer.status_code == 403, path
        assert answer.json()["detail"].startswith("Your role is told whose a number is only while it calls you")
    assert (await zoo.dara.get(f"/customers/by-number/{calls}")).headers["location"] == customer
    assert (await zoo.dara.get(f"/api/v1/lookup?number={calls}")).json()["answer"] == "found"
    assert (await zoo.dara.post(f"/api/v1/numbers/{calls}/choice", **choose)).status_code == 204
    assert (await zoo.sophea.get(f"/customers/by-number/{hidden}")).headers["location"] == customer
    assert re.search("found", (await zoo.sophea.get(f"/api/v1/lookup?number={hidden}")).text)
