"""Asterisk's own record of its channels (CEL) read as calls: what is known of a conversation that nobody followed.

Asterisk writes each event as a line of a file, whether Ringcard runs or not (`config/cel_custom.conf` names the
columns). The lines of one linkedid are one conversation, which is over with its LINKEDID_END; from them come the same
facts that `ari_app.call` tells of a call that it followed. Two linkedids that a channel had one after the other, as in
an attended transfer, are one conversation, under the later.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ari_app.call import Call, Rules
from ari_app.channels import DIALLED_APPS, Channels
from ari_app.events import (
    DIALS,
    MACHINES,
    Arrived,
    Began,
    CallEvent,
    Gone,
    HungUp,
    Joined,
    Parted,
    RingAnswered,
    RingBegan,
    RingEnded,
    Snapshot,
    endpoint_of,
)
from ari_app.picture import NOBODY_THERE
from ari_app.trunks import Trunks
from lookup import reasons
from lookup.answers import Caller
from records.facts import CallFacts, call_id_of

COLUMNS = (
    "eventtype",
    "eventtime",
    "linkedid",
    "uniqueid",
    "channame",
    "cidname",
    "cidnum",
    "exten",
    "context",
    "appname",
    "appdata",
    "extra",
)
"""Of a line, in the order of `config/cel_custom.conf`."""

NEEDED = frozenset({"CHAN_START", "ANSWER", "APP_START", "BRIDGE_ENTER", "BRIDGE_EXIT", "HANGUP", "LINKEDID_END"})
"""Event types that say something here; what else a company has written is passed over."""

STALE_MS = 24 * 3_600_000
"""A conversation of which nothing more was heard for so long lost its end."""

AT_THE_SAME_TIME_MS = 500

_BEGINS = re.compile(rb'"[A-Z]')
"""How a line begins that is no continuation: within a field each quote is doubled."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two lines: `mark` is of the file, which keeps it when it is renamed; `offset` in bytes."""

    mark: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One event. `at_ms`: Asterisk's clock, milliseconds since the epoch, UTC. Strangers choose name and number."""

    kind: str
    at_ms: int
    linkedid: str
    uniqueid: str
    channel: str = ""
    name: str = ""
    number: str = ""
    exten: str = ""
    context: str = ""
    app: str = ""
    data: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


# --- from bytes to rows


def lines_of(raw: bytes) -> Iterator[tuple[bytes, int]]:
    """Each whole line and where it ends. A name may have line ends in it; what is torn is passed over.

    A line is whole with its line end and an even number of quotes. A later one that begins tells that the one before
    was torn: written half when the disk was full.
    """
    held, at = b"", 0
    for piece in io.BytesIO(raw):
        at += len(piece)
        held = piece if _BEGINS.match(piece) else held + piece
        if held.endswith(b"\n") and held.count(b'"') % 2 == 0:
            yield held, at
            held = b""


def row_of(line: bytes, at_ms: Callable[[str], int]) -> Row | None:
    """None: an event that says nothing here, or no line of ours. `at_ms` reads a time, and raises ValueError."""
    if line[1 : line.find(b'"', 1)].decode("ascii", "replace") not in NEEDED:
        return None
    try:
        (fields,) = csv.reader([line.decode("utf-8", "replace")], strict=True)
        kind, time, *texts, extra = fields
        told = json.loads(extra) if extra else {}
        linkedid, uniqueid, channel, name, number, exten, context, app, data = texts
        moment = at_ms(time)
    except (csv.Error, ValueError):
        return None
    told = told if isinstance(told, dict) else {}
    row = Row(kind, moment, linkedid, uniqueid, channel, name, number, exten, context, app, data, told)
    return row if row.linkedid and row.uniqueid else None


# --- from rows to conversations


@dataclass(slots=True)
class Conversation:
    linkedid: str
    began: Position  # where its first line stands
    turn: int  # conversations in the order in which they began
    rows: list[Row] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)  # linkedids that its channels had before
    hung_up: set[str] = field(default_factory=set)
    last_ms: int = 0
    over_ms: int = 0  # its LINKEDID_END; 0: not yet
    cut: bool = False


class Conversations:
    """Those that go on, and those that are over and were not taken yet."""

    def __init__(self) -> None:
        self._open: dict[str, Conversation] = {}
        self._linkedid: dict[str, str] = {}  # of each channel that has not hung up
        self._turns = 0

    def hear(self, row: Row, position: Position) -> None:
        """`position`: where the row's line begins."""
        conversation = self._open.get(row.linkedid)
        if conversation is None:
            self._turns += 1
            conversation = self._open[row.linkedid] = Conversation(row.linkedid, position, self._turns)
        before = self._linkedid.get(row.uniqueid, row.linkedid)
        if before != row.linkedid and before in self._open:
            self._merge(self._open.pop(before), conversation)
        conversation.last_ms = max(conversation.last_ms, row.at_ms)
        if row.kind == "LINKEDID_END":
            conversation.over_ms = row.at_ms
            return
        conversation.rows.append(row)
        if row.kind == "HANGUP":
            conversation.hung_up.add(row.uniqueid)
            self._linkedid.pop(row.uniqueid, None)
        elif row.uniqueid not in conversation.hung_up:
            self._linkedid[row.uniqueid] = row.linkedid

    def over(self, before_ms: int) -> list[Conversation]:
        """Those that ended before then; they are forgotten here.

        One that ended while a channel of it goes on waits: that channel has gone over to another.
        """
        going_on = set(self._linkedid.values())
        return self._take(
            lambda each: bool(each.over_ms) and each.over_ms <= before_ms and each.linkedid not in going_on
        )

    def cut_off(self, before_ms: int) -> list[Conversation]:
        """Those of which nothing was heard since then, and never will be; they are forgotten here."""
        cut = self._take(lambda each: each.last_ms < before_ms)
        for each in cut:
            each.cut = True
            for row in each.rows:
                self._linkedid.pop(row.uniqueid, None)
        return cut

    def oldest(self) -> Position | None:
        """From where to read again, so that none of these is lost; None: there are none."""
        first = min(self._open.values(), key=lambda each: each.turn, default=None)
        return first.began if first else None

    def __len__(self) -> int:
        return len(self._open)

    def _merge(self, gone: Conversation, into: Conversation) -> None:
        into.rows += gone.rows
        into.hung_up |= gone.hung_up
        into.merged += [gone.linkedid, *gone.merged]
        into.last_ms = max(into.last_ms, gone.last_ms)
        if gone.turn < into.turn:
            into.turn, into.began = gone.turn, gone.began
        for row in gone.rows:
            if row.uniqueid in self._linkedid:
                self._linkedid[row.uniqueid] = into.linkedid

    def _take(self, wanted: Callable[[Conversation], bool]) -> list[Conversation]:
        taken = [each for each in self._open.values() if wanted(each)]
        for each in taken:
            del self._open[each.linkedid]
        return taken


# --- from a conversation to facts


@dataclass(frozen=True, slots=True)
class Told:
    """What the record tells of a conversation, and the calls that became a part of it."""

    facts: CallFacts
    caller: Caller | None  # who is to be looked up: on the customer's side; None: nobody
    merged: tuple[str, ...]  # call_ids


def told_by(conversation: Conversation, rules: Rules, app: str, trunks: Trunks) -> Told | None:
    """None when its beginning is not in the file, or it is no conversation: a phone that asks the clock.

    `app`: our Stasis application, whose arguments tell the number dialled, the trunk and the presentation. All else is
    what `ari_app.call` makes of the same events when it hears them.
    """
    rows = sorted(conversation.rows, key=lambda row: (row.at_ms, len(row.uniqueid), row.uniqueid))
    starts = {row.uniqueid: row for row in reversed(rows) if row.kind == "CHAN_START"}
    first = starts.get(conversation.linkedid)
    if first is None or first.channel.partition("/")[0] in {"Local", *MACHINES}:
        return None
    channels = Channels()
    for event in _events(rows, starts, first, conversation.last_ms):
        channels.hear(event)
    call = Call.over(first.uniqueid, starts, rules, channels, trunks, _arrived(rows, first, app))
    if call is None:
        return None
    facts = call.facts()
    reason = reasons.CUT if conversation.cut else ""
    facts = replace(facts, version=facts.ended_ms - 1, reason=reason)  # what was heard live to the end counts more
    merged = tuple(call_id_of(rules.node, each) for each in conversation.merged)
    return Told(facts, call.customers_side, merged)


def _arrived(rows: Sequence[Row], first: Row, app: str) -> Arrived | None:
    """As the dialplan gave the call to us; None: it came another way."""
    for row in rows:
        if row.uniqueid == first.uniqueid and row.kind == "APP_START" and row.app == "Stasis":
            name, did, trunk, presentation, *_ = [*row.data.split(","), "", "", ""]
            if name == app and did != DIALS:
                return Arrived(
                    channel_id=first.uniqueid,
                    at_ms=row.at_ms,
                    linkedid=first.linkedid,
                    number=first.number,
                    name=first.name,
                    presentation=presentation,
                    did=did or first.exten,
                    trunk=trunk,
                )
    return None


def _events(rows: Sequence[Row], starts: Mapping[str, Row], first: Row, last_ms: int) -> Iterator[CallEvent]:
    """The same as ARI events. What CEL does not say, who dialled whom and how Dial ended, follows from the rest."""
    ends = {row.uniqueid: row for row in rows if row.kind == "HANGUP"}
    answered = {row.uniqueid: row.at_ms for row in reversed(rows) if row.kind == "ANSWER"}
    dialled = {row.uniqueid for row in rows if row.app in DIALLED_APPS}
    origin = "" if first.uniqueid in dialled else first.uniqueid  # a call that Asterisk was told to make has no caller
    met_ms = [row.at_ms for row in rows if row.kind == "BRIDGE_ENTER" and row.uniqueid in dialled]
    for row in rows:
        if row.uniqueid not in starts:
            continue
        yield Began(_snapshot(row, starts[row.uniqueid]), row.at_ms)
        match row.kind:
            case "CHAN_START" if row.uniqueid in dialled:
                by, what = _dialled(row, rows)
                by = by or (first.uniqueid if row is not first else origin)
                yield RingBegan(by, row.uniqueid, endpoint_of(row.channel), row.at_ms, dialled=what)
            case "ANSWER" if row.uniqueid in dialled:
                calls = replace(_snapshot(first, first), state="Ring")
                caller = calls if origin and answered.get(origin, 0) >= row.at_ms else None
                yield RingAnswered(origin, row.uniqueid, endpoint_of(row.channel), row.at_ms, caller)
            case "BRIDGE_ENTER" | "BRIDGE_EXIT":
                bridge = str(row.extra.get("bridge_id") or row.uniqueid)
                holds = row.extra.get("bridge_technology") == "holding_bridge"
                if row.kind == "BRIDGE_ENTER":
                    yield Joined(row.uniqueid, bridge, row.at_ms, holds=holds)
                else:
                    yield Parted(row.uniqueid, bridge, row.at_ms)
    for channel_id, start in starts.items():
        end = ends.get(channel_id)
        at_ms = end.at_ms if end else last_ms + 1  # who had just met has talked
        cause = int(end.extra.get("hangupcause") or 0) if end else 0
        if channel_id in dialled and channel_id not in answered:
            gave_up = _gave_up(ends.get(_dialled(start, rows)[0] or first.uniqueid), at_ms)
            elsewhere = any(start.at_ms <= moment <= at_ms for moment in met_ms)
            status = "CANCEL" if gave_up or elsewhere or not end else "NOANSWER"
            if cause in NOBODY_THERE:
                status = "CHANUNAVAIL"
            yield RingEnded(origin, channel_id, endpoint_of(start.channel), status, at_ms)
        if end and _hung_up(end):
            yield HungUp(channel_id, at_ms, state="Up" if channel_id in answered else "")
        yield Gone(channel_id, cause, at_ms)


def _gave_up(dialler: Row | None, at_ms: int) -> bool:
    """Whether the phone that stopped ringing then did so because whoever dialled it was no more."""
    if dialler is None or at_ms < dialler.at_ms - AT_THE_SAME_TIME_MS:
        return False
    return _hung_up(dialler) or dialler.extra.get("dialstatus") == "CANCEL"


def _hung_up(end: Row | None) -> bool:
    """The far end of this channel did, and not Asterisk."""
    return end is not None and bool(end.channel) and end.extra.get("hangupsource") == end.channel


def _snapshot(row: Row, start: Row) -> Snapshot:
    return Snapshot(
        id=row.uniqueid,
        name=row.channel,
        state="",
        number=row.number,
        caller_name=row.name,
        context=row.context,
        exten=row.exten,
        app=row.app,
        created_ms=start.at_ms,
    )


def _dialled(start: Row, rows: Sequence[Row]) -> tuple[str, str]:
    """The channel that dialled this one, and what it dialled, as the channel driver got it; empty when not told.

    Local/NUMBER@context is dialled for its ;1, and its ;2 dials on.
    """
    technology, _, rest = start.channel.partition("/")
    if technology == "Local":
        if rest.endswith(";2"):
            return "", ""
        name = rest.rpartition("-")[0]
    else:
        name = endpoint_of(start.channel)
    for row in reversed(rows):
        if (
            row.kind == "APP_START"
            and row.app == "Dial"
            and row.at_ms <= start.at_ms
            and row.uniqueid != start.uniqueid
        ):
            for target in row.data.partition(",")[0].split("&"):
                kind, _, what = target.partition("/")
                if kind == technology and name in (what, what.removesuffix("/n"), *_endpoints(what)):
                    return row.uniqueid, what
    return "", ""


def _endpoints(what: str) -> tuple[str, str]:
    """NUMBER@ENDPOINT and ENDPOINT/NUMBER."""
    return what.rpartition("@")[2], what.partition("/")[0]
