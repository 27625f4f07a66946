"""Telephones that ring together, and each shows the name as it can."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from config.display import Screen
from lookup.channel_values import packed
from lookup.screens import fitted, on_screens
from ringcard.lab import Lab
from ringcard.phones import Phone, call
from tests.fixtures.ari import app, sets

DIRECT = "+85523900002"
KHMER = "សុខ ដារ៉ា"
ASCII, SHORT = Screen(ascii=True), Screen(ascii=True, length=4)
URL = "http://127.0.0.1:8080/c/x"


class SmallPhone(Phone):
    agent = "Lab Mini 1.0"


@pytest_asyncio.fixture
async def group(lab: Lab) -> AsyncIterator[tuple[Phone, ...]]:
    async with (
        Phone(lab, "101", ring_s=0.3) as khmer,
        Phone(lab, "102", ring_s=0.6) as plain,
        SmallPhone(lab, "103", ring_s=0.6) as small,
    ):
        yield khmer, plain, small


async def test_of_telephones_that_ring_together_each_shows_what_it_can(lab: Lab, group: tuple[Phone, ...]) -> None:
    screens = on_screens(KHMER, {"102": ASCII}, {"Lab Mini*": SHORT})
    route = {"RINGCARD_ROUTE_1": "in/101&in/102&in/103", "RINGCARD_RING_1": "5"}
    for links in ({}, {"__RINGCARD_CARD_URL": URL}):
        async with app(lab, sets(packed({"CALLERID(name)": KHMER, **route, **links, **screens}))):
            assert (await call(lab, did=DIRECT)).status == 200
        invites = [phone.invites[-1] for phone in group]
        names = [KHMER, fitted(KHMER, ASCII), fitted(KHMER, SHORT)]
        assert [(invite.name, invite.asserted_name) for invite in invites] == [(name, name) for name in names]
        assert [invite.number for invite in invites] == ["+85512345678"] * 3
        assert [len(invite.call_info) for invite in invites] == [len(links)] * 3
