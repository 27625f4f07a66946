"""What `ringcard lookup NUMBER` tells: the way of a call, stage by stage."""

from __future__ import annotations

import json

import pytest

from config.settings import Company, Did, Lookup, Settings, Store, Trunk
from lookup.answers import Answer, Number, Unavailable
from lookup.card import Card, Person, Phone
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


async def report(number: str, trunk: str = "", did: str = "") -> Report:
    source = MemorySource()
    source.add(SOK, match_key="+85512345678")
    for card in (SOK, KIM):
        source.add(card, match_key="+85512345679")
    engine = Engine(plans(SETTINGS), MemoryCache(), source, SETTINGS.lookup, own_numbers(SETTINGS))
    told = await explain(engine, SETTINGS, number, trunk, did)
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


async def test_customers_who_share_a_number_are_all_named() -> None:
    told = await report("+85512345679")
    assert [customer.split(":")[0] for customer in told.customers] == ["7", "8"]


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
