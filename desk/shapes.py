"""What the API answers with, as types: its description is made from them.

What a role may not see of a customer is empty or null; it is never left out.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, WithJsonSchema

from desk.views import CallView, CustomerView, FieldView, TeamCallView
from lookup.answers import Number

Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""RFC 3339, in UTC, with milliseconds."""


class Shape(BaseModel):
    """What is not named here is told all the same: a description that is behind takes nothing away."""

    model_config = ConfigDict(extra="allow")


class Fault(Shape):
    field: str
    message: str


class Problem(Shape):
    """RFC 9457. `detail` is for people and says what to do next."""

    type: str
    title: str
    status: int
    detail: str


class Faults(Problem):
    """With each fault by its field, where the faults have fields."""

    errors: list[Fault] = []


class Overtaken(Problem):
    """Somebody was quicker. `version`, where it is told: what it is now; read again, and change that."""

    version: int | None = None


class Page(Shape):
    next: str  # give it as `after`; empty: this was the last page


# --- oneself ---


class Me(Shape):
    user_id: int
    login: str
    name: str
    role: str
    phones: list[str]


class Disturbed(Shape):
    do_not_disturb: bool


class Today(Shape):
    """The figures of one's day so far."""

    answered: int
    missed: int
    talk_s: float
    wait_s: float | None


class OwnPreferences(Shape):
    design: str
    mode: str
    language: str
    pop_up: str
    notify: bool
    volume: int
    designs: list[str]


class SignIn(Shape):
    id: int
    began_at: Moment
    seen_at: Moment
    browser: str
    address: str


class OwnSignIn(SignIn):
    is_this: bool


class Token(Shape):
    token_id: int
    name: str
    scopes: list[Literal["read", "write", "calls"]]
    made_at: Moment
    ends_at: Moment
    used_at: Moment | None


class MadeToken(Token):
    token: str  # told now and never again


class SecondFactor(Shape):
    since: Moment | None
    recovery_codes: int


class OfferedFactor(Shape):
    offer: str
    secret: str
    picture: str


class RecoveryCodes(Shape):
    codes: list[str]


# --- people ---


class Seat(Shape):
    node: str
    name: str
    inside: bool


class Person(Shape):
    id: int
    login: str
    name: str
    role: str
    team: str
    deputy: str
    active: bool
    phones: list[Seat]
    second_factor: bool


class Colleague(Shape):
    user_id: int
    name: str


class Team(Shape):
    id: int
    name: str


class CountedTeam(Team):
    people: int


# --- customers ---


class Money(Shape):
    minor: int
    currency: str


class CustomerNumber(Shape):
    number_id: int
    number: str
    label: str
    ext: str


class CustomerRange(Shape):
    range_id: int
    range: str
    label: str


class Customer(Shape):
    customer_id: int
    source: str
    external_id: str | None
    version: int
    name: str
    company: str
    email: str
    address: str
    note: str
    photo: str | None
    debt: Money | None
    manager: str | None
    manager_id: int | None
    numbers: list[CustomerNumber]
    ranges: list[CustomerRange]
    updated_at: Moment


class Order(Shape):
    number: str
    title: str
    state: str
    total: Money | None
    placed_at: Moment | None


class TaskOfCustomer(Shape):
    title: str
    state: str
    due_at: Moment | None


class EarlierCustomer(Shape):
    """Somebody who was merged into a customer."""

    customer_id: int | None
    name: str
    source: str
    external_id: str | None


class WholeCustomer(Customer):
    orders: list[Order]
    tasks: list[TaskOfCustomer]
    also_known_as: list[EarlierCustomer]
    masked: list[str]  # fields that have something of which your role is told no more


class CustomerInShort(Shape):
    customer_id: int
    version: int
    name: str
    company: str
    source: str


class Alike(Shape):
    number: str | None
    customers: list[CustomerInShort]
    more: bool


class Duplicates(Page):
    items: list[Alike]


class Seen(Shape):
    at: Moment
    way: str
    user_id: int | None
    user: str | None
    customer_id: int
    customer: str | None


class SeenPage(Page):
    items: list[Seen]


class CardLayoutField(Shape):
    name: str
    of: str
    source: str | None


class CardLayout(Shape):
    version: int
    fields: list[CardLayoutField]


class CardChange(Shape):
    version: int
    at: Moment
    by: str | None
    said: Any


class CardChanges(Shape):
    items: list[CardChange]


class TestCall(Shape):
    call_id: str
    answer: str
    customer_id: int | None
    rings: list[str]


class DoctorFinding(Shape):
    name: str
    state: Literal["ok", "warn", "fail"]
    seen: str
    mend: str


class Looked(Shape):
    at: Moment
    works: bool
    findings: list[DoctorFinding]


class Customers(Page):
    items: list[Customer]
    nearly: bool


class Suggested(Shape):
    customer_id: int
    name: str
    company: str
    number: str
    photo: str | None
    initials: str
    hue: int


class Suggestions(Shape):
    items: list[Suggested]
    nearly: bool


class Option(Shape):
    value: str
    label: str


class Filter(Shape):
    name: str
    label: str
    options: list[Option]


class View(Shape):
    view_id: int
    name: str
    address: str


class Change(Shape):
    at: Moment
    by: str | None
    field: str
    before: Any
    after: Any


class Changes(Page):
    items: list[Change]


class OwnFields(Shape):
    customer_id: int
    version: int
    fields: list[FieldView]


class FieldOfCard(Shape):
    name: str
    label: str
    type: str
    built_in: bool
    may_change: bool
    choices: list[str]


class Choice(Shape):
    number: str
    customer_id: int
    chosen_by: str | None
    chosen_at: Moment


class Lookup(Shape):
    answer: Literal["found", "unknown", "withheld", "unavailable"]
    reason: str
    number: Number | None = None
    tier: str = ""
    may: str = ""
    source: str = ""
    chosen: int | None = None
    candidates: list[CustomerView] = []


# --- calls ---


class Call(Shape):
    call_id: str
    linkedid: str
    node: str
    direction: str
    outcome: str
    started_at: Moment
    answered_at: Moment | None
    ended_at: Moment | None
    wait_s: float | None
    talk_s: float | None
    caller_number: str
    caller_name: str
    shown_name: str
    called_number: str
    customer_id: int | None
    customer_name: str | None
    answered_by: str | None
    reason: str
    hangup_by: str
    hangup_cause: int | None


class Calls(Page):
    items: list[Call]


class Leg(Shape):
    endpoint: str
    started_at: Moment
    answered_at: Moment | None
    ended_at: Moment | None
    outcome: str


class Step(Shape):
    at: Moment
    after_ms: int
    what: str


class WholeCall(Call):
    legs: list[Leg]
    trace: list[Step]


class LiveCall(Shape):
    """`card`: your own, when one of your phones has a part in it. `team`: as those see it who look after others."""

    call_id: str
    version: int
    card: CallView | None
    team: TeamCallView | None


class Live(Shape):
    after: str
    live: bool
    calls: list[LiveCall]


class Blocked(Shape):
    id: int
    kind: Literal["number", "prefix", "withheld"]
    value: str
    note: str
    blocked_by: str | None
    blocked_at: Moment


# --- notes and tasks ---


class Note(Shape):
    note_id: int
    text: str
    written_by: str | None
    at: Moment
    customer_id: int | None
    call_id: str | None


class Notes(Page):
    items: list[Note]


class Task(Shape):
    task_id: int
    title: str
    state: str
    due_at: Moment | None
    snoozed_to: Moment | None
    done_at: Moment | None
    repeats: Literal["", "workdays", "weekly", "monthly"]
    user_id: int | None
    responsible: str | None
    customer_id: int | None
    customer_name: str | None
    call_id: str | None
    created_by: str | None
    created_at: Moment


class Tasks(Page):
    items: list[Task]


class Reminders(Shape):
    items: list[Task]


class Calendar(Shape):
    address: str | None


# --- who rings ---


class Hours(Shape):
    id: int
    team_id: int | None
    team: str | None
    week: str
    holidays: str
    closed_to: str


class Target(Shape):
    person_id: int | None
    team_id: int | None
    destination: str


class Rule(Shape):
    id: int
    name: str
    active: bool
    field: str
    test: Literal["is", "over"]
    value: str
    says: str
    target: Target
    always: bool


class Condition(Shape):
    field: str
    test: Literal["is", "over"]
    label: str


class Conditions(Shape):
    conditions: list[Condition]
    destinations: list[str]


class Rung(Shape):
    phones: list[str]
    seconds: int
    reason: str


class Tried(Shape):
    at: str
    did: str
    answer: str
    answer_reason: str
    customers: list[str]
    trail: list[str]
    steps: list[Rung]
    blocked: str
    after: str
    reason: str
    not_known: list[str]


# --- where customers come from, and the company ---


class SourceRun(Shape):
    started_at: str | None
    took_s: float | None
    rows: int | None
    added: int | None
    changed: int | None
    removed: int | None
    refused: int | None
    error: str | None


class Source(Shape):
    name: str
    kind: str | None
    order: int | None
    customers: int
    trouble: str | None
    errors: list[Any]
    last: SourceRun | None


class Import(Shape):
    import_id: int
    file: str
    kind: str
    by: str | None
    state: str
    interrupted: bool
    said: str
    rows: int
    done: int
    added: int
    changed: int
    unchanged: int
    refused: int
    kept: int
    started_at: Moment | None
    ended_at: Moment | None


class RowError(Shape):
    row: int
    column: str
    message: str


class WholeImport(Import):
    errors: list[RowError]


class Imports(Shape):
    items: list[Import]


class Column(Shape):
    place: int
    header: str
    taken_for: str


class Columns(Shape):
    """What a file is before it is imported. `targets`: what a column may be taken for."""

    kind: str
    problem: str
    columns: list[Column]
    rows: list[list[str]]
    targets: list[Option]


class Mapping(Shape):
    mapping_id: int
    columns: dict[str, str]


class Company(Shape):
    name: str
    accent: str
    design: str
    logo: str | None
    country: str
    time_zone: str
    currency: str


class Told(Shape):
    customer_id: int
    external_id: str
    source: str
