"""Who saw a card is noted, beside the requests: once an hour, also when the database is away for a while, and not for
ever.
"""

from __future__ import annotations

import asyncio
import html
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from desk import seen as desk_seen
from desk.seen import Seen
from desk.store import Store
from lookup.links import make
from records import seen as records_seen
from records.errors import DatabaseGone
from records.tables import CardSeen
from tests.fixtures.desk import RITHY, SECRET, RunningDesk, Visitor, live_call
from tests.fixtures.house import House


async def noted(house: House) -> list[tuple[int, int, str]]:
    """(person, customer, way) in their order."""
    assert await house.desk.app.state.services.seen.write()
    rows = house.ask(lambda session: session.scalars(select(CardSeen)).all())
    return sorted((row.user_id, row.customer_id, row.way) for row in rows)


async def test_every_way_to_see_a_card_is_noted_once(house: House) -> None:
    people = house.desk.people
    for _ in range(3):
        await house.dara.get(house.rithy)
        await house.dara.get(f"{house.rithy}/edit")
        await house.dara.get(f"{house.rithy}/history")
        await house.sophea.get(f"/api/v1{house.rithy}")
    await house.dara.get(f"/api/v1{house.rithy}/fields")
    await house.sophea.get("/api/v1/lookup", params={"number": RITHY})
    await house.sophea.get("/api/v1/customers", params={"q": "rithy"})
    await house.dara.get("/customers/999999")
    await house.desk.publish(live_call(RITHY, "102", customers=(people.rithy,)))
    await house.guest.get("/")
    soon = int(house.desk.parts.clock().timestamp()) + 600
    for path, kind in (("/c/{}", "card"), ("/v/{}.vcf", "vcard")):
        link = make(SECRET, kind, people.khmer, "call-1", soon)  # type: ignore[arg-type]
        assert (await house.guest.get(path.format(link))).status_code == 200
    assert await noted(house) == [
        (0, people.khmer, "file"),
        (people.dara, people.rithy, "api"),
        (people.dara, people.rithy, "page"),
        (people.sophea, people.rithy, "api"),
    ]
    call = live_call(RITHY, "101", customers=(people.rithy,))
    await house.desk.publish(call)
    await house.dara.get("/")
    assert (people.dara, people.rithy, "call") in await noted(house)


async def test_only_an_administrator_sees_who_saw(desk: RunningDesk, boss: Visitor, dara: Visitor) -> None:
    rithy = desk.people.rithy
    await dara.get(f"/customers/{rithy}")
    await desk.app.state.services.seen.write()
    for path in ("/seen", f"/seen?customer={rithy}", "/api/v1/seen"):
        assert (await dara.get(path)).status_code == 403
    assert "Who saw this card" not in (await dara.get(f"/customers/{rithy}")).text
    card = await boss.get(f"/customers/{rithy}")
    assert card.status_code == 200
    part = card.text.partition("Who saw this card")[2]
    assert "Dara Chan" in part
    told = (await boss.get("/api/v1/seen", params={"customer_id": rithy})).json()["items"]
    [first] = [{name: each[name] for name in ("user", "customer", "way")} for each in told]
    assert first == {"user": "Dara Chan", "customer": "Sok Rithy", "way": "page"}
    for path in ("/seen", f"/seen?customer={rithy}", f"/seen?person={desk.people.dara}"):
        page = await boss.get(path)
        lines = re.findall(r"<li>(.*?)</li>", page.text.partition('class="lines seen"')[2], flags=re.S)
        assert ["Dara Chan" in html.unescape(line) for line in lines] == [True]
    assert 'class="lines seen"' not in (await boss.get(f"/seen?person={desk.people.mony}")).text


async def test_the_list_goes_on_where_a_page_ends_and_names_who_is_gone(desk: RunningDesk, boss: Visitor) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    moments = {1000 + hour: began + timedelta(hours=hour) for hour in range(5)}
    looks = [records_seen.Look(desk.people.dara, id, "page", at) for id, at in moments.items()]
    await desk.app.state.services.store.write(lambda session: records_seen.write(session, looks * 2))
    got: list[dict[str, Any]] = []
    after = ""
    while True:
        page = (await boss.get("/api/v1/seen", params={"limit": 2, "after": after})).json()
        got += page["items"]
        if not (after := page["next"]):
            break
    assert [each["customer_id"] for each in got] == [1004, 1003, 1002, 1001, 1000]
    assert {each["customer"] for each in got} == {None}
    assert "customer 1004, who is gone" in (await boss.get("/seen")).text
    assert (await boss.get("/api/v1/seen", params={"after": "nonsense"})).status_code == 422


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 5, 4, 10, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


async def test_while_the_database_is_away_looks_wait_and_what_is_too_much_is_counted(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(desk_seen, "MOST_WAITING", 3)
    store, clock = Store(house.desk.database()), Clock()
    writer = Seen(store, 365, clock)
    goes, write = False, store.write

    async def write_or_not(work: Any, within_s: float = 3.0) -> Any:
        if not goes:
            raise DatabaseGone("it is away")
        return await write(work, within_s)

    monkeypatch.setattr(store, "write", write_or_not)
    caplog.set_level(logging.WARNING, "desk.seen")
    writer.note(1, [1, 2, 3, 4, 5, 1, 2], "page")
    for _ in range(3):
        assert not await writer.write()
    assert (writer.lost, len(caplog.records)) == (2, 1)
    goes = True
    assert await writer.write()
    writer.note(1, [1, 4], "page")
    clock.now += timedelta(minutes=1)
    writer.note(1, [1], "page")
    assert await writer.write()
    rows = house.ask(lambda session: session.scalars(select(CardSeen)).all())
    first = min(row.hour for row in rows)
    assert sorted((row.customer_id, row.hour - first) for row in rows) == [(1, 0), (1, 1), (2, 0), (3, 0), (4, 0)]
    goes = False
    writer.note(1, [6], "page")
    assert not await writer.write()
    assert len(caplog.records) == 2  # once for each time that it was away
    await store.close()


async def test_what_is_older_than_the_company_wants_goes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_seen, "AT_ONCE", 3)
    clock = Clock()
    old = [records_seen.Look(1, id, "page", clock.now - timedelta(days=31)) for id in range(10)]
    young = [records_seen.Look(1, 99, "page", clock.now - timedelta(days=29))]
    house.write(lambda session: records_seen.write(session, [*old, *young]))
    store = Store(house.desk.database())
    keeping = asyncio.create_task(Seen(store, 30, clock).keep())
    async with asyncio.timeout(20):
        while house.ask(lambda session: session.scalar(select(func.count()).select_from(CardSeen))) > 1:
            await asyncio.sleep(0.02)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await store.close()
    assert [row.customer_id for row in house.ask(lambda session: session.scalars(select(CardSeen)).all())] == [99]
