"""Which channel belongs to which conversation, as Asterisk itself ties them together.

Channels are one conversation when one dials the other, when they are the two halves of a Local channel, when they share
a bridge, or when a transfer ties them. That is how Asterisk makes its linkedid, the id of the oldest of them; a channel
that says its linkedid (see `Snapshot.linkedid`) is believed. So a consultation that ends in a transfer becomes a part
of the customer's conversation. Only two calls that both came in from outside stay two, though their callers may talk.

Pure, as the call itself: events in, what each call wants done out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from ari_app.actions import Action
from ari_app.call import Call, Rules
from ari_app.channels import Channels
from ari_app.events import (
    Answered,
    Arrived,
    Began,
    CallEvent,
    Gone,
    Joined,
    Looked,
    Lost,
    Parted,
    RingAnswered,
    RingBegan,
    RingEnded,
    Transferred,
)
from ari_app.picture import State
from ari_app.trunks import Trunks
from lookup.notices import LiveCall

Wanted = tuple[Call, list[Action]]

REMEMBERED = 20_000
"""Ids of channels that are gone, with the call whose end was told: what comes late must not begin it anew."""

OVERDUE_MS = 10_000
"""A call that may be over, and that is silent for so long, is looked after; and any other after"""
OVERDUE_ALWAYS_MS = 600_000

_RANK = {"inbound": 0, "outbound": 1, "internal": 2}


class Conversations:
    def __init__(self, rules: Rules, trunks: Iterable[str] = ()) -> None:
        self.channels = Channels()
        self._rules = rules
        self._trunks = Trunks(trunks)
        self._of: dict[str, Call] = {}  # by channel id
        self._gone: OrderedDict[str, str] = OrderedDict()

    def of(self, channel_id: str) -> Call | None:
        return self._of.get(channel_id)

    def __len__(self) -> int:
        return len(set(self._of.values()))

    def __iter__(self) -> Iterator[Call]:
        return iter(dict.fromkeys(self._of.values()))

    def take_up(self, told: LiveCall) -> bool:
        """A call that another process followed before; False when it is known here."""
        seen = self._of.get(told.uniqueid)
        if (seen is not None and not seen.unheard) or self._gone.get(told.uniqueid) == told.call_id:
            return False
        call = Call.restored(told, self._rules, self.channels, self._trunks)
        call.members |= seen.members if seen else set()
        for channel_id in call.members:
            self._of[channel_id] = call
            self._gone.pop(channel_id, None)  # it ended before we knew whose it was: the next look finds out again
        return True

    def interrupt(self) -> None:
        """For a while nobody listened: what happened then was not heard, and only what is so now can be asked."""
        for call in self:
            call.interrupted = True

    def receive(self, event: Arrived | CallEvent) -> list[Wanted]:
        """What the calls want that this event is about; empty when it is about none."""
        if self._is_late(event):
            return []
        if isinstance(event, Joined) and not self._gone.keys().isdisjoint(event.others):
            event = replace(event, others=tuple(each for each in event.others if each not in self._gone))
        self.channels.hear(event)
        wanted = self._tie(event)
        call = self._of.get(event.channel_id or getattr(event, "peer_id", ""))
        if call is not None:
            wanted.append((call, call.receive(event)))
        elif isinstance(event, Gone | Lost):
            self._forget([event.channel_id])
        for other, _ in wanted:
            if not other.merged_into:
                over = other.state is State.ENDED
                if over or isinstance(event, RingEnded | Gone | Lost):
                    told = other.call_id if over and other.told is not None else ""
                    self._forget(other.members if over else other.settled(), told)
        return wanted

    def looked(self, call: Call, event: Looked) -> list[Wanted]:
        """An answer to what this call asked; it may have ended meanwhile, or become a part of another."""
        if call.state is State.ENDED and not call.merged_into:
            return [(call, call.learn_afterwards(event))]
        return [(call, call.receive(event))] if self._of.get(event.channel_id) is call else []

    def overdue(self, now_ms: int, most: int) -> list[str]:
        """Ids of channels that may be no more, though nobody said so: those of at most so many calls that fell silent,
        of the longest silent first.
        """
        found, asked = [], 0
        for call in sorted(self, key=lambda call: call.heard_ms):
            if asked == most:
                break
            channels = self.channels.of(call.members)
            doubtful = any(channel.gone_ms or channel.status for channel in channels)
            if not call.picture.answered_ms or not call.origin.begin_heard:
                doubtful = True  # it came into our hands, or another process told of it, when its end was heard already
            if now_ms - call.heard_ms > (OVERDUE_MS if doubtful else OVERDUE_ALWAYS_MS):
                asked += 1
                call.heard_ms = now_ms  # not again before it is as old as this
                found += [channel.id for channel in channels if not channel.gone_ms]
        return found

    def let_go(self, call: Call) -> None:
        """Another process follows it from here on; it may come again."""
        for channel_id in call.members:
            self._of.pop(channel_id, None)
        self.channels.forget(list(call.members))

    # --- tying together

    def _tie(self, event: Arrived | CallEvent) -> list[Wanted]:
        match event:
            case Arrived() | Answered():
                self._begin_or_join(event.channel_id, event.linkedid)
            case Began():
                channel = self.channels.add(event.channel_id)
                if not channel.is_dialled and channel.is_person:
                    self._begin_or_join(event.channel_id, channel.linkedid)
                if event.channel_id not in self._of and self.channels.other_half(event.channel_id) not in self._of:
                    return []  # somebody dials it, and will say so
            case RingBegan() | RingAnswered() | RingEnded():
                return self._together([event.channel_id, event.peer_id], event.at_ms)
            case Joined():
                return self._together([event.channel_id, *self._sharing(event)], event.at_ms)
            case Transferred():
                return self._together(event.legs, event.at_ms)
            case _:
                return []
        return self._together([event.channel_id], event.at_ms)

    def _begin_or_join(self, channel_id: str, linkedid: str) -> None:
        if channel_id in self._of:
            return
        call = self._of.get(linkedid)
        if call is None:
            call = Call(channel_id, self._rules, self.channels, self._trunks, linkedid)
        self._belongs(channel_id, call)

    def _sharing(self, event: Joined) -> list[str]:
        """Who is in that bridge with it at some time; in one that holds, everybody is alone."""
        channel = self.channels.get(event.channel_id)
        if event.holds or channel is None:
            return []
        return [other for other, _, _ in self.channels.meetings(channel, silent=True)]

    def _together(self, channel_ids: Iterable[str], at_ms: int) -> list[Wanted]:
        """These channels are one conversation from now on."""
        ids = [each for each in dict.fromkeys(channel_ids) if each and each not in self._gone]
        ids += [half for each in ids if (half := self.channels.other_half(each)) and half not in ids]
        calls = list(dict.fromkeys(self._of[each] for each in ids if each in self._of))
        linkedids = [channel.linkedid for channel in self.channels.of(ids) if channel.linkedid]
        calls += [self._of[each] for each in linkedids if each in self._of and self._of[each] not in calls]
        if not calls:
            return self._begin_of(ids)
        main, *others = sorted(calls, key=_before)
        for each in ids:
            if each not in self._of:
                self._belongs(each, main)
        wanted: list[Wanted] = []
        for other in others:
            if _may_be_one(main, other):
                wanted.append((other, main.absorb(other, at_ms)))
                for channel_id in other.members:
                    self._of[channel_id] = main
            else:
                wanted.append((other, other.settle(at_ms)))
        if others:
            wanted.append((main, main.settle(at_ms)))
        return wanted

    def _begin_of(self, ids: Collection[str]) -> list[Wanted]:
        """Nobody knows any of them: a conversation that began before we came, or that nobody called."""
        known = [channel for channel in self.channels.of(ids) if channel.is_person or channel.originated]
        if known:
            first = min(known, key=lambda channel: (channel.is_dialled, channel.created_ms, channel.id))
            call = Call(first.id, self._rules, self.channels, self._trunks, first.linkedid)
            for each in ids:
                self._belongs(each, call)
        return []

    def _belongs(self, channel_id: str, call: Call) -> None:
        call.members.add(channel_id)
        self._of[channel_id] = call

    # --- the end

    def _is_late(self, event: Arrived | CallEvent) -> bool:
        if isinstance(event, RingBegan | RingAnswered | RingEnded):
            return event.channel_id in self._gone or event.peer_id in self._gone
        unheard = isinstance(event, Parted) and self.channels.get(event.channel_id) is None
        return unheard or event.channel_id in self._gone

    def _forget(self, channel_ids: Collection[str], told: str = "") -> None:
        for channel_id in channel_ids:
            self._of.pop(channel_id, None)
            self._gone[channel_id] = told
        while len(self._gone) > REMEMBERED:
            self._gone.popitem(last=False)
        self.channels.forget(channel_ids)


def _before(call: Call) -> tuple[bool, int, int, str]:
    """Of conversations that become one, the customer's stays; of equal ones the older."""
    return call.unheard, _RANK[call.picture.direction], call.origin.created_ms, call.origin_id


def _may_be_one(main: Call, other: Call) -> bool:
    return main.picture.direction != "inbound" or other.picture.direction != "inbound"
