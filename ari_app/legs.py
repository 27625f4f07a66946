"""The phones of one conversation: who was rung, who talked and from when, how each of them ended.

Pure functions of what was heard so far, so they come out the same in whatever order it was heard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ari_app.channels import Channel, Channels
from ari_app.trunks import Trunks
from lookup.notices import PhoneState, RungPhone
from records.facts import LegFacts

BUSY, DECLINED, ELSEWHERE = 17, 21, 26  # Q.850; 603 is told as 21 and by Dial as NOANSWER
OUTSIDE_CONTEXT = "@ringcard-outside-"
"""In the name of the Local channel through which dialplan/ringcard.conf rings a person outside."""
SAME_MOMENT_MS = 1000


@dataclass(frozen=True, slots=True)
class Leg:
    """One phone's part in the conversation."""

    phone: RungPhone
    with_caller_ms: int  # from when it talked with the one whose call this is; 0: it did not
    hung_up_ms: int


def legs_of(
    members: Sequence[Channel], origin: Channel, channels: Channels, trunks: Trunks, past: Mapping[str, RungPhone]
) -> list[Leg]:
    """Each attempt to ring a phone, and each phone that came in by itself (it took a parked call, entered a conference)
    and then talked with the caller; in the order in which they began. `past`: as they were told by another process.
    """
    caller_side = {origin.id, *(channel.id for channel in members if channel.is_local)}
    found = []
    for channel in members:
        if not channel.is_person or (channel is origin and not channel.originated):
            continue
        met = [(begin, other in caller_side) for other, begin, _ in channels.meetings(channel)]
        with_caller_ms = min((begin for begin, theirs in met if theirs), default=0)
        if channel.is_dialled or with_caller_ms:
            number = trunks.number_through(channel.dialled, channel.endpoint) if channel.is_dialled else ""
            with_caller_ms = with_caller_ms or _unbridged_ms(channel, origin)
            talked_ms = min((begin for begin, _ in met), default=with_caller_ms)
            phone = _phone(channel, _called(channel, channels) or number or channel.endpoint, talked_ms, bool(number))
            if told := past.get(channel.id):
                phone = _as_told(phone, told)
                with_caller_ms = with_caller_ms and (told.answered_ms or with_caller_ms)
            found.append(Leg(phone, with_caller_ms, channel.hung_up_ms))
    return sorted(found, key=lambda leg: (leg.phone.started_ms, leg.phone.channel_id))


def _phone(channel: Channel, endpoint: str, talked_ms: int, outside: bool) -> RungPhone:
    outcome = _leg_outcome(channel, talked_ms)
    # Dial says NOANSWER of a phone that declined, too: only its end, a moment later, tells.
    ended_ms = channel.gone_ms or (0 if talked_ms or channel.status == "NOANSWER" else channel.status_ms)
    started_ms = channel.dialled_ms or channel.created_ms if channel.is_dialled else talked_ms
    state: PhoneState = "stopped" if ended_ms else "ringing"
    since_ms = ended_ms or started_ms
    if not ended_ms and (talked_ms or channel.accepted_ms):
        stays = [bridge.stays[channel.id] for bridge in channel.bridges.values()]
        if talked_ms and stays and all(stay.over for stay in stays):  # it left, and its own dialplan goes on
            state, since_ms = "stopped", max(stay.left_ms for stay in stays)
        else:
            state, since_ms = "talking", talked_ms or channel.accepted_ms
    return RungPhone(
        endpoint=endpoint,
        state=state,
        since_ms=since_ms,
        channel_id=channel.id,
        started_ms=started_ms,
        answered_ms=talked_ms,
        outcome=outcome,
        outside=outside,
    )


def _unbridged_ms(channel: Channel, origin: Channel) -> int:
    """When the phone answered, though no bridge followed: 0 unless the caller was let through to it.

    Dial() tells the caller of the answer first and makes the bridge then; when Asterisk has no time, a second later
    (measured). Who hung up by then never was in a bridge, and was answered all the same. Nothing follows of a caller
    whom something else had answered before (a menu, a queue), nor of a phone that was gone long before the caller
    (its person would not take the call, and voicemail did).
    """
    answered = channel.dialled_by == origin.id and 0 < channel.accepted_ms <= origin.calls_ms
    if not answered or channel.bridges or not origin.hung_up_answered:
        return 0
    stayed = not channel.gone_ms or channel.gone_ms >= origin.hung_up_ms - SAME_MOMENT_MS
    return channel.accepted_ms if stayed else 0


def _as_told(phone: RungPhone, told: RungPhone) -> RungPhone:
    """What another process had heard, and this one only sees the rest of."""
    answered_ms = told.answered_ms or phone.answered_ms
    return replace(
        phone,
        endpoint=phone.endpoint if phone.outside else told.endpoint,
        outside=phone.outside or told.outside,
        reason=told.reason,
        started_ms=told.started_ms,
        answered_ms=answered_ms,
        since_ms=told.since_ms if phone.state == told.state else phone.since_ms,
        outcome="answered" if answered_ms else phone.outcome,
    )


def _leg_outcome(channel: Channel, talked_ms: int) -> str:
    """Empty while it rings."""
    if talked_ms:
        return "answered"
    if not channel.gone_ms and not channel.status:
        return ""
    if channel.cause == DECLINED:
        return "declined"
    if channel.status == "BUSY" or channel.cause == BUSY:
        return "busy"
    if channel.status == "CANCEL" or channel.cause == ELSEWHERE:
        return "cancelled"
    if channel.status == "NOANSWER" or (channel.originated and not channel.lost):
        return "missed" if channel.rang_ms else "failed"
    return "failed" if channel.status in ("CHANUNAVAIL", "CONGESTION") else "cancelled"


def _called(channel: Channel, channels: Channels) -> str:
    """The number outside that somebody is rung at: as the people of the company have it, not as the trunk wants it."""
    by = channels.get(channel.dialled_by)
    while by is not None and by.is_local:
        if OUTSIDE_CONTEXT in by.name:
            return by.endpoint
        half = channels.get(channels.other_half(by.id))
        by = channels.get(half.dialled_by) if half else None
    return ""


def facts_of(phone: RungPhone) -> LegFacts:
    ended_ms = phone.since_ms if phone.state == "stopped" else 0
    return LegFacts(phone.channel_id, phone.endpoint, phone.started_ms, phone.answered_ms, ended_ms, phone.outcome)


def shown(legs: Sequence[RungPhone]) -> tuple[RungPhone, ...]:
    """Every phone that rings or talks, and of the others the latest attempt; of one that rings again only that."""
    in_use = [phone for phone in legs if phone.state != "stopped"]
    names = {phone.endpoint for phone in in_use}
    latest = {phone.endpoint: phone for phone in legs if phone.state == "stopped" and phone.endpoint not in names}
    return tuple(sorted((*latest.values(), *in_use), key=lambda phone: (phone.started_ms, phone.channel_id)))
