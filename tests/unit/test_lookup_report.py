"""What `ringcard lookup NUMBER` tells: the way of a call, stage by stage."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from config.display import Display
from config.settings import Company, Did, Lookup, Settings, Store, Tiers, Trunk
from lookup.answers import Answer, Number, Unavailable
from lookup.card import Card, CardNumber, Choice, Person, Phone
from lookup.engine import Engine
from lookup.memory_cards import MemoryCache, MemorySource
from ringcard.from_settings import own_numbers, plans, redis_url
from ringcard.lookup_report import Report, explain, render

SETTINGS = Settings(
    company=Company(country="KH"),
    trunks={"moscow": Trunk(country="RU")},
    dids={"+85523900002": Did("route")},
    lookup=Lookup(budget_ms=1000),
)
MALY = Person(3, "Maly", (Phone("pbx", "101"), Phone("elsewhere", "101")))
SOK = Card(7, 1, "Sok Dara", company="Angkor Trading", manager=MALY)
KIM = Card(8, 1, "Kim")
BEHIND = Card(9, 1, "Ly", manager=MALY, numbers=(CardNumber("+85523922222", ext="5"),))


async def report(number: str, trunk: str = "", did: str = "", settings: Settings = SETTINGS) -> Report:
    source = MemorySource()
    source.add_range(SOK, "+855239111", 2, "023 911 1xx")
    source.add(BEHIND, match_key="+85523922222")
    source.add(KIM, match_key="+85523922222")
    source.add(SOK, tail="12345678")
    source.choose("+85512345679", 8, Choice("Maly", "2026-03-01T08:00:00Z"))
    source.add(SOK, match_key="+85512345678")
    for card in (SOK, KIM):
        source.add(card, match_key="+85512345679")
    engine = Engine(
        plans(settings), MemoryCache(), source, settings.lookup, own_numbers(settings), tiers=settings.tiers
    )
    told = await explain(engine, settings, number, trunk, did)
    await engine.close()
    return told


async def test_a_customer_s_number_tells_how_it_was_read_and_whom_it_would_ring() -> None:
    told = await report("012 345 678", did="+855 23 900 002")
    assert (told.e164, told.country, told.key) == ("+85512345678", "KH", "+85512345678")
    assert (told.answer, told.tier, told.source, told.shown) == ("found", "exact", "database", "Sok Dara")
    assert told.customers == ("7: Sok Dara, Angkor Trading; manager Maly",)
    assert [(ring.phones, ring.seconds) for ring in told.steps] == [(("101",), 20)]
    text = render(told)
    assert "Phone shows  Sok Dara" in text
    assert "Rings        101 for 20 s: the assigned manager Maly" in text


async def test_without_a_number_of_ours_the_call_goes_the_company_s_own_way() -> None:
    told = await report("012345678")
    assert told.steps == ()
    assert "own way" in told.route_reason


async def test_the_trunk_decides_how_a_number_is_read() -> None:
    assert (await report("8 (912) 345-67-89", trunk="moscow")).e164 == "+79123456789"
    assert "on trunk moscow" in render(await report("8 (912) 345-67-89", trunk="moscow"))


async def test_customers_who_share_a_number_are_all_named_and_first_who_was_chosen() -> None:
    told = await report("+85512345679")
    assert [customer.split(":")[0] for customer in told.customers] == ["8", "7"]
    assert "2 customers share +85512345679; Maly chose this one on 2026-03-01." in render(told)


@pytest.mark.parametrize(
    ("number", "trunk", "tier", "says"),
    [
        ("+85512345678", "", "exact", "+85512345678 is a number of this customer."),
        ("+855 23 922 222 ext 5", "", "extension", "+85523922222 with the extension 5 is a number of this customer."),
        ("+85523911150", "", "range", "+85523911150 lies in the range 023 911 1xx of this customer."),
        ("012 345 678", "moscow", "probable", "A number of this customer has the last 8 digits of 012 345 678"),
    ],
)
async def test_every_tier_tells_its_reason_and_what_it_may_do(number: str, trunk: str, tier: str, says: str) -> None:
    told = await report(number, trunk, did="+85523900002")
    assert told.tier == tier
    assert says in told.reason
    text = render(told)
    assert f"({tier}, from the database)" in text
    if tier == "probable":
        assert 'May          be shown as a card (tiers.probable = "card")' in text
        assert (told.shown, told.steps) == ("", ())
    else:
        assert f'and ring the manager (tiers.{tier} = "route")' in text


@pytest.mark.parametrize(
    ("may", "shown", "rings"), [("route", "Sok Dara", True), ("name", "Sok Dara", False), ("card", "", False)]
)
async def test_what_a_tier_may_do_is_told_as_it_is_done(may: str, shown: str, rings: bool) -> None:
    settings = replace(SETTINGS, tiers=Tiers(exact=may))  # type: ignore[arg-type]
    told = await report("+85512345678", did="+85523900002", settings=settings)
    assert (told.answer, told.shown, bool(told.steps)) == ("found", shown, rings)


async def test_the_name_is_in_the_template_that_the_number_called_has() -> None:
    dids = {
        "+85523900001": Did("name", label="Sales"),
        "+85523900003": Did("name", template="{name} ({company})"),
        "+85523900005": Did("leave"),
    }
    settings = replace(SETTINGS, dids=dids, display=Display("{queue}: {name}"))
    shown = [(await report("+85512345678", did=did, settings=settings)).shown for did in ("", *dids)]
    assert shown == ["Sok Dara", "Sales: Sok Dara", "Sok Dara (Angkor Trading)", ""]
    assert "Phone shows  the name that comes with the call" in render(
        await report("+85512345678", did="+85523900005", settings=settings)
    )


async def test_a_tier_that_is_off_finds_nobody_and_the_report_says_why() -> None:
    settings = replace(SETTINGS, tiers=Tiers(range="off"))
    told = await report("+85523911150", settings=settings)
    assert (told.answer, told.may) == ("unknown", "")
    assert 'tiers.range = "off"' in render(told)


@pytest.mark.parametrize(
    ("number", "answer", "says"),
    [
        ("+85512000000", "unknown", "Phone shows  the name that comes with the call"),
        ("+85523900002", "unknown", "own numbers"),
        ("101", "unknown", "no number of the outside world"),
        ("anonymous", "withheld", "withheld the number"),
        ("", "withheld", "without a number"),
    ],
)
async def test_whoever_is_no_customer_is_explained_too(number: str, answer: str, says: str) -> None:
    told = await report(number)
    assert told.answer == answer
    assert says in render(told)


async def test_machines_get_the_same_as_json() -> None:
    told = json.loads(render(await report("012345678"), as_json=True))
    assert told["e164"] == "+85512345678"
    assert told["find_ms"] > 0
    assert told["steps"] == []


async def test_an_engine_that_has_no_time_is_no_error() -> None:
    class Late:
        async def find(self, caller: object, budget_s: float) -> Answer:
            return Unavailable(Number("1", "", ""), "no answer within 150 ms")

    told = await explain(Late(), SETTINGS, "012345678")
    assert told.answer == "unavailable"
    assert "no answer within 150 ms" in render(told)


def test_redis_is_where_the_settings_say_else_our_own() -> None:
    assert redis_url(Settings(store=Store(redis_url="redis://cache.example"))) == "redis://cache.example"
    assert redis_url(Settings(store=Store(data_dir="/srv/ringcard"))) == "unix:///srv/ringcard/redis/redis.sock"
