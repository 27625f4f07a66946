"""Doctor's look at the database and at what stands in it: people, their phones, customers and numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, selectinload

from config.settings import Settings
from lookup.numbers import NORM_VERSION
from records import search_index
from records.database import open_database, reading
from records.errors import RecordsError
from records.migrate import check
from records.tables import Customer, Endpoint, PhoneNumber, User
from ringcard.check_routing import routing_rules
from ringcard.findings import Finding, counted, fail, failed, ok, warn

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
            ok("database", engine.url.render_as_string(hide_password=True)),
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
        return [warn("customers", "none yet, so every caller is unknown", "Bring them in: ringcard import FILE")]
    numbers = select(func.count(PhoneNumber.id))
    unread = session.scalar(numbers.where(PhoneNumber.match_key.is_(None), PhoneNumber.nsn_tail.is_(None))) or 0
    stale = session.scalar(numbers.where(PhoneNumber.norm_version < NORM_VERSION)) or 0
    seen = f"{customers} with {counted(session.scalar(numbers) or 0, 'number')}"
    if unread:
        return [
            warn("customers", f"{seen}, {unread} of which cannot be read", "Correct these on the customers' cards.")
        ]
    if stale:
        return [
            warn(
                "customers",
                f"{seen}, {stale} of which an older Ringcard read",
                "Start ringcard run: its worker reads them anew.",
            )
        ]
    return [ok("customers", seen)]


def _search(session: Session) -> Finding:
    mend = search_index.lack(session.connection())
    if mend:
        return warn("search", "without its index, so finding one among very many customers is slow", mend)
    return ok("search", "has its index")


def _people(people: Sequence[User]) -> Finding:
    active = [person for person in people if person.active]
    if not active:
        return fail(
            "people", "nobody can sign in", "Add the first one: ringcard user add LOGIN 'NAME' --role administrator"
        )
    without = [person.name for person in active if person.role == "agent" and not person.endpoints]
    if without:
        return warn(
            "people",
            f"no phone: {_names(without)}",
            "Say where they sit, on the desk's page of people; no card pops up for them.",
        )
    return ok("people", f"{len(active)} can sign in")


def _administrators(people: Sequence[User]) -> list[Finding]:
    active = [person for person in people if person.active]
    if not active or any(person.role == "administrator" for person in active):
        return []
    return [
        warn(
            "administrators",
            "there is none, so nobody can enter people or say who rings",
            "Make somebody one: ringcard user change LOGIN --role administrator",
        )
    ]


def _managers(people: Sequence[User], managers: Collection[int | None]) -> list[Finding]:
    name = "managers"
    assigned = [person for person in people if person.id in managers]
    gone = [person.name for person in assigned if not person.active]
    phoneless = [person.name for person in assigned if person.active and not person.endpoints]
    if gone:
        return [warn(name, f"left, but still have customers: {_names(gone)}", "Give their customers to somebody else.")]
    if phoneless:
        return [
            warn(
                name,
                f"have customers and no phone: {_names(phoneless)}",
                "Say where they sit; their customers' calls go the company's own way.",
            )
        ]
    return [ok(name, f"{len(assigned)} have customers, all have phones")] if assigned else []


def _phones(phones: Sequence[Endpoint], node: str) -> list[Finding]:
    name = "phones and people"
    nodes = {phone.node for phone in phones if phone.inside}
    if nodes and node not in nodes:
        return [
            fail(
                name,
                f"no phone is on this PBX, {node}; all are on {_names(sorted(nodes))}",
                "Set asterisk.node to the name that the phones were entered with.",
            )
        ]
    empty = [phone.name for phone in phones if not phone.people]
    if empty:
        return [
            warn(name, f"nobody sits at {_names(empty)}", "Say who sits there: ringcard user change LOGIN --phone NAME")
        ]
    return [ok(name, f"{counted(len(phones), 'phone')}, somebody at each")] if phones else []


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more
