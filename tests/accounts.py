"""The telephones' own account of calls, to hold the log of calls and the desk's cards against.

Whoever called and whoever was rung wrote down every message, so what became of a call is known without asking Ringcard
or Asterisk. Each caller of a run has a number of their own; one who withholds it has a name of their own instead.
Times are seconds since the epoch, differences are words for a person to read. Pure.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ringcard.phones import Invite, Message, Outcome, user_part

TOLERANCE_S = 1.0
MOST_ROWS = 10


class LogRow(Protocol):
    """What is compared of a call in the log; `records.tables.CallRow` is one."""

    @property
    def call_id(self) -> str: ...
    @property
    def caller_number(self) -> str: ...
    @property
    def caller_name(self) -> str: ...
    @property
    def called_number(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def answered_endpoint(self) -> str: ...
    @property
    def wait_s(self) -> float | None: ...
    @property
    def talk_s(self) -> float | None: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Rang:
    """A call as one telephone had it."""

    phone: str
    at: float
    number: str
    name: str
    status: int  # its own last word: 200, 486, 603, 487 after a CANCEL; 0: it rang on
    said_at: float  # when it said so; 0: it did not
    over_at: float  # when what it had answered was over; infinity: it is not
    cancelled: bool  # taken back before or while it answered

    @property
    def answered(self) -> bool:
        return self.status == 200 and not self.cancelled


@dataclass(frozen=True, slots=True)
class Account:
    """One call by the accounts of its caller and of every telephone that it reached, in order."""

    caller: Outcome
    rang: tuple[Rang, ...]

    @property
    def key(self) -> str:
        return key_of(self.caller.dialled.number, self.caller.dialled.name, bool(self.caller.dialled.withheld))

    @property
    def began_at(self) -> float:
        return self.caller.invited_at

    @property
    def given_up(self) -> bool:
        """The caller hung up, and was told of no answer: a telephone that was picked up just then spoke with nobody."""
        cancelled = any(m.sent and m.method == "CANCEL" for m in self.caller.messages)
        return cancelled and not any(m.answers == "INVITE" and m.status == 200 for m in self.caller.messages)

    @property
    def may_be_unshown(self) -> bool:
        """Over before anybody rang, perhaps before the dialplan had said whether the number may be shown."""
        return self.given_up and not self.rang

    @property
    def answered(self) -> Rang | None:
        """The telephone at which a person spoke with the caller.

        Of several that were picked up at the same moment the PBX lets all but one go at once.
        """
        if self.given_up:
            return None
        return max((ring for ring in self.rang if ring.answered), key=lambda ring: ring.over_at, default=None)

    @property
    def ended_at(self) -> float:
        """When the caller's side was over: the BYE, else the CANCEL, else the refusal; the last message otherwise."""
        over = [m.at for m in self.caller.messages if m.method in ("BYE", "CANCEL")]
        refused = [m.at for m in self.caller.messages if m.answers == "INVITE" and m.status >= 300]
        return min(over or refused or [self.caller.messages[-1].at if self.caller.messages else self.began_at])

    @property
    def outcomes(self) -> frozenset[str]:
        """What the log may call it: unanswered, it is missed when any telephone rang in vain; declined or busy when all
        that were rung said so. Of a call that rang nowhere the telephones cannot tell why.
        """
        if self.answered:
            return frozenset({"answered"})
        if self.caller.hung_up_by == "caller" or self.given_up:
            return frozenset({"abandoned"})
        words = {_WORDS.get(ring.status, "missed") for ring in self.rang}
        first = next((word for word in ("missed", "declined", "busy") if word in words), "")
        return frozenset({first} if first else {"missed", "failed"})

    @property
    def story(self) -> str:
        """Which number was called, and what each telephone said when: for a person who looks into a difference."""
        dialled = self.caller.dialled
        said = (f"{ring.phone} {ring.status or 'rang on'} {ring.at - self.began_at:.1f} s" for ring in self.rang)
        return f"to {dialled.did}: {', '.join(said) or 'nobody rang'}"

    @property
    def wait_s(self) -> float:
        return (self.answered.said_at if self.answered else self.ended_at) - self.began_at

    @property
    def talk_s(self) -> float | None:
        return self.ended_at - self.answered.said_at if self.answered else None


_WORDS = {486: "busy", 603: "declined"}


def key_of(number: str, name: str, withheld: bool) -> str:
    """What tells a caller from all others of the run."""
    return name if withheld else number


def rings(messages: Iterable[Message]) -> list[Rang]:
    """All calls that reached these telephones, in order; each is called by its name."""
    by_call: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        by_call[message.call_id].append(message)
    return [_rang(heard) for heard in by_call.values() if isinstance(heard[0], Invite)]


def _rang(heard: Sequence[Message]) -> Rang:
    invite = heard[0]
    assert isinstance(invite, Invite)
    final = next((m for m in heard if m.sent and m.status >= 200 and m.answers == "INVITE"), None)
    cancelled = any(m.method == "CANCEL" for m in heard)
    status, said_at = (final.status, final.at) if final else (0, 0.0)
    over_at = next((m.at for m in heard if m.method == "BYE"), math.inf)
    hidden = invite.number == "anonymous" and invite.asserted_name
    return Rang(
        user_part(invite.request_uri),
        invite.at,
        invite.number,
        hidden or invite.name,
        status,
        said_at,
        over_at,
        cancelled,
    )


def accounts(callers: Iterable[Outcome], rung: Iterable[Rang]) -> list[Account]:
    """The calls in the order in which they began. A telephone's call is known by the caller's number or name."""
    by_number: dict[str, list[Rang]] = defaultdict(list)
    by_name: dict[str, list[Rang]] = defaultdict(list)
    for ring in sorted(rung, key=lambda ring: ring.at):
        by_number[ring.number].append(ring)
        by_name[ring.name].append(ring)
    found = []
    for caller in callers:
        who = caller.dialled
        mine = by_name[who.name] if who.withheld else by_number[who.number]
        found.append(Account(caller, tuple(mine)))
    return sorted(found, key=lambda account: account.began_at)


# --- the log


def differences(
    made: Iterable[Account], rows: Collection[LogRow], tolerance_s: float = TOLERANCE_S
) -> dict[str, list[str]]:
    """What the log has wrong of each call, by the call's key; a row of nobody's call by its own. Empty is right.

    Whoever hung up before the dialplan had said whether the number may be shown may be in the log without it.
    """
    by_key: dict[str, list[LogRow]] = defaultdict(list)
    for row in rows:
        by_key[key_of(row.caller_number, row.caller_name, not row.caller_number)].append(row)
    wrong: dict[str, list[str]] = {}
    for account in made:
        mine = by_key.pop(account.key, []) or _unshown(account, by_key[""], tolerance_s)
        said = _compared(account, mine[0], tolerance_s) if len(mine) == 1 else [_how_many(len(mine))]
        if said:
            wrong[account.key] = said
    return wrong | {
        key: [f"nobody made this call: {len(left)} in the log", *map(_row, left[:MOST_ROWS])]
        for key, left in by_key.items()
        if left
    }


def _unshown(account: Account, rows: list[LogRow], tolerance_s: float) -> list[LogRow]:
    """The row of a call that rang nobody, taken out of those without any caller."""
    for row in rows if account.may_be_unshown else ():
        if row.ended_at is not None and abs(row.ended_at.timestamp() - account.ended_at) <= tolerance_s:
            rows.remove(row)
            return [row]
    return []


def _row(row: LogRow) -> str:
    story = " | ".join(f"{at_ms % 10**6} {what}" for at_ms, what in getattr(row, "trace", ()))
    return f"\n    call {row.call_id} to {row.called_number}, {row.outcome}; {row.reason} {story}"


def _how_many(rows: int) -> str:
    return f"{rows} rows in the log" if rows else "not in the log"


def _compared(account: Account, row: LogRow, tolerance_s: float) -> list[str]:
    caller, answered = account.caller.dialled, account.answered
    told = "" if caller.withheld else caller.number
    wrong = []
    if row.caller_number != told and (row.caller_number or not account.may_be_unshown):
        wrong.append(f"caller {row.caller_number!r}, not {told!r}")
    if row.called_number != caller.did:
        wrong.append(f"called {row.called_number!r}, not {caller.did!r}")
    if row.outcome not in account.outcomes:
        wrong.append(f"{row.outcome or 'no outcome'}, not {' or '.join(sorted(account.outcomes))}")
    if row.answered_endpoint != (by := answered.phone if answered else ""):
        wrong.append(f"answered by {row.answered_endpoint or 'nobody'}, not {by or 'nobody'}")
    if row.ended_at is None:
        wrong.append("without an end")
    for what, logged, true in (("waited", row.wait_s, account.wait_s), ("talked", row.talk_s, account.talk_s)):
        if (logged is None) != (true is None) or (
            logged is not None and true is not None and abs(logged - true) > tolerance_s
        ):
            wrong.append(f"{what} {_seconds(logged)}, not {_seconds(true)}")
    return [*wrong, f"call {row.call_id} {account.story}; {row.reason}"] if wrong else []


def _seconds(value: float | None) -> str:
    return "not at all" if value is None else f"{value:.1f} s"


# --- the cards


@dataclass(frozen=True, slots=True)
class Shown:
    """A call as the desk showed it to one person at one moment."""

    at: float
    phones: frozenset[str]  # that the person sits at
    number: str  # of the caller; empty: withheld
    names: tuple[str, ...]  # of the customers on the card
    state: str  # ringing, talking, elsewhere, ended


def cards(made: Iterable[Account], shown: Iterable[Shown], names: Mapping[str, str]) -> dict[str, str]:
    """How each answered call's card came to the person whose telephone rang, by the caller's number.

    "right": with the customer's name before they answered; "late": after; "no name": the call without the customer;
    "none": not while it went on; else whose name was there instead, which never may be. `names`: of the customers, by
    number.
    """
    of_caller: dict[str, list[Shown]] = defaultdict(list)
    for one in shown:
        of_caller[one.number].append(one)
    return {a.key: _card(a, of_caller[a.caller.dialled.number], names) for a in made if a.answered}


def _card(account: Account, shown: Iterable[Shown], names: Mapping[str, str]) -> str:
    answered, number = account.answered, account.caller.dialled.number
    assert answered is not None
    seen = [one for one in shown if answered.phone in one.phones]
    mine = names.get(number, "")
    strangers = {name for one in seen for name in one.names} - {mine}
    if strangers:
        return f"another's: {', '.join(sorted(strangers))}"
    live = [one for one in seen if one.state in ("ringing", "talking")]
    with_name = [one.at for one in live if mine in one.names]
    if with_name:
        return "right" if min(with_name) <= answered.said_at else "late"
    return "no name" if live else "none"
