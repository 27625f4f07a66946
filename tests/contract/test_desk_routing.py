"""Who rings and who is blocked, said on the desk: by whom it may be, in plain words, refused with a reason."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import httpx
import pytest

from config.card_fields import Field
from config.settings import Did, Routing, Settings
from lookup.duty import COMPANY, Duty
from lookup.sql_duty import load
from records import routing
from records.database import reading, writing
from records.tables import BlockedCaller
from records.users import add_user
from tests.fixtures.desk import RITHY, People, RunningDesk, Visitor, alive, live_call, opened

DESTINATIONS = {"night": "company-voicemail,100"}
FIELDS = {
    "vip": Field("VIP", "yes/no"),
    "grade": Field("Grade", "choice", choices=("Gold", "Silver")),
    "limit": Field("Credit limit", "money"),
    "asked": Field("Asked", source="erp.asked"),
}
DIDS = {"+85523900001": Did("route"), "+85523900002": Did("name")}


@dataclass
class House:
    desk: RunningDesk
    boss: Visitor
    sophea: Visitor
    dara: Visitor

    def duty(self) -> Duty:
        with reading(self.desk.database()) as session:
            return load(session, Duty())

    async def sent(self, path: str, **form: str) -> httpx.Response:
        return await self.boss.post(path, data=form)


@pytest.fixture
async def house(company: tuple[Settings, People], redis_url: str) -> AsyncIterator[House]:
    settings, people = company
    fields = {name: field for name, field in FIELDS.items() if not field.source}
    settings = replace(
        settings,
        fields=fields,
        destinations=DESTINATIONS,
        dids=DIDS,
        routing=Routing(presence="desk", last_spoke_days=0),
    )
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(opened(settings, people, redis_url))
        with writing(desk.database()) as session:
            boss = add_user(session, "boss", "Boss Srey", "correct horse", role="administrator").id
        await stack.enter_async_context(alive(desk))
        visitors = [
            await (await stack.enter_async_context(Visitor(desk.app))).has_session(desk, user_id)
            for user_id in (boss, people.sophea, people.dara)
        ]
        yield House(desk, *visitors)


async def test_only_administrators_say_who_rings_and_supervisors_block(house: House) -> None:
    for visitor, routes, blocks in ((house.boss, 200, 200), (house.sophea, 403, 200), (house.dara, 403, 403)):
        assert (await visitor.get("/routing")).status_code == routes
        assert (await visitor.get("/blocked")).status_code == blocks
        assert (await visitor.get("/api/v1/blocked")).status_code == blocks
        menu = (await visitor.get("/")).text
        assert ('href="/routing"' in menu, 'href="/blocked"' in menu) == (routes == 200, blocks == 200)
    for path in ("/routing/hours", "/routing/rules", "/routing/rules/1/off", "/routing/hours/1/remove"):
        assert (await house.sophea.post(path, data={"name": "x"})).status_code == 403
    assert (await house.dara.post("/blocked", data={"caller": RITHY})).status_code == 403
    assert (await house.dara.post("/api/v1/blocked", json={"caller": RITHY})).status_code == 403
    assert (await house.dara.delete("/api/v1/blocked/1")).status_code == 403
    assert house.duty() == replace(house.duty(), calendars={}, rules=())


# --- working hours ---


async def test_hours_are_written_seen_changed_and_removed(house: House) -> None:
    week = "Mon-Fri 08:00-17:00"
    assert (await house.sent("/routing/hours", week=week, holidays="12-25", closed_to="night")).status_code == 303
    hours = house.duty().calendars[COMPANY]
    assert (hours.text, hours.holidays, hours.closed_to) == (week, frozenset({"12-25"}), "night")
    (sales,) = (id for id, name in house.duty().teams.items() if name == "Sales")
    await house.sent("/routing/hours", team=str(sales), week="daily 07:00-20:00")
    await house.sent("/routing/hours", week="Mon-Sat 08:00-17:00")
    page = (await house.boss.get("/routing")).text
    assert "Mon-Sat 08:00-17:00" in page
    assert week not in page.replace("placeholder", "")
    assert sorted(house.duty().calendars) == [COMPANY, sales]
    for number in re.findall(r"/routing/hours/(\d+)/remove", page):
        assert (await house.boss.post(f"/routing/hours/{number}/remove")).status_code == 303
    assert house.duty().calendars == {}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"week": "nine to five"}, "is no day"),
        ({"week": "<script>alert(1)</script>"}, "has no days and times"),
        ({"holidays": "Christmas"}, "is no day"),
        ({"closed_to": "moon"}, "no destination"),
        ({"team": "x"}, "choose a team"),
        ({"team": "99"}, "no team"),
    ],
)
async def test_hours_that_cannot_be_are_refused_and_what_was_typed_comes_back(
    house: House, form: dict[str, str], said: str
) -> None:
    answer = await house.sent("/routing/hours", **form)
    assert answer.status_code in (404, 422)
    assert said in answer.text
    assert "<script>alert" not in answer.text
    if form.get("week") == "nine to five":
        assert 'value="nine to five"' in answer.text
    assert house.duty().calendars == {}


# --- rules ---


async def test_rules_are_added_ordered_switched_off_and_removed(house: House) -> None:
    people = house.desk.people
    (sales,) = (id for id, name in house.duty().teams.items() if name == "Sales")
    for form in (
        {"name": "VIP", "condition": "is:vip", "value": "Yes", "target": f"person:{people.mony}", "always": "yes"},
        {"name": "Debtors", "condition": "over:debt", "value": "1,000.50", "target": "destination:night"},
        {"name": "Gold", "condition": "is:grade", "value": "gold", "target": f"team:{sales}"},
        {"name": "Big", "condition": "over:limit", "value": "500 EUR", "target": f"team:{sales}"},
    ):
        answer = await house.sent("/routing/rules", **form)
        assert answer.status_code == 303, answer.text
    vip, debtors, gold, big = house.duty().rules
    assert (vip.value, vip.person_id, vip.always) == ("yes", people.mony, True)
    assert (debtors.value, debtors.currency, debtors.destination) == ("100050", "USD", "night")
    assert (gold.value, gold.team_id) == ("Gold", sales)
    assert (big.value, big.currency) == ("50000", "EUR")
    page = (await house.boss.get("/routing")).text
    for words in ("VIP is yes: Mony Keo first, at any time", "Owes more than 1000.50 USD: the destination night first"):
        assert words in page
    ids = list(dict.fromkeys(re.findall(r"/routing/rules/(\d+)/", page)))
    await house.sent(f"/routing/rules/{ids[2]}/up")
    await house.sent(f"/routing/rules/{ids[0]}/down")
    await house.sent(f"/routing/rules/{ids[3]}/off")
    assert [rule.name for rule in house.duty().rules] == ["Gold", "VIP", "Debtors"]
    await house.sent(f"/routing/rules/{ids[3]}/on")
    await house.sent(f"/routing/rules/{ids[2]}/remove")
    assert [rule.name for rule in house.duty().rules] == ["VIP", "Debtors", "Big"]
    assert (await house.sent(f"/routing/rules/{ids[0]}/explode")).status_code == 404
    assert (await house.sent("/routing/rules/999/off")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": " "}, "needs a name"),
        ({"condition": "is:secret"}, "choose what the customer"),
        ({"condition": "over:grade"}, "choose what the customer"),
        ({"condition": ""}, "choose what the customer"),
        ({"condition": "is:grade", "value": "Platinum"}, "is none of Gold, Silver"),
        ({"condition": "over:debt", "value": "a lot"}, "amount"),
        ({"condition": "is:vip", "value": "maybe"}, "neither yes nor no"),
        ({"value": ""}, "say what"),
        ({"target": "destination:moon"}, "no destination"),
        ({"target": "person:x"}, "choose a person"),
        ({"target": ""}, "one person, one team or one destination"),
        ({"target": "person:999"}, "no person"),
        ({"target": "destination:company-voicemail,100,1)&System(touch"}, "no destination"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_in_words(house: House, changes: dict[str, str], said: str) -> None:
    good = {"name": "VIP", "condition": "is:vip", "value": "yes", "target": f"person:{house.desk.people.mony}"}
    answer = await house.sent("/routing/rules", **good | changes)
    assert answer.status_code in (404, 422)
    assert said in answer.text
    assert house.duty().rules == ()


# --- try it ---


async def test_try_it_tells_step_by_step_what_a_call_would_do(house: House) -> None:
    await house.sent("/routing/hours", week="Mon-Fri 08:00-17:00", closed_to="night")
    await house.dara.post("/me/do-not-disturb", data={"on": "yes"})
    asked = {"number": RITHY, "at": "2026-11-26 10:00"}
    page = (await house.boss.get("/routing", params=asked)).text
    for words in (
        "Block list: not on it.",
        "Working hours: somebody is at work.",
        "The assigned manager Dara Chan: do not disturb.",
        "is not known here",
    ):
        assert words in page
    page = (await house.boss.get("/routing", params={**asked, "at": "2026-11-26 22:00"})).text
    assert "The destination night: Thu 22:00 is outside of Mon-Fri 08:00-17:00." in page
    page = (await house.boss.get("/routing", params={**asked, "did": "+85523900002"})).text
    assert "calls to this number are named only" in page
    refused = await house.boss.get("/routing", params={**asked, "at": "tomorrow"})
    assert (refused.status_code, "is no time" in refused.text) == (422, True)


# --- blocked callers ---


async def test_callers_are_blocked_seen_and_let_in_again(house: House) -> None:
    for form in ({"caller": "012 345 678", "note": "rude"}, {"caller": "+7 495*"}, {"caller": "Withheld"}):
        assert (await house.sophea.post("/blocked", data=form)).status_code == 303
    assert house.duty().blocked.numbers == {RITHY: "rude"}
    assert house.duty().blocked.prefixes == {"+7495": ""}
    assert house.duty().blocked.withheld
    page = (await house.sophea.get("/blocked")).text
    for words in ("rude", "+7495", "Everybody who hides the number", "Sophea Lim"):
        assert words in page
    listed = (await house.sophea.get("/api/v1/blocked")).json()
    assert [one["kind"] for one in listed] == ["withheld", "prefix", "number"]
    assert (await house.sophea.post(f"/blocked/{listed[0]['id']}/unblock")).status_code == 303
    assert (await house.sophea.delete(f"/api/v1/blocked/{listed[1]['id']}")).status_code == 204
    assert (await house.sophea.delete(f"/api/v1/blocked/{listed[1]['id']}")).status_code == 404
    assert [row.kind for row in _rows(house)] == ["number"]


def _rows(house: House) -> list[BlockedCaller]:
    with reading(house.desk.database()) as session:
        return list(routing.blocked(session))


@pytest.mark.parametrize(
    ("caller", "said"),
    [
        ("117", "for emergencies"),
        ("112", "for emergencies"),
        ("911", "for emergencies"),
        ("+85523900001", "one of your own numbers"),
        ("+855239*", "your own number"),
        ("+8*", "says too little"),
        ("101", "no whole phone number"),
        ("' OR 1=1 --", "no whole phone number"),
        ("", "no whole phone number"),
    ],
)
async def test_who_may_not_be_blocked_is_refused_in_words(house: House, caller: str, said: str) -> None:
    answer = await house.sophea.post("/blocked", data={"caller": caller})
    assert (answer.status_code, said in answer.text) == (422, True)
    problem = await house.sophea.post("/api/v1/blocked", json={"caller": caller})
    assert (problem.status_code, said in problem.json()["detail"]) == (422, True)
    assert _rows(house) == []


async def test_a_live_call_can_be_blocked_by_who_may_and_only_once(house: House) -> None:
    people = house.desk.people
    await house.desk.publish(live_call(RITHY, "104", "101", customers=(people.rithy,)))
    shown: Callable[[str], bool] = lambda page: f'data-block="{RITHY}"' in page  # noqa: E731
    assert shown((await house.sophea.get("/")).text) is True
    assert shown((await house.dara.get("/")).text) is False
    made = await house.sophea.post("/api/v1/blocked", json={"caller": RITHY, "note": "from the card of a call"})
    assert (made.status_code, made.json()["value"], made.json()["blocked_by"]) == (201, RITHY, "Sophea Lim")
    assert (await house.sophea.post("/api/v1/blocked", json={"caller": RITHY})).status_code == 409


# --- presence ---


async def test_a_person_switches_do_not_disturb_on_and_off_for_themselves(house: House) -> None:
    dara, mony = house.desk.people.dara, house.desk.people.mony
    answer = await house.dara.post("/me/do-not-disturb", data={"on": "yes", "back": "/calls"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/calls")
    assert "Let calls ring me again" in (await house.dara.get("/")).text
    assert [house.duty().people[id].do_not_disturb for id in (dara, mony)] == [True, False]
    answer = await house.dara.post("/me/do-not-disturb", data={"back": "https://evil.example"})
    assert answer.headers["location"] == "/"
    assert not house.duty().people[dara].do_not_disturb


async def test_who_has_the_desk_open_is_noted_and_who_signs_out_is_gone(house: House) -> None:
    dara = house.desk.people.dara
    presence = house.desk.app.state.services.presence
    assert house.duty().people[dara].seen_at is None
    with presence.here(dara):
        for _ in range(500):
            if house.duty().people[dara].seen_at is not None:
                break
            await asyncio.sleep(0.01)
    assert house.duty().people[dara].seen_at is not None
    await house.dara.post("/sign-out")
    assert house.duty().people[dara].seen_at is None
