"""One conversation as a whole, at one moment: what its legs and what is known beside them amount to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from ari_app.channels import FOREVER, Channel
from ari_app.legs import Leg
from ari_app.trunks import Trunks, is_long

NOBODY_THERE = {1, 2, 3, 20, 27, 34, 38, 41, 42, 44, 58}
"""Q.850 causes that say the call could not be delivered at all, as against nobody answering."""

VOICEMAIL = frozenset({"VoiceMail", "MinivmRecord"})

Direction = Literal["inbound", "outbound", "internal"]


class State(Enum):
    LOOKING = "looking"  # in our hands, its answer awaited
    WAITING = "waiting"  # back in the dialplan and no phone rings: an IVR, a queue, between two steps, parked
    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Picture:
    """Moments are milliseconds since the epoch, 0: not (yet). Names are those of the public contract."""

    state: State = State.WAITING
    direction: Direction = "internal"
    outside: str = ""  # the number outside that was dialled, or is to be
    trunk: str = ""  # the endpoint of it
    answered_ms: int = 0
    answered_endpoint: str = ""
    caller_endpoint: str = ""
    parked: str = ""  # the parking lot in which somebody waits
    ended_ms: int = 0
    outcome: str = ""
    hangup_by: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """What the call knows that its channels do not say."""

    arrived: bool = False  # it came in through our application
    in_hands: bool = False
    blocked: bool = False
    outside: str = ""  # the number outside, when it was known before
    answered_ms: int = 0  # as another process told
    answered_endpoint: str = ""
    over_ms: int = 0  # when the last of those ended that are only remembered


def draw(
    members: Sequence[Channel],
    legs: Sequence[Leg],
    over: Sequence[Leg],
    origin: Channel,
    trunks: Trunks,
    beside: Beside,
) -> Picture:
    """`legs` are those that may change still, `over` those that rang in vain before."""
    outside = beside.outside or next((leg.phone.endpoint for leg in legs if leg.phone.outside), "")
    if not outside and origin.originated and is_long(origin.connected):
        outside = origin.connected
    direction = _direction(origin, trunks, outside, arrived=beside.arrived)
    answered_ms = beside.answered_ms or _answered_ms(legs, outbound=direction == "outbound")
    caller_endpoint = "" if direction == "inbound" else _caller_endpoint(origin, legs)
    answered_endpoint = ""
    if answered_ms:
        last = last_to_answer(legs)
        answered_endpoint = last.phone.endpoint if last else beside.answered_endpoint
        answered_endpoint = caller_endpoint if direction == "outbound" else answered_endpoint
    state = _state(members, legs, origin, in_hands=beside.in_hands)
    ended = state is State.ENDED
    waiting = (channel for channel in members if channel.bridges and not channel.gone_ms)
    outcome = "blocked" if beside.blocked and not answered_ms else _outcome([*over, *legs], origin, bool(answered_ms))
    return Picture(
        state=state,
        direction=direction,
        outside=outside,
        trunk=origin.endpoint if direction == "inbound" else _trunk(members, legs),
        answered_ms=answered_ms,
        answered_endpoint=answered_endpoint,
        caller_endpoint=caller_endpoint,
        parked=next((bridge.parked for channel in waiting for bridge in channel.present if bridge.parked), ""),
        ended_ms=max(beside.over_ms, *(channel.gone_ms for channel in members)) if ended else 0,
        outcome=outcome if ended else "",
        hangup_by=_hung_up_by(legs, origin, answered=bool(answered_ms)) if ended else "",
    )


def last_to_answer(legs: Sequence[Leg]) -> Leg | None:
    talked = [leg for leg in legs if leg.with_caller_ms]
    return max(talked, key=lambda leg: (leg.with_caller_ms, leg.phone.started_ms, leg.phone.channel_id), default=None)


def _state(members: Sequence[Channel], legs: Sequence[Leg], origin: Channel, *, in_hands: bool) -> State:
    """It is over with the last of its channels; of one that was only named beside others nobody may tell the end."""
    if origin.gone_ms and all(channel.gone_ms for channel in members if channel.name):
        return State.ENDED
    if in_hands:
        return State.LOOKING
    states = {leg.phone.state for leg in legs if leg.phone.channel_id != origin.id}
    return State.TALKING if "talking" in states else State.RINGING if "ringing" in states else State.WAITING


def _direction(origin: Channel, trunks: Trunks, outside: str, *, arrived: bool) -> Direction:
    if arrived or (not origin.is_dialled and trunks.leads_outside(origin.endpoint, origin.context)):
        return "inbound"
    return "outbound" if outside else "internal"


def _answered_ms(legs: Sequence[Leg], *, outbound: bool) -> int:
    """When the caller first talked with a person; of an outbound call with the one outside."""
    talked = [leg.with_caller_ms for leg in legs if leg.with_caller_ms and (leg.phone.outside or not outbound)]
    return min(talked, default=0)


def _caller_endpoint(origin: Channel, legs: Sequence[Leg]) -> str:
    if origin.is_person:
        return origin.endpoint
    return next((leg.phone.endpoint for leg in legs if not leg.phone.outside), "")


def _trunk(members: Sequence[Channel], legs: Sequence[Leg]) -> str:
    outside = {leg.phone.channel_id for leg in legs if leg.phone.outside}
    return next((channel.endpoint for channel in members if channel.id in outside), "") if outside else ""


def _hung_up_by(legs: Sequence[Leg], origin: Channel, *, answered: bool) -> str:
    if not answered:
        return "caller" if origin.hung_up_ms else ""
    last = last_to_answer(legs)
    theirs = (last.hung_up_ms if last else 0) or FOREVER
    return "caller" if origin.hung_up_ms and origin.hung_up_ms <= theirs else "callee"


def _outcome(legs: Sequence[Leg], origin: Channel, answered: bool) -> str:
    """Unanswered, a call is missed when any phone rang in vain; declined or busy when all that were rung said so."""
    if answered:
        return "answered"
    if origin.apps & VOICEMAIL:
        return "voicemail"
    if origin.hung_up_ms and (origin.accepted_ms or not origin.originated):
        return "abandoned"
    ended = {leg.phone.outcome for leg in legs}
    for outcome in ("missed", "declined", "busy"):
        if outcome in ended:
            return outcome
    return "failed" if not legs and origin.cause in NOBODY_THERE else "missed"
