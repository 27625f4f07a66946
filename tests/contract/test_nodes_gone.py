"""Calls of an Asterisk that is gone for good are ended, those of one that answers are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from config.settings import Settings
from lookup.notices import SIMULATED, LiveCall, Notice
from lookup.redis_notices import RedisNotices
from records.facts import NOT_ALL_HEARD, CallFacts, call_id_of
from ringcard import compose
from ringcard.nodes_gone import GONE_S, NodesGone
from tests.fixtures.desk import live_call

LONG_S = 20.0


@pytest.fixture(params=["redis", "cluster"])
async def notices(request: pytest.FixtureRequest) -> AsyncIterator[RedisNotices]:
    opened = RedisNotices(request.getfixturevalue(f"{request.param}_url"))
    yield opened
    await opened.close()


async def shown(notices: RedisNotices, *call_ids: str) -> dict[str, LiveCall]:
    """All calls, once those of these ids are the living ones."""
    async with asyncio.timeout(LONG_S):
        while True:
            _, calls = await notices.snapshot()
            if {call.call_id for call in calls if not call.ended_ms} == set(call_ids):
                return {call.call_id: call for call in calls}
            await asyncio.sleep(0.01)


async def test_calls_of_a_node_that_is_gone_are_ended_and_do_not_come_back(notices: RedisNotices) -> None:
    here = live_call("+85512345678", "101")
    ids: dict[str, Any] = {"node": "gone", "linkedid": "1.1", "uniqueid": "1.1", "call_id": call_id_of("gone", "1.1")}
    there = live_call("+85512345679", "101", route_reason="Rings Lina.", **ids)
    nowhere = live_call("+85512345670", "101", node="gone", call_id=f"{SIMULATED}1")
    for call in (here, there, nowhere):
        notices.publish(Notice("ringing", call.started_ms, call))
    await shown(notices, here.call_id, there.call_id, nowhere.call_id)
    await notices.hear("pbx")
    recorded: list[CallFacts] = []
    look = NodesGone(notices, recorded.append, lambda node: compose.call_rules(Settings(), node))
    await look.look()
    await shown(notices, here.call_id, there.call_id, nowhere.call_id)
    assert recorded == [], "a node has ten minutes from our start to be heard of"

    look._since -= GONE_S
    await look.look()
    ended = (await shown(notices, here.call_id, nowhere.call_id))[there.call_id]
    assert [phone.state for phone in ended.phones] == ["stopped"]
    (facts,) = recorded
    assert (facts.call_id, facts.node, facts.outcome) == (there.call_id, "gone", "missed")
    assert facts.reason == f"Rings Lina. {NOT_ALL_HEARD}"
    assert facts.ended_ms == there.started_ms, "that is when it was last heard of"

    notices.publish(Notice("ringing", there.started_ms, there))
    notices.publish(Notice("ended", here.started_ms, here))
    await look.look()
    await shown(notices, here.call_id, nowhere.call_id)
    assert len(recorded) == 1


async def test_a_node_that_was_never_heard_of_is_very_silent(notices: RedisNotices) -> None:
    await notices.hear("pbx")
    silent = await notices.silent_s(["pbx", "never"])
    assert silent["pbx"] < 5
    assert silent["never"] > GONE_S
