"""Doctor's look at the database and at what stands in it: people, their phones, customers and numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, selectinload

from config.sentences import counted, say
from config.settings import Settings
from lookup.numbers import NORM_VERSION
from records import search_index
from records.database import open_database, reading
from records.errors import RecordsError
from records.migrate import check
from records.tables import Customer, Endpoint, PhoneNumber, User
from ringcard.check_routing import routing_rules
from ringcard.findings import Finding, fail, failed, ok, warn

ANSWER_S = 2.0
SHOWN = 5  # names in one finding


@dataclass(frozen=True, slots=True)
class Seen:
    findings: list[Finding]
    phones: frozenset[str]  # of this node, as Asterisk should know them


def records(settings: Settings) -> Seen:
    """Blocks for some seconds at most; call it in a thread."""
    try:
        engine = open_database(settings.database_url, ANSWER_S)
        try:
            return _look(engine, settings)
        finally:
            engine.dispose()
    except RecordsError as exc:
        return Seen([failed("database", exc)], frozenset())


def _look(engine: Engine, settings: Settings) -> Seen:
    node = settings.asterisk.node
    check(engine)
    with reading(engine) as session:
        people = session.scalars(select(User).options(selectinload(User.endpoints)).order_by(User.name)).all()
        phones = session.scalars(select(Endpoint).options(selectinload(Endpoint.people)).order_by(Endpoint.name)).all()
        managers = set(session.scalars(select(Customer.manager_id).distinct()))
        findings = [
            ok(say("database"), engine.url.render_as_string(hide_password=True)),
            *_customers(session),
            _search(session),
            _people(people),
            *_administrators(people),
            *_managers(people, managers),
            *_phones(phones, node),
            *routing_rules(session, settings),
        ]
    here = (phone for phone in phones if phone.inside and phone.node == node and phone.people)
    return Seen(findings, frozenset(phone.name for phone in here))


def _customers(session: Session) -> list[Finding]:
    customers = session.scalar(select(func.count(Customer.id))) or 0
    if not customers:
        return [
            warn(
                say("customers"),
                say("none yet, so every caller is unknown"),
                say("Bring them in: ringcard import FILE"),
            )
        ]
    numbers = select(func.count(PhoneNumber.id))
    unread = session.scalar(numbers.where(PhoneNumber.match_key.is_(None), PhoneNumber.nsn_tail.is_(None))) or 0
    stale = session.scalar(numbers.where(PhoneNumber.norm_version < NORM_VERSION)) or 0
    in_all = counted("{n} number", "{n} numbers", session.scalar(numbers) or 0)
    seen = say("{customers} with {numbers}", customers=customers, numbers=in_all)
    if unread:
        return [
            warn(
                say("customers"),
                say("{seen}, {unread} of which cannot be read", seen=seen, unread=unread),
                say("Correct these on the customers' cards."),
            )
        ]
    if stale:
        return [
            warn(
                say("customers"),
                say("{seen}, {stale} of which an older Ringcard read", seen=seen, stale=stale),
                say("Start ringcard run: its worker reads them anew."),
            )
        ]
    return [ok(say("customers"), seen)]


def _search(session: Session) -> Finding:
    mend = search_index.lack(session.connection())
    if mend:
        return warn(say("search"), say("without its index, so finding one among very many customers is slow"), mend)
    return ok(say("search"), say("has its index"))


def _people(people: Sequence[User]) -> Finding:
    active = [person for person in people if person.active]
    if not active:
        return fail(
            say("people"),
            say("nobody can sign in"),
            say("Add the first one: ringcard user add LOGIN 'NAME' --role administrator"),
        )
    without = [person.name for person in active if person.role == "agent" and not person.endpoints]
    if without:
        return warn(
            say("people"),
            say("no phone: {names}", names=_names(without)),
            say("Say where they sit, on the desk's page of people; no card pops up for them."),
        )
    return ok(say("people"), say("{n} can sign in", n=len(active)))


def _administrators(people: Sequence[User]) -> list[Finding]:
    active = [person for person in people if person.active]
    if not active or any(person.role == "administrator" for person in active):
        return []
    return [
        warn(
            say("administrators"),
            say("there is none, so nobody can enter people or say who rings"),
            say("Make somebody one: ringcard user change LOGIN --role administrator"),
        )
    ]


def _managers(people: Sequence[User], managers: Collection[int | None]) -> list[Finding]:
    name = say("managers")
    assigned = [person for person in people if person.id in managers]
    gone = [person.name for person in assigned if not person.active]
    phoneless = [person.name for person in assigned if person.active and not person.endpoints]
    if gone:
        return [
            warn(
                name,
                say("left, but still have customers: {names}", names=_names(gone)),
                say("Give their customers to somebody else."),
            )
        ]
    if phoneless:
        return [
            warn(
                name,
                say("have customers and no phone: {names}", names=_names(phoneless)),
                say("Say where they sit; their customers' calls go the company's own way."),
            )
        ]
    return [ok(name, say("{n} have customers, all have phones", n=len(assigned)))] if assigned else []


def _phones(phones: Sequence[Endpoint], node: str) -> list[Finding]:
    name = say("phones and people")
    nodes = {phone.node for phone in phones if phone.inside}
    if nodes and node not in nodes:
        return [
            fail(
                name,
                say("no phone is on this PBX, {node}; all are on {nodes}", node=node, nodes=_names(sorted(nodes))),
                say("Set asterisk.node to the name that the phones were entered with."),
            )
        ]
    empty = [phone.name for phone in phones if not phone.people]
    if empty:
        return [
            warn(
                name,
                say("nobody sits at {names}", names=_names(empty)),
                say("Say who sits there: ringcard user change LOGIN --phone NAME"),
            )
        ]
    return (
        [ok(name, counted("{n} phone, somebody at each", "{n} phones, somebody at each", len(phones)))]
        if phones
        else []
    )


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    shown = ", ".join(listed[:SHOWN])
    return say("{names} and {n} more", names=shown, n=len(listed) - SHOWN) if len(listed) > SHOWN else shown
