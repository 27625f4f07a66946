"""`ringcard simulate NUMBER`: a call that needs no PBX, on the screens of the people whose phones would ring.

It is looked up and routed by the same code as a call, told to the desk state by state, and marked as simulated there.
Asterisk hears nothing of it, and it is kept nowhere: neither in the log of calls nor in a figure.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from config.settings import Settings
from desk.story import simulated_story
from lookup import reasons
from lookup.answers import Answer, Caller
from lookup.breaker import StoreGone
from lookup.duty import Duty
from lookup.notices import LiveCall, Notice
from lookup.playing import Player, new_call_id, now_ms
from lookup.redis_notices import RedisNotices
from lookup.simulated import Outcome, Plan, Turn, begun, read_caller, turn_to_phones, turns_of
from lookup.trying import way_of
from records.errors import Refused
from ringcard import compose
from ringcard.from_settings import redis_url
from ringcard.route_report import LOOKUP_S

LONGEST_S = 3600.0
STOP_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says. `to`: a phone, instead of the rules; `did`: the number of ours that is called."""

    number: str
    to: str
    did: str
    outcome: Outcome
    answer_after_s: float
    talk_s: float


def main_simulate(settings: Settings, args: argparse.Namespace) -> int:
    """Play the call to its end. Returns the exit status. Raises Refused when nothing would ring."""
    asked = Asked(args.number, args.to, args.did, args.outcome, args.answer_after, args.talk)
    caller = _read(asked)
    compose.check_or_say(settings)
    try:
        asyncio.run(_simulate(settings, asked, caller))
    except KeyboardInterrupt:
        print("Hung up.")
        return 130
    return 0


async def _simulate(settings: Settings, asked: Asked, caller: Caller) -> None:
    async with contextlib.AsyncExitStack() as stack:
        notices = RedisNotices(redis_url(settings))
        stack.push_async_callback(notices.close)
        try:
            last_id, _ = await notices.snapshot()
        except StoreGone as gone:
            raise Refused(
                f"no screen can be told: Redis gives no answer ({gone.reason}); start Ringcard with `ringcard run`, "
                "then try again"
            ) from None
        engine = await compose.open_engine(stack, settings)
        duty = (await compose.open_duty(stack, settings)).now
        answer = await engine.find(caller, LOOKUP_S)
        at = datetime.now(ZoneInfo(settings.company.time_zone))
        plan, reason = plan_of(asked, answer, settings, duty, at)
        call = begun(new_call_id(), settings.asterisk.node, caller, asked.did, answer, reason, now_ms(), plan)
        print(f"A simulated call: no telephone rings, and it is not in the log. {settings.public_url} shows it to")
        for turn in plan.turns:
            print(f"    {_who(turn, settings, duty)}")
        said = _Saying()

        def tell(notice: Notice) -> None:
            notices.publish(notice)
            if notice.call:
                said.say(notice.call)

        player = Player(call, plan, tell)
        listening = asyncio.create_task(_listen(notices, last_id, player, said))
        try:
            await player.play()
        finally:
            player.hang_up()
            while not listening.done():  # the redis package may lose one cancellation that meets its own time-out
                listening.cancel()
                await asyncio.wait({listening}, timeout=STOP_AGAIN_S)


async def _listen(notices: RedisNotices, after_id: str, player: Player, said: _Saying) -> None:
    """Somebody may answer at the desk. While Redis is away the call goes on as it was planned."""
    while True:
        try:
            async for id, notice in notices.follow(after_id):
                after_id = id
                if notice.call:
                    player.heard(notice.call)
                    said.say(player.call)
        except StoreGone:
            await asyncio.sleep(1)


class _Saying:
    """Prints what is new, once."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def say(self, call: LiveCall) -> None:
        for step in simulated_story(call):
            if step.what not in self._told:
                print(f"{step.after_ms / 1000:7.1f} s  {step.what}", flush=True)
            self._told.add(step.what)


def plan_of(asked: Asked, answer: Answer, settings: Settings, duty: Duty, at: datetime) -> tuple[Plan, str]:
    """What is to be played, and why it comes there. Raises Refused when no phone would ring, or none for so long."""
    turns, reason = _turns(asked, answer, settings, duty, at)
    plan = Plan(turns, asked.outcome, asked.answer_after_s, asked.talk_s)
    if asked.outcome == "answered" and asked.answer_after_s >= plan.ring_s:
        raise Refused(f"it would ring for {plan.ring_s:g} s in all; say an --answer-after below that")
    return plan, reason


def _turns(asked: Asked, answer: Answer, settings: Settings, duty: Duty, at: datetime) -> tuple[tuple[Turn, ...], str]:
    if asked.to:
        turn = _to_phone(asked.to, settings, duty)
        return (turn,), turn.phones[0].reason
    way = way_of(answer, settings, duty, at, asked.did)
    if not way.steps:
        raise Refused(f"no phone would ring. {way.reason} Name one with --to PHONE, or see `ringcard route`")
    return turns_of(way.steps), way.reason


def _to_phone(phone: str, settings: Settings, duty: Duty) -> Turn:
    node = settings.asterisk.node
    known = {each.name for each in duty.at_phone if each.node == node or not each.inside}
    if phone not in known:
        seats = f"somebody sits at {', '.join(sorted(known))}" if known else "seat somebody at a phone first"
        raise Refused(f"nobody sits at phone {phone!r} here, so no screen would show it; {seats}")
    return turn_to_phones((phone,), settings.routing.ring_s, reasons.SIMULATED_FOR_PHONE.format(name=phone))


def _who(turn: Turn, settings: Settings, duty: Duty) -> str:
    sitting: Sequence[str] = [
        f"{colleague.person.name} (phone {phone.name})"
        for phone, people in duty.at_phone.items()
        for colleague in people
        if phone.name in {each.endpoint for each in turn.phones}
        and (phone.node == settings.asterisk.node or not phone.inside)
    ]
    return f"{', '.join(sitting) or 'nobody who signs in'}, for {turn.ring_s:g} s: {turn.phones[0].reason}"


def _read(asked: Asked) -> Caller:
    """Raises Refused."""
    for name, value in (("--answer-after", asked.answer_after_s), ("--talk", asked.talk_s)):
        if not 0 <= value <= LONGEST_S:
            raise Refused(f"{name} is a number of seconds from 0 to {LONGEST_S:g}")
    try:
        return read_caller(asked.number)
    except ValueError as exc:
        raise Refused(str(exc)) from None
