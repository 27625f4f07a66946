"""/card-fields: administrators say which fields a card has, and see at once how it looks to each role.

Every button of the form works without a script: it comes back with what was typed and is not saved yet. Of two people
who change the fields at once the second gets both changes together, and saves them after a look.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session as Records

from config.card_fields import ROLES, Field
from config.card_said import Given, Said, given_of, said_by, together
from config.sentences import say
from desk import arranging
from desk.card_sample import NOBODY, card_of, sample, sample_answers
from desk.formats import is_version
from desk.layout import Layout
from desk.people import Reader
from desk.queries import subject_of
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn
from desk.views import Answers, CustomerView, Sheet, customer_view, sight
from records.card_layouts import layout_history, layout_said, read_said, said_at, say_layout
from records.customers import CustomerPage, customer_page
from records.errors import Conflict, Refused
from records.tables import CardLayout, Customer

pages = APIRouter(include_in_schema=False)

NOT_YOURS = say("Which fields a card has is for administrators to say.")
SHOWN = 20
OFFERED = 8
"""Customers to choose from for the preview."""


async def may_arrange(session: SignedIn) -> Session:
    if not sight(session.reader.role).card:
        raise HTTPException(403, NOT_YOURS)
    return session


Administrator = Annotated[Session, Depends(may_arrange)]


@dataclass(frozen=True, slots=True)
class Sent:
    """The form as it came."""

    given: Sequence[Given]
    version: int
    customer: int
    button: str
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the page shows of the records."""

    history: Sequence[CardLayout]
    customers: Sequence[tuple[int, str]]
    shown: CustomerPage | None


@pages.get("/card-fields")
async def page(request: Request, desk: Desk, session: Administrator, saved: str = "") -> Response:
    version, said = await desk.store.read(layout_said)
    given = given_of(desk.layouts.file, said)
    return await _page(request, desk, session, given, version, saved=bool(saved))


@pages.post("/card-fields")
async def press(request: Request, desk: Desk, session: Administrator) -> Response:
    sent, file = await _sent(request, desk, session), desk.layouts.file
    if sent.button in ("save", "file"):
        return await _save(request, desk, session, sent)
    given: Sequence[Given] = arranging.pressed(sent.given, file, sent.button)
    if sent.button == "add" and sent.label:
        given = arranging.added(given, sent.label, sent.kind)
    # On the way nothing is wrong yet, but for what was just asked for.
    said = say("Write what the new field is called.") if sent.button == "add" and not sent.label else ""
    return await _page(request, desk, session, given, sent.version, customer=sent.customer, said=said, unsaved=True)


@pages.post("/card-fields/preview")
async def preview(request: Request, desk: Desk, session: Administrator) -> HTMLResponse:
    """The cards alone, for our own script."""
    sent = await _sent(request, desk, session)
    said, errors = said_by(desk.layouts.file, sent.given)
    known = await desk.store.read(lambda records: _known(records, sent.customer))
    cards = await _cards(desk, session.reader, desk.layouts.of(said), known.shown)
    return desk.pages.part(
        request,
        session,
        "card_preview.html",
        previewed=cards,
        roles=arranging.CALLED_ROLES,
        problems=_problems(desk, sent, errors),
    )


async def _save(request: Request, desk: Services, session: Session, sent: Sent) -> Response:
    file = desk.layouts.file
    said, errors = said_by(file, sent.given) if sent.button == "save" else (Said(), {})
    if errors:
        return await _page(request, desk, session, sent.given, sent.version, 422, errors, customer=sent.customer)
    try:
        await arrange(desk, said, sent.version, session.reader)
    except Conflict:
        base, (version, theirs) = await desk.store.read(
            lambda records: (said_at(records, sent.version), layout_said(records))
        )
        both, clashes = together(base, said, theirs)
        meanwhile = arranging.changes(file, base, theirs)
        given = given_of(file, both)
        return await _page(
            request, desk, session, given, version, 409, customer=sent.customer, meanwhile=meanwhile, clashes=clashes
        )
    return RedirectResponse("/card-fields?saved=yes", 303)


async def arrange(desk: Services, said: Said, version: int, reader: Reader) -> int:
    """From now on, here and a moment later in every other process. Raises Conflict."""
    now = await desk.store.write(lambda records: say_layout(records, said, version, reader.user_id))
    if await desk.layouts.refresh():
        desk.cards.tell_all()
    return now


async def _sent(request: Request, desk: Services, session: Session) -> Sent:
    """Raises Refused for a form that is not ours."""
    async with request.form(max_files=0, max_fields=5000) as form:
        pairs = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    typed = dict(pairs)
    version, customer = typed.get("version", ""), typed.get("customer", "")
    if not is_version(version):
        raise Refused(say("The form was sent without its version; open it again."))
    return Sent(
        arranging.read_form(pairs, desk.layouts.file, desk.pages.spoken_to(request, session.reader).put),
        int(version),
        int(customer) if customer.isdecimal() and len(customer) < 10 else NOBODY,
        typed.get("do", "preview"),
        typed.get("new_label", "").strip(),
        typed.get("new_type", ""),
    )


async def _page(
    request: Request,
    desk: Services,
    session: Session,
    given: Sequence[Given],
    version: int,
    status: int = 200,
    errors: Mapping[str, str] | None = None,
    *,
    customer: int = NOBODY,
    said: str = "",
    saved: bool = False,
    unsaved: bool = False,
    meanwhile: Sequence[str] = (),
    clashes: Collection[str] = (),
) -> Response:
    file = desk.layouts.file
    known = await desk.store.read(lambda records: _known(records, customer))
    layout = desk.layouts.of(said_by(file, given)[0])
    errors = errors or {}
    rows = arranging.rows(file, given, errors)
    shown = {row.name for row in rows}
    return await desk.pages.page(
        request,
        session,
        "card_fields.html",
        status,
        rows=rows,
        roles=arranging.CALLED_ROLES,
        types=arranging.TYPES,
        version=version,
        said=said,
        elsewhere=[say("{field}: {what}", field=name, what=text) for name, text in errors.items() if name not in shown],
        failed=bool(errors),
        saved=saved,
        unsaved=unsaved or bool(errors) or bool(meanwhile),
        meanwhile=meanwhile,
        clashes=clashes,
        history=_history(file, known.history),
        customers=known.customers,
        chosen=known.shown.customer.id if known.shown else NOBODY,
        previewed=await _cards(desk, session.reader, layout, known.shown),
        problems=(),
    )


async def _cards(
    desk: Services, reader: Reader, layout: Layout, shown: CustomerPage | None
) -> list[tuple[str, CustomerView]]:
    """The card as each role would see it; of a real customer nothing that this reader may not see as it is now."""
    sees, asks = desk.layout.seen_by(reader.role), desk.layout.queries_for(reader.role)
    card = card_of(shown, {one.name for one in sees}) if shown else sample(layout, desk.parts.clock())
    cards = []
    for role in ROLES:
        queries = layout.queries_for(role)
        answers: Answers = sample_answers(layout)
        if shown:
            answers = {**dict.fromkeys(queries), **desk.queries.at_hand(subject_of(shown.customer), queries & asks)}
        who = Reader(reader.user_id, reader.login, reader.name, role, None)
        cards.append((role, customer_view(card, who, Sheet(layout, {card.customer_id: answers}))))
    return cards


def _known(records: Records, customer: int) -> Known:
    newest = select(Customer.id, Customer.name).order_by(Customer.id.desc()).limit(OFFERED)
    offered = [(id, name) for id, name in records.execute(newest)]
    shown = customer_page(records, customer, calls=0) if customer else None
    if shown and customer not in dict(offered):
        offered = [(customer, shown.customer.name), *offered]
    return Known(layout_history(records, SHOWN + 1), offered, shown)


def _history(file: Mapping[str, Field], rows: Sequence[CardLayout]) -> list[dict[str, Any]]:
    said = [read_said(row.said) for row in rows] + [Said()]
    told = [
        {
            "at": row.at,
            "by": row.by.name if row.by else "",
            "what": arranging.changes(file, said[place + 1], said[place]),
        }
        for place, row in enumerate(rows)
    ]
    return told[:SHOWN]


def _problems(desk: Services, sent: Sent, errors: Mapping[str, str]) -> list[str]:
    titles = {row.name: row.title for row in arranging.rows(desk.layouts.file, sent.given, errors)}
    return [say("{field}: {what}", field=titles.get(name, name), what=text) for name, text in errors.items()]
