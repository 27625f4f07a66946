"""Calls that the company's own telephones make: the name of whom they call, for the caller's screen.

The dialplan asks before it dials ([ringcard-outbound]), and waits no longer than for any call. This is apart from the
story of the call, which the tracker tells anyway: one question, one answer, and the channel is the dialplan's again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ari_app.events import DIALS, arguments, endpoint_of
from lookup.answers import Answer, Caller, Found
from lookup.card import Phone
from lookup.channel_values import CALLED_NAME
from lookup.duty import Duty
from lookup.naming import clean, phone_name

log = logging.getLogger(__name__)

AT_ONCE = 200
"""More questions than this at one time are handed back unanswered."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A telephone of ours is about to be connected with this number."""

    channel_id: str
    phone: str  # its endpoint
    called: str  # as dialled
    trunk: str


class Link(Protocol):
    async def hand_back(self, channel_id: str, values: Mapping[str, str]) -> None: ...


class Finder(Protocol):
    async def find(self, caller: Caller, budget_s: float) -> Answer: ...


class Dialling:
    def __init__(
        self,
        link: Link,
        finder: Finder,
        duty: Callable[[], Duty],
        node: str,
        budget_s: float,
        link_errors: tuple[type[Exception], ...],
        on_phone: Callable[[str, str], str] = lambda phone, name: name,
    ) -> None:
        self.asked = self.named = 0
        self._link = link
        self._finder = finder
        self._duty = duty
        self._node = node
        self._budget_s = budget_s
        self._link_errors = link_errors
        self._on_phone = on_phone  # the name as a phone can show it
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, raw: Mapping[str, Any]) -> bool:
        """True when the event was such a question: nobody else needs it then."""
        asked = asked_by(raw)
        if asked is None:
            return False
        self.asked += 1
        task = asyncio.create_task(self._answer(asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _answer(self, asked: Asked) -> None:
        name = ""
        try:
            name = colleague(self._duty(), self._node, asked.called)
            if not name and len(self._tasks) <= AT_ONCE:
                answer = await self._finder.find(Caller(asked.called, trunk=asked.trunk), self._budget_s)
                name = phone_name(answer) if isinstance(answer, Found) else ""
        except Exception:
            log.exception("the name of a number that is dialled cannot be told")
        try:
            values = {CALLED_NAME: self._on_phone(asked.phone, name)} if name else {}
            await self._link.hand_back(asked.channel_id, values)
        except self._link_errors as exc:
            log.info("not handed back, the dialplan's guard lets it be dialled: %s", exc)
        else:
            self.named += bool(name)

    async def close(self) -> None:
        """Every question is bounded, so wait for those that are open."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


def asked_by(raw: Mapping[str, Any]) -> Asked | None:
    """The question in a raw event; None when it is something else."""
    if raw.get("type") != "StasisStart":
        return None
    try:
        channel = raw["channel"]
        channel_id, phone, told = channel["id"], endpoint_of(channel["name"]), arguments(channel)
    except (KeyError, TypeError, AttributeError):
        return None
    marked, called, trunk, *_ = [*told, *[""] * 3]
    return Asked(channel_id, phone, called, trunk) if marked == DIALS else None


def colleague(duty: Duty, node: str, called: str) -> str:
    """The name of who sits at the dialled phone; of several, of all whose names there is room for."""
    sitting = duty.at_phone.get(Phone(node, called)) or duty.at_phone.get(Phone("", called, inside=False)) or ()
    return clean(" / ".join(name for each in sitting if (name := clean(each.person.name))))
