"""What the company says about who rings, read from its database into memory and kept right there.

A call never waits for it: it takes what is known at that moment. Whether something changed is asked several times a
second by one small statement; while the database is away, what was read last holds, and before the first time nobody is
passed over.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from config.settings import Settings
from lookup.blocking import Blocked
from lookup.card import Person, Phone
from lookup.duty import COMPANY, CardRule, Colleague, Duty
from lookup.hours import Hours, read_holidays, read_week
from records import routing
from records.database import reading
from records.errors import RecordsError
from records.tables import (
    BlockedCaller,
    Calendar,
    Change,
    Endpoint,
    EndpointPerson,
    Presence,
    RoutingRule,
    Team,
    User,
)

log = logging.getLogger(__name__)

EVERY_S = 0.25
AGAIN_S = 1.0
ANEW_EVERY = 300  # looks, after which all is read again whatever the stamp says

Stamp = tuple[int, int]


class DutyBook:
    """`now` is what is known. `said`: what settings say of it, before anything was read and ever after."""

    def __init__(self, database: Engine, said: Duty) -> None:
        self.now = said
        self.looked = asyncio.Event()  # once at least, with or without success
        self.read_at = time.monotonic()  # when it was last found to be right
        self._said = said
        self._database = database
        self._stamp: Stamp | None = None
        self._looks = 0
        self._gone = ""

    def read(self) -> Duty:
        """Read it now, in this thread. Raises DatabaseGone and the like."""
        with reading(self._database) as session:
            self._stamp, known = stamp(session), load(session, self._said)
        before, self.now = self.now, known
        if _told(known) != _told(before):  # said when it holds
            log.info("who rings", extra={"fields": _told(known)})
        return known

    async def run(self) -> None:
        """Keep it right, until cancelled."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix="duty")  # a frozen database keeps no other work up
        try:
            while True:
                try:
                    await loop.run_in_executor(thread, self._look)
                except (RecordsError, SQLAlchemyError) as exc:
                    self._say_gone(str(exc).partition("\n")[0])
                except Exception:
                    log.exception("who is there cannot be read")
                else:
                    self.read_at = time.monotonic()
                    self._say_back()
                self.looked.set()
                await asyncio.sleep(AGAIN_S if self._gone else EVERY_S)
        finally:
            # A look under way ends within the database's time limit; its connection is closed only after that.
            await asyncio.to_thread(thread.shutdown, cancel_futures=True)

    def _look(self) -> None:
        self._looks += 1
        if self._stamp is not None and self._looks % ANEW_EVERY:
            with reading(self._database) as session:
                if stamp(session) == self._stamp:
                    return
        self.read()

    def _say_gone(self, line: str) -> None:
        if not self._gone:
            what = "calls are routed by what was known before" if self._stamp else "calls are routed by the card alone"
            log.warning("who is there and the company's rules are not read now, so %s: %s", what, line)
        self._gone = line

    def _say_back(self) -> None:
        if self._gone:
            log.warning("who is there and the company's rules are read again")
        self._gone = ""


def _told(duty: Duty) -> Mapping[str, int]:
    """For the log: in short what is known, apart from who is there."""
    blocked = duty.blocked
    return {
        "rules": len(duty.rules),
        "calendars": len(duty.calendars),
        "blocked": len(blocked.numbers) + len(blocked.prefixes) + blocked.withheld,
        "do_not_disturb": sum(colleague.do_not_disturb for colleague in duty.people.values()),
    }


def said_by(settings: Settings, own: Iterable[str]) -> Duty:
    """What settings say. `own`: match_keys of the company's own lines."""
    blocked = Blocked(country=settings.company.country, own=frozenset(own))
    return Duty(destinations=settings.destinations, blocked=blocked)


def stamp(session: Session) -> Stamp:
    """Another one after each change of people, phones and rules, as the triggers of `records.marks` note them.

    Ids may be committed out of order, so the greatest alone would miss one.
    """
    noted = select(func.coalesce(func.max(Change.id), 0), func.count()).where(Change.customer_id.is_(None))
    return cast(Stamp, tuple(session.execute(noted).one()))


def load(session: Session, said: Duty) -> Duty:
    """What the records say, over what settings say. Plain rows: it is read again after each change, beside calls."""
    return replace(
        said,
        people={colleague.person.user_id: colleague for colleague in _people(session)},
        teams={team.id: team.name for team in session.execute(select(Team.id, Team.name))},
        calendars=dict(_calendars(routing.calendars(session))),
        rules=tuple(_rule(rule) for rule in routing.rules(session) if rule.active and _makes_sense(rule)),
        blocked=_blocked(session, said.blocked),
    )


def hours_of(session: Session, user_id: int | None) -> Hours:
    """When this person works: their team's hours, else the company's. Nothing written: always."""
    known = dict(_calendars(routing.calendars(session)))
    team_id = session.scalar(select(User.team_id).where(User.id == user_id)) if user_id is not None else None
    return known.get(team_id or COMPANY) or known.get(COMPANY) or Hours()


def _people(session: Session) -> Iterator[Colleague]:
    phones: defaultdict[int, list[Phone]] = defaultdict(list)
    seats = select(EndpointPerson.user_id, Endpoint.node, Endpoint.name, Endpoint.inside).join(
        Endpoint, Endpoint.id == EndpointPerson.endpoint_id
    )
    for user_id, node, name, inside in session.execute(seats.order_by(Endpoint.id)):
        phones[user_id].append(Phone(node, name, inside))
    here = select(User.id, User.name, User.team_id, Presence.do_not_disturb, Presence.seen_at).where(User.active)
    for user_id, name, team_id, undisturbed, seen_at in session.execute(
        here.outerjoin(Presence, Presence.user_id == User.id)
    ):
        yield Colleague(Person(user_id, name, tuple(phones[user_id])), team_id, bool(undisturbed), seen_at)


def _calendars(rows: Sequence[Calendar]) -> Iterator[tuple[int, Hours]]:
    for row in rows:
        try:
            week, holidays = read_week(row.week), read_holidays(row.holidays)
        except ValueError as exc:  # another program wrote it; a phone that rings too often does less harm
            log.error("the working hours of %s count as always: %s", row.team.name if row.team else "the company", exc)
            continue
        yield row.team_id or COMPANY, Hours(week, holidays, " ".join(row.week.split()), row.closed_to)


def _makes_sense(rule: RoutingRule) -> bool:
    """Another program may have written it."""
    try:
        return rule.test == "is" or float(rule.value) >= 0
    except ValueError:
        log.error("the rule %r is left out: %r is no amount", rule.name, rule.value)
        return False


def _rule(rule: RoutingRule) -> CardRule:
    return CardRule(
        rule.name,
        rule.field,
        "over" if rule.test == "over" else "is",
        rule.value,
        rule.currency,
        rule.person_id,
        rule.team_id,
        rule.destination,
        rule.always,
    )


def _blocked(session: Session, said: Blocked) -> Blocked:
    kinds: Mapping[str, dict[str, Any]] = {"number": {}, "prefix": {}, "withheld": {}}
    for kind, value, note in session.execute(select(BlockedCaller.kind, BlockedCaller.value, BlockedCaller.note)):
        kinds.get(kind, {})[value] = note
    return replace(said, numbers=kinds["number"], prefixes=kinds["prefix"], withheld=bool(kinds["withheld"]))
