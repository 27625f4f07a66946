"""ari_app/offers.py and ari_app/orphans.py: who gets a call that several may have, and one left behind."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from ari_app.ari_requests import AriRefused, Request
from ari_app.offers import CALL_BROADCAST, Offers
from ari_app.orphans import Orphans
from lookup.answers import Answer, Caller, Number, Unavailable, Unknown
from tests.unit.test_reconcile import MOMENT, channel

SHARED = "300,^ringcard-,+85523900001:lab:allowed:linked:Sales: new"


class Finder:
    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer
        self.asked: list[Caller] = []
        self.let = asyncio.Event()

    async def find(self, caller: Caller, budget_s: float) -> Answer:
        self.asked.append(caller)
        await self.let.wait()
        return self.answer or Unknown(Number(caller.number, caller.number, caller.number), "nobody")


class Asterisk:
    def __init__(self, status: int = 204) -> None:
        self.asked: list[Request] = []
        self.status = status
        self.answers: dict[str, Any] = {}

    async def send(self, *requests: Request) -> list[Any]:
        self.asked += requests
        if self.status >= 400:
            raise AriRefused("events.claimChannel", self.status, "")
        return [self.answers.get(each.path) for each in requests]


def offered(data: str = SHARED) -> dict[str, Any]:
    return {"type": CALL_BROADCAST, "channel": channel("c", "StasisBroadcast", data)}


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_call_is_claimed_when_its_answer_is_there_and_not_before() -> None:
    asterisk, finder = Asterisk(), Finder()
    offers = Offers(asterisk.send, finder, "ringcard-a", 1)
    assert offers.take(offered())
    await settled()
    assert asterisk.asked == []
    (caller,) = finder.asked
    assert (caller.number, caller.trunk, caller.presentation) == ("1", "lab", "allowed")
    finder.let.set()
    await settled()
    assert [dict(each.query) for each in asterisk.asked] == [{"channelId": "c", "application": "ringcard-a"}]
    assert (answer := offers.answer("c"))
    assert isinstance(answer[0], Unknown)
    assert offers.answer("c") is None
    assert offers.counters.won == 1


@pytest.mark.parametrize(("status", "end"), [(409, "lost"), (404, "late")])
async def test_a_call_that_somebody_else_has_or_that_is_gone_leaves_nothing(status: int, end: str) -> None:
    finder = Finder()
    finder.let.set()
    offers = Offers(Asterisk(status).send, finder, "ringcard-a", 1)
    offers.take(offered())
    await settled()
    assert offers.answer("c") is None
    assert getattr(offers.counters, end) == 1


async def test_who_cannot_look_up_lets_the_others_have_it_and_claims_what_nobody_has() -> None:
    asterisk, finder = Asterisk(), Finder(Unavailable(Number("1", "1", "1"), "both stores are away"))
    finder.let.set()
    offers = Offers(asterisk.send, finder, "ringcard-a", 0.05)
    began = time.perf_counter()
    offers.take(offered())
    await settled()
    assert asterisk.asked == []
    while not offers.counters.won:
        await asyncio.sleep(0.001)
    assert time.perf_counter() - began >= 0.05


async def test_whom_a_telephone_of_ours_calls_is_looked_up_by_whoever_gets_the_question() -> None:
    asterisk, finder = Asterisk(), Finder()
    offers = Offers(asterisk.send, finder, "ringcard-a", 1)
    offers.take(offered("300,^ringcard-,dials:+85512345678:lab"))
    await settled()
    assert finder.asked == []
    assert len(asterisk.asked) == 1


async def test_who_is_told_to_stop_claims_what_it_looks_up_and_takes_nothing_new() -> None:
    asterisk, finder = Asterisk(), Finder()
    offers = Offers(asterisk.send, finder, "ringcard-a", 1)
    offers.take(offered())
    closing = asyncio.create_task(offers.close())
    await settled()
    offers.take(offered())
    finder.let.set()
    await settled()
    assert len(asterisk.asked) == 1
    assert offers.answer("c")
    await closing


async def test_a_channel_that_is_there_at_two_looks_is_taken_as_if_it_had_just_come() -> None:
    asterisk, taken = Asterisk(), list[Any]()
    orphans = Orphans(asterisk.send, taken.append, "ringcard", ("ringcard-tracker",), 1)
    applications = [
        {"name": "ringcard-x", "channel_ids": ["c"]},
        {"name": "ringcard-tracker", "channel_ids": ["other"]},
        {"name": "somebody", "channel_ids": ["theirs"]},
    ]
    asterisk.answers = {"applications": applications, "channels/c": channel("c", "StasisBroadcast", SHARED)}
    await orphans.look()
    assert taken == []
    await orphans.look()
    (raw,) = taken
    assert (raw["type"], raw["channel"]["id"], raw["timestamp"]) == ("StasisStart", "c", MOMENT)
    asterisk.answers["applications"] = []
    await orphans.look()
    await orphans.look()
    assert len(taken) == 1
