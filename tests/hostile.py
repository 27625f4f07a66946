"""A company all of whose texts are hostile, every address of its desk, and how to see that a text stayed a text.

The addresses are those of the desk's own table of routes: one that is added later is walked by the tests as well, or,
when it has a parameter that is not told here, fails them until it is told.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from fastapi.params import Form
from fastapi.routing import APIRoute
from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from config.card_fields import Field, Query
from config.settings import Settings, Source, Trunk
from desk import task_calendar
from desk.app import ROUTERS
from lookup.links import make
from lookup.notices import LiveCall
from records import tokens
from records.calls import write_call
from records.database import writing
from records.facts import LegFacts, TraceStep
from records.intake import imports, stage
from records.photos import store_photo
from records.sessions import begin
from records.tables import (
    ApiToken,
    BlockedCaller,
    Calendar,
    CardLayout,
    Customer,
    CustomerAlias,
    CustomerChange,
    DeskSession,
    Import,
    ImportedCustomer,
    ImportMapping,
    Note,
    NumberRange,
    Order,
    PhoneNumber,
    RoutingRule,
    SavedView,
    SourceRow,
    Task,
    Team,
    User,
)
from records.task_calendars import calendar_mark, renew_calendar
from records.users import add_user
from tests.fixtures.desk import PASSWORD, SECRET, RunningDesk, _picture, live_call, logged

SHORT = "'\"><x-owned onclick=alert(1)>{{98765*4321}}"
TEXT = (
    SHORT
    + "' data-owned=1 \" data-owned=1 --><img src=x onerror=alert(1)><script>alert(1)</script>"
    + "<svg/onload=alert(1)></title></textarea></select></style></script><iframe srcdoc=x><base href=//evil.example/>"
    + "<meta http-equiv=refresh content=0;url=//evil.example><form action=//evil.example><style>*{display:none}</style>"
    + "{% raw %}${98765*4321}#{98765*4321}\\u003cx-owned\\u003e javascript:alert(1) \u202e"
)
"""Whatever leads out of a text, an attribute, a script or a template. SHORT is for what is cut early."""

FORMULAS = ("=1+1", "+1+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", "\t=1+1", "\r=1+1", '=HYPERLINK("x")')
COUNTED = "426763565"  # what 98765*4321 is: a template that was filled twice says so
NUMBER, UNREADABLE = "+85515777888", "<x-owned>012"
WHO = {"agent": "dara", "supervisor": "sophea", "administrator": "boss", "none": "guest"}

FIELDS = {
    "remark": Field(f"Remark {SHORT}"),
    "grade": Field("Grade", "choice", choices=("Gold", SHORT)),
    "contract": Field("Contract", "link"),
    "page": Field("Page", "link"),
    "limit": Field("Limit", "money"),
    "balance": Field(f"Balance {SHORT}", default=SHORT, source="erp.balance"),
    "site": Field("Site", "link", source="erp.site"),
}
CUSTOM = {
    "remark": TEXT,
    "grade": SHORT,
    "contract": "javascript:alert(1)",
    "page": "https://x.example/\"' onclick=alert(1) data-owned=1><x-owned>",
    "limit": {"minor": 700, "currency": "<x-owned>"},
}


@dataclass(frozen=True)
class Trap:
    """The hostile company: what stands in its addresses, and who works there."""

    ids: Mapping[str, str]
    people: Mapping[str, int]  # by role; "none": a role that nobody knows
    more: tuple[str, ...] = ()  # addresses of further things of a kind, in another state

    def address(self, path: str) -> str:
        """A route's path with this company's ids."""
        known = {**self.ids, **_OTHERWISE.get(path, {})}
        lacking = {*re.findall(r"\{(\w+)", path)} - known.keys()
        assert not lacking, f"say in tests/hostile.py (fill) what {', '.join(lacking)} of {path} is"
        return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: known[found[1]], path)


_OTHERWISE: Mapping[str, Mapping[str, str]] = {
    "/designs/{name}.css": {"name": "ringcard"},
    "/words/{code}.js": {"code": "ru"},
    "/company/logos/{name}.png": {"name": "0" * 64},
}
"""Where a parameter of a usual name is something else."""


def routes() -> list[tuple[str, APIRoute]]:
    """Every method and route of the desk."""
    found = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return [(method, route) for route in found for method in sorted(route.methods or ())]


def forms_of(route: APIRoute) -> set[str]:
    """The fields of the form that a route takes."""
    return {param.alias for param in route.dependant.body_params if isinstance(param.field_info, Form)}


def fields_of(route: APIRoute) -> dict[str, bool]:
    """The fields of the JSON body that a route takes, and whether each is needed."""
    fields: dict[str, bool] = {}
    for param in route.dependant.body_params:
        model = param.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            fields |= {name: one.is_required() for name, one in model.model_fields.items()}
        elif not isinstance(param.field_info, Form):
            fields[param.alias] = bool(param.field_info.is_required())
    return fields


STREAM = "/api/v1/events"
"""The only address whose answer does not end."""


def hostile(settings: Settings, erp: str) -> Settings:
    """The company's settings, with fields of its own. `erp`: URL of an SQLite database that need hold nothing."""
    asked = "SELECT :name AS balance, 'javascript:alert(1)' AS site"
    return replace(
        settings,
        company=replace(settings.company, name=f"Mekong {SHORT}"),
        fields=FIELDS,
        queries={"erp": Query(url=erp, sql=asked)},
        sources={"erp": Source("push", token="a token of sixteen letters")},
        trunks={SHORT: Trunk()},
    )


def fill(desk: RunningDesk) -> Trap:
    """Every table of what people, files, sources and callers say, past all that would refuse it."""
    people = desk.people
    with writing(desk.database()) as session:
        boss = add_user(session, "boss", "Boss Srey", PASSWORD, role="administrator")
        guest = add_user(session, "guest", "A Guest", PASSWORD)
        guest.role = "guest"
        _people(session)
        ids = _customer(session, desk) | _work(session, desk) | _company(session, boss.id)
        more = _files(session, desk.parts.settings.data_dir, boss.id)
        roles = {"agent": people.dara, "supervisor": people.sophea, "administrator": boss.id, "none": guest.id}
    desk.app.state.services.people.forget()
    return Trap(ids, roles, more)


def _people(session: Session) -> None:
    for user in session.scalars(select(User)):
        user.name = f"{user.name} {SHORT}"
    for team in session.scalars(select(Team)):
        team.name = f"{team.name} {SHORT}"


def _customer(session: Session, desk: RunningDesk) -> dict[str, str]:
    now = datetime.now(UTC)
    one = Customer(
        source="erp",
        external_id=SHORT,
        name=f"Vanna {TEXT}",
        company=TEXT,
        email=f"a@b{SHORT}",
        address=TEXT,
        note=TEXT,
        photo=store_photo(desk.parts.settings.data_dir, _picture()),
        debt_minor=4200,
        currency="<x-owned>",
        custom=CUSTOM,
        manager_id=desk.people.dara,
        created_at=now,
        updated_at=now,
        created_by_id=desk.people.sophea,
    )
    one.numbers = [
        PhoneNumber(raw=NUMBER, e164=NUMBER, match_key=NUMBER, nsn_tail=NUMBER[-9:], label=SHORT, ext=SHORT),
        PhoneNumber(raw=UNREADABLE, label=SHORT),
    ]
    one.ranges = [NumberRange(raw=SHORT, label=SHORT)]
    one.orders = [Order(number=SHORT, title=TEXT, total_minor=5, currency="<x-owned>", placed_at=now)]
    one.tasks = [Task(title=TEXT, user_id=desk.people.dara, due_at=now - timedelta(hours=1), created_at=now)]
    session.add(one)
    for text in FORMULAS:
        told = {"name": text, "company": text, "email": text, "address": text, "note": text, "custom": {"remark": text}}
        session.add(Customer(**told, manager_id=desk.people.dara, created_at=now, updated_at=now))
    session.flush()
    alias = {"source": SHORT, "external_id": TEXT, "name": TEXT, "told": {"fields": {}, "numbers": []}, "at": now}
    session.add(CustomerAlias(customer_id=one.id, by_id=desk.people.sophea, **alias))
    for field in ("name", "note", "custom.remark"):
        change = {"at": now, "by_id": desk.people.sophea, "field": field, "before": TEXT, "after": SHORT}
        session.add(CustomerChange(customer_id=one.id, **change))
    return {
        "customer_id": str(one.id),
        "number_id": str(one.numbers[0].id),
        "range_id": str(one.ranges[0].id),
        "task_id": str(one.tasks[0].id),
        "name": one.photo,
        "number": NUMBER,
        "external_id": "A-1",
    }


def _work(session: Session, desk: RunningDesk) -> dict[str, str]:
    """What agents have: calls, notes, tasks, lists, sessions, tokens, a calendar."""
    now, dara = datetime.now(UTC), desk.people.dara
    vanna = session.scalars(select(Customer).where(Customer.external_id == SHORT)).one()
    known = logged("trapped", "101", NUMBER, vanna.id, "answered")
    told: dict[str, Any] = {"caller_name": TEXT, "shown_name": TEXT, "called_number": SHORT}
    told |= {"trunk": SHORT, "reason": TEXT}
    leg = LegFacts("trapped-2", SHORT, known.started_ms, 0, known.ended_ms, SHORT)
    trace = (TraceStep(known.started_ms, TEXT), TraceStep(known.started_ms + 4, f"{SHORT} at <x-owned>"))
    write_call(session, replace(known, **told, tier=SHORT, hangup_by=SHORT, legs=(*known.legs, leg), trace=trace))
    strange = logged("strange", "101", SHORT, None, SHORT)
    write_call(session, replace(strange, **told))
    rows: list[Any] = [Note(text=TEXT, user_id=dara, created_at=now, customer_id=vanna.id)]
    rows += [Note(text=TEXT, user_id=dara, created_at=now, call_id="trapped")]
    view = SavedView(user_id=dara, name=SHORT, address=f"q={SHORT}")
    session.add_all([*rows, view])
    end = now + timedelta(days=9)
    tokens.make(session, dara, SHORT, ("read",), end)
    begin(session, dara, "a key of Dara", TEXT, SHORT, timedelta(hours=1))
    renew_calendar(session, dara)
    session.flush()
    return {
        "call_id": "trapped",
        "key": _tab_of(desk, dara),
        "view_id": str(view.id),
        "token_id": str(session.scalars(select(ApiToken.id).where(ApiToken.user_id == dara)).one()),
        "session_id": str(session.scalars(select(DeskSession.id).where(DeskSession.user_id == dara)).first()),
        "secret": _calendar_of(session, desk, dara),
        "token": make(SECRET, "card", vanna.id, "call", int(now.timestamp()) + 600),
    }


def _tab_of(desk: RunningDesk, user_id: int) -> str:
    """Of a list that this person has open."""
    return str(desk.app.state.services.pages.tabs.of(user_id, "/customers", f"q={quote(SHORT)}").key)


def _calendar_of(session: Session, desk: RunningDesk, user_id: int) -> str:
    mark = calendar_mark(session, user_id)
    return task_calendar.address_of(desk.app.state.services, user_id, mark).rpartition("/")[2].removesuffix(".ics")


def _company(session: Session, boss: int) -> dict[str, str]:
    """What supervisors and administrators have: teams, rules, blocked callers, imports, sources."""
    now = datetime.now(UTC)
    team = Team(name=SHORT)
    session.add(team)
    session.flush()
    hours = Calendar(team_id=team.id, week=SHORT, holidays=SHORT, closed_to=SHORT)
    rule = RoutingRule(position=1, name=SHORT, field=SHORT, test="is", value=SHORT, team_id=team.id)
    person = RoutingRule(position=2, name=TEXT, field="company", test="is", value=TEXT, person_id=boss)
    blocked = BlockedCaller(kind="number", value=SHORT, note=TEXT, by_id=boss, created_at=now)
    mapping = ImportMapping(headers='["x"]', mapping=orjson.dumps({SHORT: "name", TEXT: SHORT}).decode(), used_at=now)
    done = Import(
        file=TEXT,
        kind=SHORT,
        by_id=boss,
        state="done",
        stage="none",
        said=TEXT,
        errors=orjson.dumps([[2, SHORT, TEXT]]).decode(),
        refused=1,
        kept=1,
        started_at=now,
        ended_at=now,
    )
    session.add_all([hours, rule, person, blocked, mapping, done])
    session.merge(SourceRow(name="erp", error=TEXT, errors=orjson.dumps([TEXT, SHORT]).decode(), started_at=now))
    session.add(SourceRow(name=SHORT, error=SHORT, started_at=now, ended_at=now))
    session.flush()
    vanna = session.scalars(select(Customer.id).where(Customer.external_id == SHORT)).one()
    left = {"customer_id": vanna, "mark": "", "change": "[{}, {}, []]", "kept": TEXT}
    session.add(ImportedCustomer(import_id=done.id, **left))
    said = {
        "fields": {"remark": {"label": f"Remark {SHORT}"}, "made": {"type": "text", "default": SHORT, "label": SHORT}}
    }
    session.add(CardLayout(id=1, at=now, by_id=boss, said=said))
    return {
        "team_id": str(team.id),
        "calendar_id": str(hours.id),
        "rule_id": str(rule.id),
        "blocked_id": str(blocked.id),
        "mapping_id": str(mapping.id),
        "import_id": str(done.id),
        "user_id": str(boss),
        "switch": "on",
        "change": "up",
    }


def _files(session: Session, data_dir: Path, boss: int) -> tuple[str, ...]:
    """Imports that have just been sent: their columns and first rows are shown. And one that failed."""
    table, sheet, book = io.StringIO(), io.BytesIO(), Workbook()
    rows = [[SHORT, TEXT, "Name", "Phone"], [TEXT, SHORT, TEXT, "012 345 678"], ["=1+1", "@SUM(1)", SHORT, SHORT]]
    csv.writer(table).writerows(rows)
    assert book.active is not None
    for row in rows:
        book.active.append([ILLEGAL_CHARACTERS_RE.sub("", cell) for cell in row])
    book.save(sheet)
    lines = (
        "BEGIN:VCARD",
        "VERSION:3.0",
        f"FN:{TEXT}",
        f"ORG:{SHORT}",
        f"NOTE:{TEXT}",
        "TEL:012345678",
        "END:VCARD",
        "",
    )
    card = "\r\n".join(lines)
    given = []
    for sent in (table.getvalue().encode(), sheet.getvalue(), card.encode(), b"\x00 no table"):
        name = stage.new_name()
        path = stage.file_path(data_dir, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sent)
        given.append(imports.give(session, TEXT, boss, name))
    given[-1].state, given[-1].said = "failed", TEXT
    session.flush()
    return tuple(f"/import/{one.id}" for one in given)


def hostile_calls(trap: Trap) -> tuple[LiveCall, ...]:
    """Calls that ring Dara's and Sophea's phones and the one that nobody has, with all that a network could say."""
    told: dict[str, Any] = {
        "caller_name": TEXT,
        "shown_name": TEXT,
        "called_number": SHORT,
        "trunk": SHORT,
        "route_reason": TEXT,
        "match_reason": TEXT,
        "tier": SHORT,
    }
    customer = int(trap.ids["customer_id"])
    return (
        live_call(NUMBER, "101", "104", customers=(customer,), **told),
        live_call("+33142685300", "101", "104", **told),
        live_call(SHORT, "101", "104", f"10{SHORT}", **told),
    )


# --- what a page is made of


class _Marks(HTMLParser):
    """Elements and attributes that no template of ours has."""

    ELEMENTS = frozenset({"x-owned", "iframe", "base", "object", "embed", "style", "svg"})

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        names = {name for name in given if name.startswith("on") or name in ("data-owned", "style", "srcdoc")}
        leads = [value or "" for name, value in attrs if name in ("href", "src", "action", "formaction")]
        bad = [one for one in leads if re.match(r"\s*(javascript|data:text|vbscript|//)", one, re.IGNORECASE)]
        if tag in self.ELEMENTS or names or bad or given.get("http-equiv") or (tag == "script" and "src" not in given):
            self.found.append(f"<{tag} {attrs}>")


def breakouts(page: str) -> list[str]:
    """What of a page was made by a text in it."""
    marks = _Marks()
    marks.feed(page)
    return marks.found + ([f"{COUNTED} was counted"] if COUNTED in page else [])


_NUMBER = re.compile(r"[+-]?[0-9][0-9 .,]*")


def formulas(kind: str, body: bytes) -> list[str]:
    """Cells of a table that a spreadsheet would reckon with instead of showing them. Of what is no table: none."""
    if kind.startswith("text/csv"):
        text = body.decode("utf-8-sig")
        cells = [cell for row in csv.reader(io.StringIO(text), delimiter=_delimiter(text)) for cell in row]
        return [cell for cell in cells if cell.startswith(tuple("=+-@\t\r")) and not _NUMBER.fullmatch(cell)]
    if "spreadsheetml" in kind:
        sheets = load_workbook(io.BytesIO(body)).worksheets
        return [
            str(cell.value) for sheet in sheets for row in sheet.iter_rows() for cell in row if cell.data_type == "f"
        ]
    return []


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


IN_THE_BROWSER = """() => {
  const made = "x-owned, [data-owned], iframe, base, object, embed, body style, [srcdoc], [onclick], [onload],"
    + " [onerror], [href^='javascript' i], [src^='javascript' i], [action^='javascript' i],"
    + " [action^='//'], script:not([src])";
  const found = [...document.querySelectorAll(made)].map((one) => one.outerHTML.slice(0, 200));
  const counted = document.documentElement.outerHTML.includes("426763565");
  return { found, counted, seen: document.body.innerText.includes("x-owned") };
}"""
"""The same of a page that is drawn; `seen`: that a hostile text stands on it at all."""


def pages(of: Iterable[tuple[str, APIRoute]] = ()) -> list[str]:
    """Paths of what a person opens: every GET that is no program's, no piece and no file."""
    skipped = (
        "/api/",
        "/pieces/",
        "/dialplan/",
        "/health",
        "/metrics",
        "/photos/",
        "/designs/",
        "/company/",
        "/p/",
        "/v/",
    )
    found = [route.path for method, route in (of or routes()) if method == "GET"]
    return [
        path
        for path in found
        if not path.startswith(skipped) and not path.endswith((".webmanifest", ".js", ".ics", ".ico"))
    ]
