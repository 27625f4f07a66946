"""The tables, once, as typed SQLAlchemy models. A change here comes with an Alembic revision in `migrations/`.

Money is whole minor units (cents) with an ISO 4217 currency. Times are UTC. Numbers are kept three ways: as typed
(`raw`), as shown (`e164`) and as compared (`match_key`, `nsn_tail`), all made by `lookup.numbers` and nowhere else.
Nothing is compared but for equality, so every lookup is one by an index.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime on both databases; SQLite keeps no zone, so it is put back when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; the store takes aware times only")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcTime, str: String}


class Team(Base):
    """People whose phones ring together."""

    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class User(Base):
    """A person who signs in; the manager of customers, the agent whose phone rings, or both."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(default="agent")  # agent | supervisor | administrator
    active: Mapped[bool] = mapped_column(default=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"), index=True)
    deputy_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]

    team: Mapped[Team | None] = relationship()
    endpoints: Mapped[list[Endpoint]] = relationship(secondary="endpoint_people", back_populates="people")


class Endpoint(Base):
    """A phone: of a node's (a PJSIP endpoint's name), or outside (a mobile, `name` is then its E.164 number)."""

    __tablename__ = "endpoints"
    __table_args__ = (UniqueConstraint("node", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str]
    name: Mapped[str] = mapped_column(index=True)
    inside: Mapped[bool] = mapped_column(default=True)

    people: Mapped[list[User]] = relationship(secondary="endpoint_people", back_populates="endpoints")


class EndpointPerson(Base):
    """Who sits at which phone: none, one or several people."""

    __tablename__ = "endpoint_people"

    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoints.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)


class DeskSession(Base):
    """One sign-in of one browser, for as long as the row is there. The key itself is in the browser's cookie alone."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    key_hash: Mapped[str] = mapped_column(unique=True)
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]  # to the minute
    browser: Mapped[str]  # what it says of itself
    address: Mapped[str]  # where it came from last


class ApiToken(Base):
    """What a program says to the API in a person's place. The token itself is shown once and kept nowhere."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    scopes: Mapped[str]  # read | write | calls, with blanks between
    token_hash: Mapped[str] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    used_at: Mapped[datetime | None]  # to the minute


class SecondFactor(Base):
    """The secret that a person's telephone makes codes of (RFC 6238), sealed with the desk's key."""

    __tablename__ = "second_factors"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[str]
    since: Mapped[datetime]
    last_step: Mapped[int] = mapped_column(BigInteger)  # of the last code that was taken; none up to it is any more


class RecoveryCode(Base):
    """A code for who lost the telephone. The row goes when it was used."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(primary_key=True)


class Presence(Base):
    """What is known of a person apart from who they are: it changes by the hour, and no card shows it."""

    __tablename__ = "presences"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    do_not_disturb: Mapped[bool] = mapped_column(default=False)
    seen_at: Mapped[datetime | None]  # by the desk, signed in


class Preferences(Base):
    """How the desk looks and calls one's attention, as one person chose it. Empty: as the company has it."""

    __tablename__ = "preferences"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    design: Mapped[str] = mapped_column(default="")
    mode: Mapped[str] = mapped_column(default="")  # light | dark; empty: as the computer has it
    language: Mapped[str] = mapped_column(default="", server_default=text("''"))  # BCP 47; empty: as the browser asks
    pop_up: Mapped[str] = mapped_column(default="")  # never | ringing | answer
    notify: Mapped[bool] = mapped_column(default=True)  # by the operating system, where the browser was allowed to
    volume: Mapped[int] = mapped_column(default=0)  # of the sound, up to 100; 0: none


class CompanyFace(Base):
    """The company's name, logo and colour at the desk: one row, or none."""

    __tablename__ = "company_face"

    id: Mapped[int] = mapped_column(primary_key=True)  # 1
    name: Mapped[str] = mapped_column(default="")  # empty: that of the settings
    accent: Mapped[str] = mapped_column(default="")  # "#rrggbb"; empty: the design's own
    design: Mapped[str] = mapped_column(default="")  # of everybody who chose none
    logo: Mapped[str] = mapped_column(default="")  # SHA-256 of the re-encoded picture in data_dir/logos; empty: none


class CardLayout(Base):
    """What an administrator said of the card's fields, over the settings: the newest holds, the others are history."""

    __tablename__ = "card_layouts"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # the version
    at: Mapped[datetime]
    by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    said: Mapped[Any] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))  # a `config.card_said.Said`

    by: Mapped[User | None] = relationship()


class Calendar(Base):
    """Working hours of a team, or of the company; texts as a person wrote them, which `lookup.hours` reads."""

    __tablename__ = "calendars"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), unique=True)  # None: all
    week: Mapped[str] = mapped_column(default="")
    holidays: Mapped[str] = mapped_column(default="")
    closed_to: Mapped[str] = mapped_column(default="")  # a name of [destinations]; empty: the company's own way

    team: Mapped[Team | None] = relationship()


class RoutingRule(Base):
    """Customers whose card says this go to a person, a team or a destination first."""

    __tablename__ = "routing_rules"

    id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(index=True)
    name: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    always: Mapped[bool] = mapped_column(default=False)  # outside of working hours too
    field: Mapped[str]  # of the card
    test: Mapped[str]  # is | over
    value: Mapped[str]  # as typed; of an amount: whole minor units
    currency: Mapped[str] = mapped_column(default="")  # of an amount
    person_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # one of these three
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"))
    destination: Mapped[str] = mapped_column(default="")  # a name of [destinations]

    person: Mapped[User | None] = relationship()
    team: Mapped[Team | None] = relationship()


class BlockedCaller(Base):
    """A caller who is not let in: one number, all that begin alike, or everybody who hides the number."""

    __tablename__ = "blocked_callers"
    __table_args__ = (UniqueConstraint("kind", "value"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]  # number | prefix | withheld
    value: Mapped[str]  # match_key, else E.164; how the numbers begin; empty
    note: Mapped[str] = mapped_column(default="")
    by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]

    by: Mapped[User | None] = relationship()


class Customer(Base):
    __tablename__ = "customers"
    __table_args__ = (UniqueConstraint("source", "external_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    # Whose they are: a name of [sources]; empty: entered or imported here. Other programs' INSERTs may leave it out.
    source: Mapped[str] = mapped_column(default="", server_default=text("''"))
    external_id: Mapped[str | None]
    name: Mapped[str]
    company: Mapped[str] = mapped_column(default="")
    email: Mapped[str] = mapped_column(default="")
    address: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")
    photo: Mapped[str] = mapped_column(default="")  # SHA-256 of the re-encoded picture in data_dir/photos; empty: none
    debt_minor: Mapped[int] = mapped_column(BigInteger, default=0)  # what the customer owes us; negative: we owe
    currency: Mapped[str] = mapped_column(default="USD")
    # Values of the company's own fields by name, as `records.custom` makes them. Not a table of their own: a lookup
    # reads them without one more search, and several that change together are one change of one row.
    custom: Mapped[dict[str, Any]] = mapped_column(
        JSON().with_variant(JSONB(), "postgresql"), default=dict, server_default=text("'{}'")
    )
    manager_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    version: Mapped[int] = mapped_column(default=1)  # grows with every change that a card shows
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    updated_at: Mapped[datetime]

    manager: Mapped[User | None] = relationship(foreign_keys=[manager_id])
    created_by: Mapped[User | None] = relationship(foreign_keys=[created_by_id])
    numbers: Mapped[list[PhoneNumber]] = relationship(
        back_populates="customer", order_by="PhoneNumber.id", cascade="all, delete-orphan"
    )
    ranges: Mapped[list[NumberRange]] = relationship(
        back_populates="customer", order_by="NumberRange.id", cascade="all, delete-orphan"
    )
    orders: Mapped[list[Order]] = relationship(back_populates="customer", cascade="all, delete-orphan")
    tasks: Mapped[list[Task]] = relationship(back_populates="customer", cascade="all, delete-orphan")


class PhoneNumber(Base):
    __tablename__ = "phone_numbers"
    __table_args__ = (
        UniqueConstraint("customer_id", "match_key", "ext"),
        Index("ix_phone_numbers_match_key", "match_key", "customer_id"),  # says alone who shares a number
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    raw: Mapped[str]  # as a person typed it
    e164: Mapped[str | None]  # as shown and dialled; None: could not be read
    match_key: Mapped[str | None]  # as compared: E.164 folded by the country's rules
    nsn_tail: Mapped[str | None] = mapped_column(index=True)  # last nine digits of the national number
    label: Mapped[str] = mapped_column(default="")  # work, mobile, home ...
    ext: Mapped[str] = mapped_column(default="")
    norm_version: Mapped[int] = mapped_column(default=0)  # rules that made the three above; older rows are made again

    customer: Mapped[Customer] = relationship(back_populates="numbers")


class NumberRange(Base):
    """Numbers of a company that begin alike, like +7 495 123-45xx. Whoever has one of them alone comes before."""

    __tablename__ = "number_ranges"
    __table_args__ = (UniqueConstraint("customer_id", "prefix", "open_digits"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    raw: Mapped[str]  # as a person typed it
    prefix: Mapped[str | None] = mapped_column(index=True)  # how their match_keys begin; None: could not be read
    open_digits: Mapped[int | None]  # how many digits follow, 1 to 4
    label: Mapped[str] = mapped_column(default="")
    norm_version: Mapped[int] = mapped_column(default=0)

    customer: Mapped[Customer] = relationship(back_populates="ranges")


class NumberChoice(Base):
    """Whom a person said to be calling from a number that several customers share; holds while that customer has it."""

    __tablename__ = "number_choices"

    match_key: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    chosen_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    chosen_at: Mapped[datetime]

    chosen_by: Mapped[User | None] = relationship()


class CustomerChange(Base):
    """What somebody changed of a customer, as it was and as it is since; written with the change itself."""

    __tablename__ = "customer_changes"
    __table_args__ = (Index("ix_customer_changes_customer", "customer_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    field: Mapped[str]  # as `records.history` names it
    before: Mapped[Any | None] = mapped_column(
        JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    )
    after: Mapped[Any | None] = mapped_column(
        JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    )

    by: Mapped[User | None] = relationship()


class CustomerSearch(Base):
    """By what a customer is found and listed, as `records.search_rows` makes it of the customer's own tables; nobody
    else writes here. No foreign key: what another program does to customers is to do nothing here.
    """

    __tablename__ = "customer_search"
    __table_args__ = (
        Index("ix_customer_search_name", "name", "customer_id"),
        Index("ix_customer_search_manager", "manager_id", "name", "customer_id"),
        Index("ix_customer_search_source", "source", "name", "customer_id"),
        Index(
            "ix_customer_search_owes",
            "name",
            "customer_id",
            sqlite_where=text("owes = 1"),
            postgresql_where=text("owes"),
        ),
        Index(
            "ix_customer_search_open_task",
            "name",
            "customer_id",
            sqlite_where=text("open_task = 1"),
            postgresql_where=text("open_task"),
        ),
        Index("ix_customer_search_name_mark", "name_mark", "customer_id"),
        Index("ix_customer_search_email_mark", "email_mark", "customer_id"),
    )

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String().with_variant(String(collation="C"), "postgresql"))  # folded
    # Words between two spaces, see `records.folding`. What a role may not see stands apart from what it may.
    names: Mapped[str]  # of the name, also in Latin letters, and the external id; of those merged into them too
    company: Mapped[str]
    email: Mapped[str]
    numbers: Mapped[str]  # digits of each, as shown and as typed
    orders: Mapped[str]  # their numbers
    choices: Mapped[str]  # short texts among the company's own fields, as field=value
    manager_id: Mapped[int | None]
    source: Mapped[str]
    owes: Mapped[bool]
    open_task: Mapped[bool]
    rules: Mapped[int]  # version of the rules that made this row
    # Equal where two may be the same: name and company together, and the address of mail. None: there is none.
    name_mark: Mapped[int | None] = mapped_column(BigInteger)
    email_mark: Mapped[int | None] = mapped_column(BigInteger)


class SavedView(Base):
    """A list of customers, filtered and searched, that a person wants to come back to."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]
    address: Mapped[str]  # what stands behind /customers?


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    number: Mapped[str]
    title: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="open")  # open | done | cancelled
    total_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    currency: Mapped[str] = mapped_column(default="USD")
    placed_at: Mapped[datetime]

    customer: Mapped[Customer] = relationship(back_populates="orders")


class Task(Base):
    """Something a person must do, mostly for a customer."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index(
            "ix_tasks_to_tell",
            "due_at",
            sqlite_where=text("state = 'open' AND told_at IS NULL AND put_away_at IS NULL"),
            postgresql_where=text("state = 'open' AND told_at IS NULL AND put_away_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    title: Mapped[str]
    state: Mapped[str] = mapped_column(default="open")  # open | done
    due_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    # During which it was made. No foreign key: the call may be in the log later than the task.
    call_id: Mapped[str | None] = mapped_column(index=True)
    repeats: Mapped[str] = mapped_column(default="", server_default=text("''"))  # as `lookup.due` writes it
    # A task comes up when it is due, or at `snoozed_to`: until it is done, snoozed again or put away.
    snoozed_to: Mapped[datetime | None]
    told_at: Mapped[datetime | None]  # the desk was told that it comes up
    put_away_at: Mapped[datetime | None]

    customer: Mapped[Customer | None] = relationship(back_populates="tasks")
    user: Mapped[User | None] = relationship(foreign_keys=[user_id])
    created_by: Mapped[User | None] = relationship(foreign_keys=[created_by_id])


class Note(Base):
    """What somebody wrote during a call or after it, or about a customer."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    call_id: Mapped[str | None] = mapped_column(index=True)  # no foreign key, as of a task
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    text: Mapped[str]
    created_at: Mapped[datetime]

    user: Mapped[User | None] = relationship()


class Posted(Base):
    """What a request with an Idempotency-Key made, so that the same request, sent again, makes nothing."""

    __tablename__ = "posted"

    key: Mapped[str] = mapped_column(primary_key=True)  # SHA-256 of the person, the kind of thing and the key
    digest: Mapped[str]  # of what was asked for
    made_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(index=True)


class TaskCalendar(Base):
    """Somebody has an address for a calendar of their tasks; with another mark it is another address."""

    __tablename__ = "task_calendars"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    mark: Mapped[str]
    made_at: Mapped[datetime]


class CallRow(Base):
    """One conversation, however many legs. Names of the facts are those of the public contract."""

    __tablename__ = "calls"
    __table_args__ = (
        UniqueConstraint("node", "linkedid"),
        Index("ix_calls_started_at", "started_at"),
        Index("ix_calls_customer_started", "customer_id", "started_at"),
        Index(
            "ix_calls_spoke",
            "customer_id",
            "answered_at",
            sqlite_where=text("answered_by_id IS NOT NULL"),
            postgresql_where=text("answered_by_id IS NOT NULL"),
        ),
    )

    call_id: Mapped[str] = mapped_column(primary_key=True)  # UUIDv5 of node and linkedid
    node: Mapped[str]
    linkedid: Mapped[str]
    uniqueid: Mapped[str]  # the channel that the customer came on
    # Of the facts written, milliseconds since the epoch; an older version never overwrites.
    version: Mapped[int] = mapped_column(BigInteger, default=0)
    direction: Mapped[str]  # inbound | outbound | internal
    outcome: Mapped[
        str
    ]  # "" while it lasts, then answered | missed | busy | declined | abandoned | voicemail | blocked | failed
    started_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]  # a person was bridged; a channel that is merely Up does not count
    ended_at: Mapped[datetime | None]
    wait_s: Mapped[float | None]
    talk_s: Mapped[float | None]
    caller_number: Mapped[str]  # E.164, or as received when it could not be read; empty when withheld
    # match_key of the customer's side (who called, or whom we called), so that a later customer finds old calls
    caller_key: Mapped[str | None] = mapped_column(index=True)
    caller_name: Mapped[str]  # as received
    shown_name: Mapped[str]  # as resolved; empty: the received one was left
    called_number: Mapped[str]  # DID; of an outbound call the number that was dialled
    trunk: Mapped[str]
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id", ondelete="SET NULL"))
    tier: Mapped[str]  # how the customer was found; empty: not
    reason: Mapped[str]  # why it rang where it rang
    answered_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    answered_endpoint: Mapped[str] = mapped_column(default="")  # ours that talked, also of an outbound call
    caller_endpoint: Mapped[str] = mapped_column(default="", server_default=text("''"))  # ours that called
    # call_id of the conversation that this one became a part of: the log shows that one. No foreign key: either may be
    # written first.
    merged_into: Mapped[str | None]
    # [[milliseconds since the epoch, what]], in order of time
    trace: Mapped[list[Any]] = mapped_column(
        JSON().with_variant(JSONB(), "postgresql"), default=list, server_default=text("'[]'")
    )
    hangup_by: Mapped[str]  # caller | callee | "" when unknown
    hangup_cause: Mapped[int | None]  # Q.850

    customer: Mapped[Customer | None] = relationship()
    answered_by: Mapped[User | None] = relationship()
    legs: Mapped[list[CallLeg]] = relationship(
        back_populates="call", order_by="CallLeg.started_at", cascade="all, delete-orphan"
    )


class CallLeg(Base):
    """One attempt to ring one phone."""

    __tablename__ = "call_legs"
    __table_args__ = (UniqueConstraint("call_id", "channel_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(ForeignKey("calls.call_id", ondelete="CASCADE"))
    channel_id: Mapped[str]
    endpoint: Mapped[str]
    started_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str]  # "" while ringing, then answered | missed | busy | declined | cancelled | failed

    call: Mapped[CallRow] = relationship(back_populates="legs")


class CelPosition(Base):
    """How far a node's own record of its channels was read, and what it told is in the log of calls."""

    __tablename__ = "cel_positions"

    node: Mapped[str] = mapped_column(primary_key=True)
    mark: Mapped[str]  # of the file, whatever it is called now
    offset: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime]


class Change(Base):
    """What a committed transaction changed that a card may show. Triggers write it (`records.marks`), whoever made the
    change; no foreign keys, because what is named here may be gone.
    """

    __tablename__ = "changes"
    __table_args__ = (
        Index("ix_changes_done_at", "done_at", "id"),
        Index(
            "ix_changes_of_no_customer",
            "id",
            sqlite_where=text("customer_id IS NULL"),
            postgresql_where=text("customer_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    customer_id: Mapped[int | None]
    number_id: Mapped[int | None]
    match_key: Mapped[str | None]  # as it was, and in another row as it is: one of them finds nobody any more
    nsn_tail: Mapped[str | None]
    range_id: Mapped[int | None]
    prefix: Mapped[str | None]  # of a range, as match_key: as it was, and as it is
    open_digits: Mapped[int | None]
    user_id: Mapped[int | None]
    team_id: Mapped[int | None]
    endpoint_id: Mapped[int | None]
    endpoint: Mapped[str | None]  # the phone's name: a number that is nobody's customer while it is ours
    routing_id: Mapped[int | None]  # of a rule, a calendar, a blocked caller, or a person's presence
    done_at: Mapped[datetime | None]  # the cache was told; kept a while, in case an older copy of it takes over


class Import(Base):
    """One import of customers from a file, from when the file was given until it was undone."""

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(primary_key=True)
    file: Mapped[str]  # its name
    kind: Mapped[str] = mapped_column(default="")  # CSV | XLSX | vCard
    by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # None: by the command
    # given | checking | checked | importing | done | undoing | undone | failed
    state: Mapped[str]
    stage: Mapped[str]  # name of its files in data_dir/imports, as long as they are needed
    mapping: Mapped[str] = mapped_column(default="{}")  # JSON: header -> what it is
    sheet: Mapped[str] = mapped_column(default="")
    said: Mapped[str] = mapped_column(default="")  # why it failed, or how far it is; as `config.sentences.kept`
    rows: Mapped[int] = mapped_column(default=0)  # that can be taken
    done: Mapped[int] = mapped_column(default=0)  # of these
    done_to: Mapped[int] = mapped_column(default=0)  # the last row written
    added: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)  # rows that could not be taken
    errors: Mapped[str] = mapped_column(default="[]")  # JSON: the first of them, [row, header, `kept` message]
    kept: Mapped[int] = mapped_column(default=0)  # undo left them, because somebody has changed them since
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    by: Mapped[User | None] = relationship()


class ImportedCustomer(Base):
    """What an import did to a customer, so that it can be undone. No foreign key on what may be gone."""

    __tablename__ = "import_customers"
    __table_args__ = (Index("ix_import_customers_import", "import_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"))
    customer_id: Mapped[int]
    mark: Mapped[str]  # of a customer that was added, as it was then (`intake.rules.digest`); empty: was there before
    change: Mapped[str]  # JSON [fields before, fields after, numbers added as (raw, label)] of one that was there
    kept: Mapped[str] = mapped_column(default="")  # why undo has left it, as `config.sentences.kept`


class ImportMapping(Base):
    """What somebody said of the columns of a file; kept for the next file with the same."""

    __tablename__ = "import_mappings"

    id: Mapped[int] = mapped_column(primary_key=True)
    headers: Mapped[str] = mapped_column(unique=True)  # JSON: the headers in lower case, sorted
    mapping: Mapped[str]  # JSON: header -> what it is
    used_at: Mapped[datetime]


class SourceRow(Base):
    """What is known of a source of customers that are kept elsewhere, and how its last run went."""

    __tablename__ = "sources"

    name: Mapped[str] = mapped_column(primary_key=True)
    columns: Mapped[str] = mapped_column(default="[]")  # JSON: fields of a customer that are the source's to change
    since: Mapped[str] = mapped_column(default="")  # JSON: how far it is read
    full_at: Mapped[datetime | None]  # everything was read
    started_at: Mapped[datetime | None]  # of the last run
    ended_at: Mapped[datetime | None]  # None: it goes on, or was killed
    succeeded_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(default="")  # why it failed, as `config.sentences.kept`
    rows: Mapped[int] = mapped_column(default=0)  # that it read
    added: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    removed: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)  # rows that could not be taken
    errors: Mapped[str] = mapped_column(default="[]")  # JSON: the first of them, each as `config.sentences.kept`


class SourceFile(Base):
    """A file of a source as it was when it was read."""

    __tablename__ = "source_files"

    source: Mapped[str] = mapped_column(ForeignKey("sources.name", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    mark: Mapped[str]  # changes with the file; empty: to be read again in any case
    external_ids: Mapped[str]  # JSON: whom it holds


class CustomerAlias(Base):
    """As whom a customer was known before two became one: here by an id, to a source or a file by its own.

    Rows of sources and files that mean this one go on to the customer: what they say otherwise than `told`.
    """

    __tablename__ = "customer_aliases"
    __table_args__ = (UniqueConstraint("source", "external_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    # The id of the customer who is gone; None: the customer's own alias, who came from a source and is kept here now.
    old_id: Mapped[int | None] = mapped_column(unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    source: Mapped[str]
    external_id: Mapped[str | None]
    name: Mapped[str]
    told: Mapped[dict[str, Any]] = mapped_column(  # fields and numbers, as `records.intake.rules.Owner` has them
        JSON().with_variant(JSONB(), "postgresql")
    )
    by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    at: Mapped[datetime]

    by: Mapped[User | None] = relationship()


class CardSeen(Base):
    """Who saw which customer's card, by what, once in an hour. No foreign keys: it outlives the customer."""

    __tablename__ = "cards_seen"
    __table_args__ = (Index("ix_cards_seen_at", "at"), Index("ix_cards_seen_user", "user_id", "at"))

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # since the epoch
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 0: a phone, by a signed address
    way: Mapped[str] = mapped_column(primary_key=True)  # page | call | api | file
    at: Mapped[datetime]  # the first time in that hour


class FirstCall(Base):
    """How far somebody is on the walk to their first call; who never began it has none."""

    __tablename__ = "first_calls"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[str]  # rung | over: done, or not wanted
