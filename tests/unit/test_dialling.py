"""What a telephone that calls is told of whom it calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from ari_app.ari_requests import AriError
from ari_app.dialling import Asked, Dialling, asked_by, colleague
from lookup.answers import Answer, Caller, Found, Number, Unknown
from lookup.card import Card, Person, Phone
from lookup.duty import Colleague, Duty

NUMBER = Number("012345678", "+85512345678", "+85512345678")
DARA = Card(7, 1, "Sok Dara")
FOUND = Found(NUMBER, (DARA,), DARA, "exact", "cache", "")
DUTY = Duty(
    people={
        1: Colleague(Person(1, "Chan Lina", (Phone("pbx", "101"), Phone("pbx", "+85599000111", inside=False)))),
        2: Colleague(Person(2, "Kim\r\nVuthy", (Phone("pbx", "102"),))),
        3: Colleague(Person(3, "Keo Bopha", (Phone("pbx", "102"),))),
        4: Colleague(Person(4, "Sam", (Phone("other", "103"),))),
    }
)


def start(data: str) -> dict[str, Any]:
    return {"type": "StasisStart", "channel": {"id": "c", "name": "PJSIP/101-0000000a", "dialplan": {"app_data": data}}}


@pytest.mark.parametrize(
    ("raw", "asked"),
    [
        (start("ringcard,dials,+85512345678,lab"), Asked("c", "101", "+85512345678", "lab")),
        (start("ringcard,dials,102"), Asked("c", "101", "102", "")),
        (start("ringcard,+85523900001,lab,allowed,c,Sales"), None),
        (start("ringcard"), None),
        ({"type": "StasisStart"}, None),
        ({"type": "StasisEnd"}, None),
    ],
)
def test_a_question_is_told_from_a_call_that_comes_in(raw: dict[str, Any], asked: Asked | None) -> None:
    assert asked_by(raw) == asked


@pytest.mark.parametrize(
    ("called", "name"),
    [("101", "Chan Lina"), ("102", "Kim Vuthy / Keo Bopha"), ("103", ""), ("+85599000111", "Chan Lina"), ("104", "")],
)
def test_a_colleague_is_found_by_the_phone_on_this_pbx(called: str, name: str) -> None:
    assert colleague(DUTY, "pbx", called) == name


class Asterisk:
    def __init__(self, gone: bool = False) -> None:
        self.told: list[tuple[str, Mapping[str, str]]] = []
        self._gone = gone

    async def hand_back(self, channel_id: str, values: Mapping[str, str]) -> None:
        self.told.append((channel_id, values))
        if self._gone:
            raise AriError("gone")


class Customers:
    def __init__(self, answer: Answer | Exception) -> None:
        self._answer = answer

    async def find(self, caller: Caller, budget_s: float) -> Answer:
        await asyncio.sleep(0)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "values"),
    [
        (FOUND, {"RINGCARD_CALLED_NAME": "Sok"}),
        (Unknown(NUMBER, ""), {}),
        (RuntimeError("a mistake of ours"), {}),
    ],
)
async def test_every_question_gives_the_channel_back(answer: Answer | Exception, values: Mapping[str, str]) -> None:
    for asterisk in (Asterisk(), Asterisk(gone=True)):
        dialling = Dialling(
            asterisk, Customers(answer), lambda: DUTY, "pbx", 0.1, (AriError,), lambda phone, name: name[: len(phone)]
        )
        assert dialling.take(start("ringcard,dials,+85512345678"))
        assert not dialling.take(start("ringcard,+85523900001"))
        await dialling.close()
        assert asterisk.told == [("c", values)]
        assert dialling.asked == 1
