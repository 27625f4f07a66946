"""A telephone of the company that calls: it proves who it is, and writes down what its screen is told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from urllib.parse import quote

from ringcard.lab import Lab
from ringcard.phones import (
    _FAILED,
    _HANG_UP,
    _OPTIONAL,
    Dialled,
    Message,
    _caller,
    _injected,
    _label,
    _outcome,
    _receive,
    _reply,
    _send,
    _Sipp,
    display_name,
    user_part,
)

_TALKS, _TOLD = "30", "31"  # labels of ours in the scenario


class CallingPhone:
    """`async with CallingPhone(lab, "101", "+85512345678") as it:` dials; `talk_s` None talks until the other hangs up.

    `more` are lines for its INVITE, like "Privacy: id".
    """

    def __init__(
        self, lab: Lab, name: str, number: str, *, talk_s: float | None = 0.0, give_up_s: float = 10.0, more: str = ""
    ) -> None:
        self.dialled = Dialled(number=name, did=number)
        scenario = _calling(name, lab.password, give_up_s, talk_s, more)
        address = f"{lab.net}.101.{name}"
        self._sipp = _Sipp(scenario, address, "-inf", "calls", "-m", "1", "-aa", f"{lab.address}:5060")
        self._sipp.file("calls", ["SEQUENTIAL", _injected(self.dialled)])

    async def __aenter__(self) -> Self:
        await self._sipp.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._sipp.stop()

    @property
    def messages(self) -> Sequence[Message]:
        return self._sipp.messages()

    async def over(self) -> int:
        """The final answer to the call, once all is over."""
        assert await self._sipp.wait() in (0, 1), self._sipp.complaint()
        accepted = [message for message in self.messages if message.status not in (401,)]
        return _outcome(self.dialled, accepted).status

    async def heard(self, status: int, within_s: float = 30.0) -> Message:
        """The first such answer to its INVITE."""
        async with asyncio.timeout(within_s):
            while True:
                for message in self.messages:
                    if message.status == status and message.answers == "INVITE" and not message.sent:
                        return message
                await asyncio.sleep(0.01)

    @property
    def screen(self) -> list[tuple[str, str]]:
        """Name and number of who is called, each time that they were told, from the first answer on."""
        told = (m.header("P-Asserted-Identity") for m in self.messages if not m.sent)
        return [(display_name(each), user_part(each)) for each in told if each]

    @property
    def replaces(self) -> str:
        """Its call, as another of the same telephone names it in Refer-To."""
        answer = next(m for m in self.messages if m.status == 200 and m.answers == "INVITE")
        tags = [re.search(r";tag=([^;]+)", answer.header(name)) for name in ("To", "From")]
        theirs, ours = (tag[1] if tag else "" for tag in tags)
        return quote(f"{answer.call_id};to-tag={theirs};from-tag={ours}", safe="")


def _calling(name: str, password: str, give_up_s: float, talk_s: float | None, more: str) -> str:
    """As `dial`, and it takes what Asterisk tells of the other side in mid-call, by a second INVITE."""
    scenario = _caller(give_up_s, talk_s, "", login=f"[authentication username={name} password={password}]")
    if more:
        scenario = scenario.replace("[field2]\n[field3]", more)
    bye = _receive("BYE", timeout_s=talk_s, timeout_to=_HANG_UP)
    failed = _label(_FAILED)
    assert bye in scenario
    assert failed in scenario
    told = _receive("INVITE", timeout_s=talk_s, timeout_to=_HANG_UP, go_to=_TOLD, options=_OPTIONAL)
    scenario = scenario.replace(bye, "\n".join([_label(_TALKS), told, bye]))
    taken = _send(_reply("200 OK", sdp=True, tag=False), retransmit=True)
    return scenario.replace(failed, "\n".join([_label(_TOLD), taken, _receive("ACK", go_to=_TALKS), failed]))
