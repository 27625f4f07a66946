"""Administrators say which fields a card has: on a page with a preview and by the API, for every process at once."""

from __future__ import annotations

import asyncio
import contextlib
import html as escaped
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from config.card_fields import BUILT_IN, Field
from config.sentences import say
from config.settings import Settings
from desk import layouts
from desk.languages import Language
from records.card_layouts import kept_now, layout_history
from records.customers import change_customer
from records.database import reading, writing
from records.users import add_user
from tests.fixtures.desk import PASSWORD, RITHY, People, RunningDesk, Visitor, alive, live_call, opened

PAGE, API = "/card-fields", "/api/v1/card-layout"
FILE = {
    "grade": Field(type="choice", choices=("Gold", "Silver")),
    "limit": Field("Credit limit", "money", roles=("supervisor", "administrator")),
}


@dataclass
class House:
    desk: RunningDesk
    boss: Visitor
    dara: Visitor

    @property
    def card(self) -> str:
        return f"/api/v1/customers/{self.desk.people.rithy}"

    async def layout(self) -> dict[str, Any]:
        body: dict[str, Any] = (await self.boss.get(API)).raise_for_status().json()
        return body

    async def say(self, **fields: Mapping[str, Any]) -> httpx.Response:
        """The card as it is, with these keys of these fields other; a field that there is not comes at the end."""
        now = await self.layout()
        known = {one["name"]: one for one in now["fields"]}
        for name, keys in fields.items():
            known[name] = {**known.get(name, {"name": name}), **keys}
        return await self.put(now["version"], [*known.values()])

    async def put(self, version: int, fields: list[dict[str, Any]]) -> httpx.Response:
        return await self.boss.put(API, json={"fields": fields}, headers={"If-Match": f'"{version}"'})


@contextlib.asynccontextmanager
async def at_work(company: tuple[Settings, People], redis_url: str) -> AsyncIterator[House]:
    settings, people = company
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(opened(replace(settings, fields=FILE), people, redis_url))
        await stack.enter_async_context(alive(desk))
        with writing(desk.database()) as session:
            user_id = add_user(session, "boss", "Boss Srey", PASSWORD, role="administrator").id
            change_customer(session, people.rithy, {"custom": {"grade": "Gold"}, "email": "rithy@example.com"})
        desk.app.state.services.people.forget()
        boss, dara = [await stack.enter_async_context(Visitor(desk.app)) for _ in range(2)]
        yield House(desk, await boss.has_session(desk, user_id), await dara.has_session(desk, people.dara))


@pytest.fixture
async def house(company: tuple[Settings, People], redis_url: str) -> AsyncIterator[House]:
    async with at_work(company, redis_url) as house:
        yield house


def form_of(page: str) -> list[tuple[str, str]]:
    """What a browser would send of the form, with every field as the page has it."""
    form = page[page.index('class="arranging"') : page.index("arranging-history")]
    pairs: list[tuple[str, str]] = []
    pattern = r"<input[^>]*>|<textarea[^>]*>.*?</textarea>|<select.*?</select>"
    for tag in re.findall(pattern, form, re.DOTALL):
        name = re.search(r'name="([^"]*)"', tag)
        assert name
        if tag.startswith("<textarea"):
            value = tag.split(">", 1)[1].removesuffix("</textarea>").removeprefix("\n")
        elif tag.startswith("<select"):
            chosen = re.search(r"<option([^>]*) selected>([^<]*)", tag) or re.search(r"<option([^>]*)>([^<]*)", tag)
            assert chosen
            said = re.search(r'value="([^"]*)"', chosen[1])
            value = said[1] if said else chosen[2]
        else:
            if 'type="checkbox"' in tag and "checked" not in tag:
                continue
            said = re.search(r'value="([^"]*)"', tag)
            value = said[1] if said else ""
        pairs.append((name[1], escaped.unescape(value)))
    return pairs


async def press(visitor: Visitor, page: str, button: str, **typed: str) -> httpx.Response:
    """`typed`: fields of the form by their names, with `_` for the dots."""
    pairs = [(name, typed.pop(name.replace(".", "_"), value)) for name, value in form_of(page)]
    pairs += [(name.replace("_", ".", 1), value) for name, value in typed.items()]
    body = "&".join(str(httpx.QueryParams({name: value})) for name, value in [*pairs, ("do", button)])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return await visitor.post(PAGE, content=body, headers=headers)


def order_of(page: str) -> list[str]:
    return re.findall(r'data-row="([a-z_]+)"', page)


async def test_only_administrators_may_look_and_change(house: House) -> None:
    assert (await house.dara.get(PAGE)).status_code == 403
    assert (await house.dara.get(API)).status_code == 403
    assert (await house.dara.post(f"{PAGE}/preview", data={"version": "0"})).status_code == 403
    assert (await house.dara.put(API, json={"fields": []}, headers={"If-Match": '"0"'})).status_code == 403
    assert (await house.dara.delete(API, headers={"If-Match": '"0"'})).status_code == 403
    assert "/card-fields" not in (await house.dara.get("/")).text
    assert 'href="/card-fields"' in (await house.boss.get("/")).text


async def test_what_was_read_can_be_put_back_and_changes_nothing(house: House) -> None:
    read = await house.boss.get(API)
    body = read.json()
    assert [one["name"] for one in body["fields"]][:2] == ["company", "debt"]
    assert [one["of"] for one in body["fields"][-2:]] == ["settings", "settings"]
    back = await house.put(body["version"], body["fields"])
    assert back.json() == body
    assert back.headers["etag"] == read.headers["etag"] == '"0"'
    with reading(house.desk.database()) as session:
        assert layout_history(session, 9) == []


async def test_a_field_hidden_from_a_role_is_on_no_page_and_in_no_answer_at_once(house: House) -> None:
    assert (await house.dara.get(house.card)).json()["note"] == "Call before noon."
    assert (await house.say(note={"roles": ["administrator"]})).status_code == 200
    assert (await house.dara.get(house.card)).json()["note"] == ""
    assert "Call before noon." not in (await house.dara.get(f"/customers/{house.desk.people.rithy}")).text
    assert (await house.boss.get(house.card)).json()["note"] == "Call before noon."


async def test_a_masked_field_tells_that_there_is_something_and_not_what(house: House) -> None:
    agent = {"masked": ["agent"]}
    said = await house.say(debt=agent, numbers=agent, email=agent, orders=agent, grade=agent)
    assert said.status_code == 200, said.text
    facts = (await house.dara.get(house.card)).json()
    assert (facts["debt"], facts["numbers"], facts["email"], facts["orders"][0]["total"]) == (None, [], "", None)
    assert facts["masked"] == ["debt", "email", "grade", "numbers", "orders"]
    page = (await house.dara.get(f"/customers/{house.desk.people.rithy}")).text
    assert "+855 •• ••• •78" in page
    assert "••••" in page
    assert "Paddy dryer" in page
    for secret in ("1,245.50", "345678", "345 678", "rithy@example.com", "450.00", "Gold"):
        assert secret not in page, secret
    own = (await house.dara.get(f"{house.card}/fields")).json()["fields"]
    assert [(one["name"], one["state"], one["value"]) for one in own] == [("grade", "masked", None)]
    assert (await house.dara.get("/api/v1/customers", params={"own.grade": "Gold"})).status_code == 403
    await house.desk.publish(live_call(RITHY, "101", customers=(house.desk.people.rithy,)))
    live = (await house.dara.get("/api/v1/live")).text
    for secret in ("124550", "rithy@example.com", "45000", "Gold"):
        assert secret not in live, secret
    desk = (await house.dara.get("/")).text
    assert "Paddy dryer" in desk
    assert "not for your role to see" in desk
    assert "1,245.50" in (await house.boss.get(f"/customers/{house.desk.people.rithy}")).text


async def test_who_may_not_change_a_field_cannot_by_page_or_api(house: House) -> None:
    said = await house.say(note={"edits": ["supervisor"]}, grade={"edits": []})
    assert said.status_code == 200, said.text
    version = (await house.dara.get(house.card)).headers["etag"]
    for change in ({"note": "Mine"}, {"fields": {"grade": "Silver"}}):
        sent = await house.dara.patch(house.card, json=change, headers={"If-Match": version})
        assert sent.status_code == 422, change
    sent = await house.dara.patch(f"{house.card}/fields", json={"grade": "Silver"}, headers={"If-Match": version})
    assert sent.status_code == 422
    form = (await house.dara.get(f"/customers/{house.desk.people.rithy}/edit")).text
    assert 'name="company"' in form
    assert 'name="note"' not in form
    assert 'name="custom.grade"' not in form
    assert (await house.dara.get(house.card)).json()["note"] == "Call before noon."
    may_change = {one["name"]: one["may_change"] for one in (await house.dara.get("/api/v1/fields")).json()}
    assert not may_change["grade"]


async def test_a_field_made_on_the_page_can_be_filled_shown_and_imported(house: House) -> None:
    page = (await house.boss.get(PAGE)).text
    added = await press(house.boss, page, "add", new_label="Shoe size", new_type="number")
    assert order_of(added.text)[-1] == "shoe_size"
    assert "Not saved yet." in added.text
    assert "shoe_size" not in (await house.boss.get(API)).text
    saved = await press(house.boss, added.text, "save")
    assert saved.status_code == 303
    version = (await house.dara.get(house.card)).headers["etag"]
    sent = await house.dara.patch(house.card, json={"fields": {"shoe_size": 42}}, headers={"If-Match": version})
    assert sent.status_code == 200
    assert "Shoe size" in (await house.dara.get(f"/customers/{house.desk.people.rithy}")).text
    with reading(house.desk.database()) as session:
        assert list(kept_now(session, FILE)) == ["grade", "limit", "shoe_size"]


async def test_a_choice_without_choices_comes_back_with_what_was_typed(house: House) -> None:
    page = (await house.boss.get(PAGE)).text
    page = (await press(house.boss, page, "add", new_label="រង់", new_type="choice")).text
    refused = await press(house.boss, page, "save", label_debt="Balance")
    assert refused.status_code == 422
    assert "a choice needs something to choose from" in refused.text
    assert 'value="Balance"' in refused.text
    again = await press(house.boss, refused.text, "save", choices_field="One\nTwo\n")
    assert again.status_code == 303
    one = next(one for one in (await house.layout())["fields"] if one["name"] == "field")
    assert (one["label"], one["choices"]) == ("រង់", ["One", "Two"])


async def test_fields_are_moved_by_buttons_and_stand_so_on_the_card(house: House) -> None:
    page = (await house.boss.get(PAGE)).text
    assert order_of(page)[:3] == ["company", "debt", "manager"]
    page = (await press(house.boss, page, "up:manager")).text
    page = (await press(house.boss, page, "up:grade")).text
    assert order_of(page)[:3] == ["company", "manager", "debt"]
    assert (await press(house.boss, page, "save")).status_code == 303
    await house.desk.publish(live_call(RITHY, "101", customers=(house.desk.people.rithy,)))
    [call] = (await house.dara.get("/api/v1/live")).json()["calls"]
    shown = [one["name"] for one in call["card"]["customers"][0]["fields"]]
    assert shown[:3] == ["company", "manager", "debt"]
    assert shown[-2:] == ["grade", "note"]


async def test_who_saves_it_in_another_language_calls_no_field_otherwise_for_the_rest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUILT_IN, "debt", say("Owes"))
    monkeypatch.setattr(Language, "gettext", lambda self, text: f"«{text}»" if self.code == "ru" else text)
    house.boss.headers["Accept-Language"] = "ru"
    page = (await house.boss.get(PAGE)).text
    assert 'value="«Owes»"' in page
    assert (await press(house.boss, page, "save", label_company="Firm")).status_code == 303
    assert {one["name"]: one["label"] for one in (await house.layout())["fields"]}["debt"] == "Owes"
    assert house.desk.app.state.services.layouts.said.fields.keys() == {"company"}


async def test_the_preview_shows_each_role_its_card_and_saves_nothing(house: House) -> None:
    page = (await house.boss.get(PAGE)).text
    pairs = [(name, value) for name, value in form_of(page) if name != "sees.debt.agent"]
    pairs += [("sees.debt.agent", "no"), ("do", "preview")]
    data = dict(pairs) | {"customer": str(house.desk.people.rithy), "name": [v for n, v in pairs if n == "name"]}
    cards = (await house.boss.post(f"{PAGE}/preview", data=data)).text
    _, agent, supervisor, _ = cards.split('<section class="preview-card"')
    assert "Sok Rithy" in agent
    assert "1,245.50" not in agent
    assert "1,245.50" in supervisor
    assert "1,245.50" in (await house.dara.get(f"/customers/{house.desk.people.rithy}")).text
    assert (await house.boss.get(API)).headers["etag"] == '"0"'


async def test_the_preview_tells_an_administrator_nothing_that_is_hidden_from_them(house: House) -> None:
    assert (await house.say(note={"roles": ["agent"]})).status_code == 200
    page = (await house.boss.get(PAGE)).text
    data = {"version": "1", "customer": str(house.desk.people.rithy), "name": "note", "sees.note.agent": "all"}
    assert "Call before noon." not in (await house.boss.post(f"{PAGE}/preview", data=data)).text
    assert "A note about the customer" in page


async def test_of_two_administrators_nobody_loses_a_change(house: House) -> None:
    page = (await house.boss.get(PAGE)).text
    assert (await press(house.boss, page, "save", label_debt="Balance")).status_code == 303
    late = await press(house.boss, page, "save", label_manager="Who cares")
    assert late.status_code == 409
    assert "Owes: its label" in late.text or "Balance: its label" in late.text
    assert (await press(house.boss, late.text, "save")).status_code == 303
    labels = {one["name"]: one["label"] for one in (await house.layout())["fields"]}
    assert (labels["debt"], labels["manager"]) == ("Balance", "Who cares")


async def test_the_api_wants_the_version_and_refuses_an_old_one(house: House) -> None:
    fields = (await house.layout())["fields"]
    assert (await house.boss.put(API, json={"fields": fields})).status_code == 428
    assert (await house.say(debt={"label": "Balance"})).headers["etag"] == '"1"'
    late = await house.put(0, fields)
    assert late.status_code == 412
    assert late.headers["etag"] == '"1"'
    assert (await house.boss.delete(API, headers={"If-Match": '"1"'})).json()["version"] == 2
    assert {one["name"]: one["label"] for one in (await house.layout())["fields"]}["debt"] == "Owes"


REFUSED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("grade", {"type": "text"}, "its type is said in the settings"),
    ("company", {"masked": ["agent"]}, "it cannot be masked"),
    ("orders", {"edits": []}, "nobody changes its values here"),
    ("version", {"label": "Mine"}, "means something else"),
    ("own", {"type": "choice"}, "a choice needs something"),
    ("own", {"type": "choice", "choices": ["A", "a"]}, "two choices are the same"),
    ("debt", {"label": "x" * 61}, "more than 60 letters"),
    ("debt", {"default": "none"}, "no default"),
)


async def test_what_cannot_be_said_of_a_field_is_refused(house: House) -> None:
    for name, keys, said in REFUSED:
        refused = await house.say(**{name: keys})
        assert refused.status_code == 422, keys
        [error] = refused.json()["errors"]
        assert error["field"] == name
        assert said in error["message"]
    assert (await house.boss.get(API)).headers["etag"] == '"0"'


async def test_every_change_stands_in_the_history_with_who_made_it(house: House) -> None:
    await house.say(debt={"label": "Balance", "roles": ["supervisor"]})
    await house.say(shoe={"label": "Shoe", "type": "number"})
    page = (await house.boss.get(PAGE)).text
    told = page[page.index("arranging-history") :]
    assert "Balance: its label, who sees it" in told
    assert "Shoe: new; the order" in told
    assert "Boss Srey" in told
    items = (await house.boss.get(f"{API}/history")).json()["items"]
    assert [(one["version"], one["by"]) for one in items] == [(2, "Boss Srey"), (1, "Boss Srey")]


async def test_a_change_reaches_another_process_and_the_cards_that_are_shown(
    company: tuple[Settings, People], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "LOOK_S", 0.05)
    settings, people = company
    async with at_work(company, redis_url) as house:
        other = opened(replace(settings, fields=FILE), people, redis_url)
        async with other as second, alive(second), Visitor(second.app) as dara:
            await dara.has_session(second, people.dara)
            await second.publish(live_call(RITHY, "101", customers=(people.rithy,)))
            hub = second.app.state.services.hub
            with hub.subscribe(hub.last_id) as subscription:
                assert (await house.say(debt={"roles": []})).status_code == 200
                event = await subscription.next(20)
            assert event
            assert event.notice
            assert (event.notice.kind, event.notice.customer_id) == ("card_changed", people.rithy)
            assert (await dara.get(house.card)).json()["debt"] is None


async def test_two_who_save_at_the_same_moment_do_not_both_win(house: House) -> None:
    now = await house.layout()
    fields = [
        [{**one, "label": label} if one["name"] == "debt" else one for one in now["fields"]] for label in ("A", "B")
    ]
    answers = await asyncio.gather(*(house.put(0, each) for each in fields))
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_what_is_typed_as_a_label_is_never_a_tag(house: House) -> None:
    evil = '"><script>x</script>'
    assert (await house.say(debt={"label": evil})).status_code == 200
    for address in (PAGE, f"/customers/{house.desk.people.rithy}", "/"):
        assert "<script>x" not in (await house.boss.get(address)).text
