"""Settings: one TOML file, read once into frozen values.

The dataclasses below are the whole list of what can be set, with their defaults. `parse` is pure; `load` is the one
place that reads the file and the environment. A key that does not exist is refused and the nearest known one is named,
because a setting without effect is found only on the day it was needed.
"""

from __future__ import annotations

import difflib
import ipaddress
import math
import os
import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from config import display
from config.card_fields import ROLES, Field, Query, faults
from config.display import Display, Screen
from config.languages import LANGUAGES
from config.redis_address import read_address

DEFAULT_PATH = Path("ringcard.toml")

Policy = Literal["name", "route", "leave"]
"""What Ringcard may do with a call to one DID: name it, name and route it, or leave it alone."""


Allowed = Literal["off", "card", "name", "route"]
"""What a match of one tier may do; each allows what stands before it: nothing, the card on the screen and on phones,
the name on the phone, ringing the manager."""


Busy = Literal["skip", "ring"]
Presence = Literal["ignore", "desk"]
PopUp = Literal["never", "ringing", "answer"]
"""When a caller's card comes up by itself on whatever page of the desk one has open."""

Refusal = Literal["busy", "decline"]
WORKER_NAME = re.compile(r"[A-Za-z0-9-]{1,40}")
MOST_WORKERS = 32
DESTINATION_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
DESTINATION = re.compile(r"[A-Za-z0-9_.-]{1,80},[A-Za-z0-9_.+*#-]{1,80}")


class SettingsError(Exception):
    """The settings cannot be used; the message names the key and says what to write instead."""


@dataclass(frozen=True, slots=True)
class Company:
    name: str = "My company"
    country: str = "US"  # ISO 3166-1 alpha-2; the number plan of a trunk that names none
    time_zone: str = "UTC"  # IANA name; the store is UTC, the screen and "today" are this
    currency: str = "USD"  # ISO 4217; amounts are kept in its minor unit
    language: str = "en"  # of the desk for who chose none, and whose browser asks for none that it speaks


@dataclass(frozen=True, slots=True)
class Store:
    data_dir: str = "var"  # database, embedded server, journal, photos
    database_url: str = ""  # empty: SQLite in data_dir; else an SQLAlchemy URL, postgresql+psycopg://...
    redis_url: str = ""  # empty: a server of our own on a socket in data_dir; else as in config/redis_address.py


@dataclass(frozen=True, slots=True)
class Asterisk:
    node: str = "pbx"  # names this Asterisk in the log; two Asterisks need two names
    ari_url: str = "http://127.0.0.1:8088/ari"
    username: str = "ringcard"
    password: str = ""
    password_file: str = ""  # read instead of password when set
    app: str = "ringcard"  # Stasis application name, as dialplan/ringcard.conf calls it
    worker: str = ""  # names this process among those that share the calls (RINGCARD_SHARED); empty: one has them all
    ari_workers: int = 1  # so many ari processes `ringcard run` starts
    tracker_app: str = "ringcard-tracker"  # the one that hears of every call; two Asterisks may have the same
    trunks: tuple[str, ...] = ()  # endpoints that lead outside; none: found out, see ari_app/trunks.py
    request_ms: int = 1000  # one ARI request may take this long
    cel_file: str = ""  # what Asterisk itself writes of its channels, to complete the log of calls from; empty: not

    @property
    def calls_app(self) -> str:
        """The application that calls of this process enter."""
        return f"{self.app}-{self.worker}" if self.worker else self.app


@dataclass(frozen=True, slots=True)
class Node:
    """A further Asterisk. What is not said here is as in [asterisk], but for the two files, which are its own."""

    ari_url: str
    username: str = ""
    password: str = ""
    password_file: str = ""
    cel_file: str = ""


@dataclass(frozen=True, slots=True)
class Ami:
    """For names that come late; see docs/names.md."""

    host: str = ""  # empty: AMI is not used
    port: int = 5038
    username: str = "ringcard"
    password: str = ""
    password_file: str = ""  # read instead of password when set
    request_ms: int = 1000  # to connect, and for each answer


@dataclass(frozen=True, slots=True)
class Lookup:
    budget_ms: int = 150  # one call waits this long for a name, all stages together
    redis_ms: int = 50  # one Redis answer may take this long
    card_ttl_s: int = 3600
    unknown_ttl_s: int = 60  # how long a number that nobody has is remembered as such
    near_cards: int = 1000  # answers of Redis that each process keeps as well, for as long as they are true; 0: none
    breaker_s: float = 1.0  # after a failure a store is left alone this long
    own_order: int = 0  # of the customers entered or imported here, among those of [sources]


@dataclass(frozen=True, slots=True)
class Tiers:
    """How far each way of finding a customer is trusted."""

    exact: Allowed = "route"  # the number itself is the customer's
    extension: Allowed = "route"  # with the same extension
    range: Allowed = "route"  # the number lies in a range of the customer's
    probable: Allowed = "card"  # only the last digits are the same, of a number that could not be validated


@dataclass(frozen=True, slots=True)
class Routing:
    policy: Policy = "name"  # for a DID that [dids] does not name
    ring_s: int = 20  # the assigned manager's phone rings this long
    group_ring_s: int = 20  # then the deputy's, that of who spoke with the customer last, the team's
    last_spoke_days: int = 30  # how long somebody counts as that; 0: nobody does
    busy: Busy = "skip"  # whether who talks is passed over, or hears that another call waits
    presence: Presence = "ignore"  # whether who is not signed in at the desk is passed over
    after: str = ""  # a destination for when nobody of the route answered; empty: the company's own way
    blocked: Refusal = "busy"  # what a caller on the block list is told


@dataclass(frozen=True, slots=True)
class Desk:
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""  # how browsers and phones reach the desk; empty: http://host:port
    secret: str = ""  # signs sessions and card links; empty: made at first start, kept in data_dir
    secret_file: str = ""
    session_hours: int = 12
    second_factor: tuple[str, ...] = ()  # roles that must have one
    link_minutes: int = 10  # how long a card link given to a phone works
    seen_days: int = 365  # how long it is kept who saw a customer's card
    pop_up: PopUp = "ringing"  # of who chose nothing else on their page of preferences
    dialplan_token: str = ""  # for GET /dialplan/...; empty: made at first start, kept in data_dir
    dialplan_token_file: str = ""
    dialplan_from: tuple[str, ...] = ("127.0.0.0/8", "::1/128")  # who may ask GET /dialplan/...
    metrics_from: tuple[str, ...] = ("127.0.0.0/8", "::1/128")  # who may ask GET /metrics


@dataclass(frozen=True, slots=True)
class Agi:
    host: str = "127.0.0.1"
    port: int = 4573  # FastAGI's registered port
    conversations: int = 200  # at once; more are refused and the call goes on
    request_s: float = 2.0  # of a whole conversation; then the call goes on as it is


@dataclass(frozen=True, slots=True)
class Log:
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


@dataclass(frozen=True, slots=True)
class Trunk:
    """How numbers are written on one trunk."""

    country: str = ""  # empty: company.country
    area_code: str = ""  # put before a local number
    dial_prefixes: tuple[str, ...] = ()  # digits to get an outside line, seen before numbers
    double_zero: bool = True  # "00" means "+", even where the country has another international prefix


@dataclass(frozen=True, slots=True)
class Did:
    """What happens with calls to one of the company's numbers."""

    policy: Policy = "name"
    label: str = ""  # what calls to it are for, like "Sales"; {queue} of the template
    template: str = ""  # of what phones show; empty: display.template


Kind = Literal["sql", "vcards", "ldap", "push"]
"""What a source is: a database that is asked, a folder or a directory that is read, a program that tells us."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where customers are kept that are not ours; see docs/sources.md."""

    kind: Kind
    order: int = 1  # who knows a number counts before all of a higher order
    every_s: int = 300  # of sql, vcards, ldap: how long from one run's beginning to the next
    full_every_s: int = 86_400  # with since_column, and of ldap: how often everything is read
    limit_s: int = 600  # a run that takes longer is ended
    url: str = ""  # of sql: an SQLAlchemy URL; of ldap: ldap:// or ldaps://
    url_file: str = ""  # read instead of url when set
    sql: str = ""  # one SELECT
    since_column: str = ""  # its largest value is given as :since next time
    since_start: str = "1970-01-01 00:00:00"  # and this the first time
    columns: Mapping[str, str] = field(default_factory=dict)  # of sql and ldap: COLUMN = what it is
    folder: str = ""  # of vcards
    base: str = ""  # of ldap: where it is searched
    filter: str = "(telephoneNumber=*)"
    bind_dn: str = ""  # empty: without a name
    password: str = ""
    password_file: str = ""
    start_tls: bool = False
    ca_file: str = ""  # empty: those that the system trusts
    token: str = ""  # of push: what the program that tells us must say
    token_file: str = ""


_EVERY_KIND = frozenset({"kind", "order"})
_READ = _EVERY_KIND | {"every_s", "limit_s"}
_BY_TIME = _READ | {"url", "full_every_s", "columns"}
KEYS_OF_A_SOURCE: Mapping[Kind, frozenset[str]] = {
    "sql": _BY_TIME | {"url_file", "sql", "since_column", "since_start"},
    "vcards": _READ | {"folder"},
    "ldap": _BY_TIME | {"base", "filter", "bind_dn", "password", "password_file", "start_tls", "ca_file"},
    "push": _EVERY_KIND | {"token", "token_file"},
}
LAST_ORDER = 1_000_000
"""Of a source that settings do not name any more."""

SHORTEST_TOKEN = 16
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Settings:
    company: Company = field(default_factory=Company)
    store: Store = field(default_factory=Store)
    asterisk: Asterisk = field(default_factory=Asterisk)
    ami: Ami = field(default_factory=Ami)
    lookup: Lookup = field(default_factory=Lookup)
    tiers: Tiers = field(default_factory=Tiers)
    routing: Routing = field(default_factory=Routing)
    display: Display = field(default_factory=Display)
    desk: Desk = field(default_factory=Desk)
    agi: Agi = field(default_factory=Agi)
    log: Log = field(default_factory=Log)
    trunks: Mapping[str, Trunk] = field(default_factory=dict)
    dids: Mapping[str, Did] = field(default_factory=dict)
    phones: Mapping[str, Screen] = field(default_factory=dict)  # by the endpoint's name
    phone_models: Mapping[str, Screen] = field(default_factory=dict)  # by how the User-Agent begins
    destinations: Mapping[str, str] = field(default_factory=dict)  # by name: "context,extension" of the dialplan
    nodes: Mapping[str, Node] = field(default_factory=dict)  # further Asterisks beside [asterisk], by name
    fields: Mapping[str, Field] = field(default_factory=dict)  # of the card, built-in ones or new, by name
    queries: Mapping[str, Query] = field(default_factory=dict)  # that fill fields from other databases, by name
    sources: Mapping[str, Source] = field(default_factory=dict)

    @property
    def asterisks(self) -> Mapping[str, Asterisk]:
        """Every Asterisk by the name of its node; first the one of [asterisk]."""
        first = self.asterisk
        return {first.node: first} | {
            name: replace(
                first,
                node=name,
                ari_url=node.ari_url,
                username=node.username or first.username,
                password=node.password or first.password,
                cel_file=node.cel_file,
            )
            for name, node in self.nodes.items()
        }

    def at(self, node: str = "", worker: str = "") -> Settings:
        """The settings of a process that serves this node (the first when none is named) as this worker.

        AMI is the first's.
        """
        asterisk = self.asterisks[node or self.asterisk.node]
        ami = self.ami if asterisk.node == self.asterisk.node else Ami()
        return replace(self, asterisk=replace(asterisk, worker=worker or asterisk.worker), ami=ami)

    @property
    def orders(self) -> Mapping[str, int]:
        """The order of each source; '' is what was entered or imported here."""
        return {"": self.lookup.own_order, **{name: source.order for name, source in self.sources.items()}}

    @property
    def data_dir(self) -> Path:
        return Path(self.store.data_dir)

    @property
    def database_url(self) -> str:
        return self.store.database_url or f"sqlite:///{self.data_dir.absolute() / 'ringcard.db'}"

    @property
    def public_url(self) -> str:
        return (self.desk.public_url or f"http://{self.desk.host}:{self.desk.port}").rstrip("/")

    def did(self, dialled: str) -> Did:
        """The rule for a dialled number, compared by digits so that "+855 23" and "85523" are one."""
        digits = re.sub(r"\D", "", dialled)
        for number, rule in self.dids.items():
            if re.sub(r"\D", "", number) == digits:
                return rule
        return Did(policy=self.routing.policy)


def parse(raw: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the file's mapping, with `RINGCARD_SECTION__KEY` of `environ` laid over it.

    Raises SettingsError for an unknown key, a value of the wrong type or one that cannot work.
    """
    merged = _overlay(raw, environ or {})
    settings: Settings = _build(Settings, merged, "")
    _check(settings)
    return settings


def settings_file(path: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file that `load` reads: `path`, else `RINGCARD_CONFIG`, else ./ringcard.toml; None: there is no such file."""
    return _named(path, environ) or (DEFAULT_PATH if DEFAULT_PATH.exists() else None)


def company_is_named(path: Path | None, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether anything says whose Ringcard this is: a settings file, or settings in the environment."""
    in_environment = any(name.startswith("RINGCARD_") and "__" in name for name in environ)
    return in_environment or settings_file(path, environ) is not None


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `path`, else `RINGCARD_CONFIG`, else ./ringcard.toml where there is one, else the defaults.

    A relative data_dir is taken from the file's own folder; each `*_file` key is read into the key that it stands for.
    """
    named = _named(path, environ)
    chosen = named or DEFAULT_PATH
    raw: dict[str, Any] = {}
    try:
        raw = tomllib.loads(chosen.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named:
            raise SettingsError(
                f"no settings file at {chosen}; copy config/ringcard.toml there, or leave --config out"
            ) from None
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"cannot read {chosen}: {exc}") from exc
    except tomllib.TOMLDecodeError as exc:
        hint = '; a text stands in quotation marks, like country = "KH"' if "Invalid value" in str(exc) else ""
        raise SettingsError(f"{chosen} is not valid TOML: {exc}{hint}") from exc
    try:
        settings = parse(raw, environ)
    except SettingsError as exc:
        raise SettingsError(f"{chosen}: {exc}" if raw else str(exc)) from None
    home = chosen.absolute().parent
    settings = replace(settings, store=replace(settings.store, data_dir=str(home / settings.store.data_dir)))
    settings = replace(
        settings,
        asterisk=replace(
            settings.asterisk,
            password=_secret(settings.asterisk.password, settings.asterisk.password_file, home),
            cel_file=str(home / settings.asterisk.cel_file) if settings.asterisk.cel_file else "",
        ),
        ami=replace(settings.ami, password=_secret(settings.ami.password, settings.ami.password_file, home)),
        nodes={
            name: replace(
                node,
                password=_secret(node.password, node.password_file, home),
                cel_file=str(home / node.cel_file) if node.cel_file else "",
            )
            for name, node in settings.nodes.items()
        },
        desk=replace(
            settings.desk,
            secret=_secret(settings.desk.secret, settings.desk.secret_file, home),
            dialplan_token=_secret(settings.desk.dialplan_token, settings.desk.dialplan_token_file, home),
        ),
        queries={
            name: replace(query, url=_secret(query.url, query.url_file, home))
            for name, query in settings.queries.items()
        },
        sources={name: _at_home(name, source, home) for name, source in settings.sources.items()},
    )
    _check_card(settings, read_files=True)
    return settings


def _at_home(name: str, source: Source, home: Path) -> Source:
    token = _secret(source.token, source.token_file, home)
    if source.kind == "push" and len(token) < SHORTEST_TOKEN:
        raise SettingsError(
            f"sources.{name}.token is shorter than {SHORTEST_TOKEN} characters; make one: openssl rand -hex 32"
        )
    return replace(
        source,
        url=_secret(source.url, source.url_file, home),
        password=_secret(source.password, source.password_file, home),
        token=token,
        folder=str(home / source.folder) if source.folder else "",
        ca_file=str(home / source.ca_file) if source.ca_file else "",
    )


def _named(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    return path or (Path(environ["RINGCARD_CONFIG"]) if environ.get("RINGCARD_CONFIG") else None)


def _secret(value: str, file: str, home: Path) -> str:
    if not file:
        return value
    try:
        return (home / file).read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise SettingsError(f"cannot read the secret file {home / file}: {exc.strerror}") from exc


_ENVIRONMENT_ONLY = {"RINGCARD_CONFIG"}


def _overlay(raw: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    merged: dict[str, Any] = {key: dict(value) if isinstance(value, Mapping) else value for key, value in raw.items()}
    for name, value in environ.items():
        if not name.startswith("RINGCARD_") or "__" not in name or name in _ENVIRONMENT_ONLY:
            continue
        *sections, key = name.removeprefix("RINGCARD_").lower().split("__")
        target = merged
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise SettingsError(f"{name}: {section} is not a section")
        target[key] = value
    return merged


def _build(kind: type, raw: Any, where: str) -> Any:
    if not isinstance(raw, Mapping):
        raise SettingsError(f"{where.rstrip('.')} must be a section: [{where.rstrip('.')}]")
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in known:
            raise SettingsError(f"unknown key {where}{key}{_nearest(key, known)}")
        values[key] = _value(hints[key], value, f"{where}{key}")
    for name, f in known.items():
        if name not in values and f.default is MISSING and f.default_factory is MISSING:
            raise SettingsError(f"{where}{name} is missing")
    return kind(**values)


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}"


def _value(hint: Any, value: Any, where: str) -> Any:
    origin = get_origin(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, f"{where}.")
    if origin is Literal:
        if value not in get_args(hint):
            raise SettingsError(f"{where} = {value!r}; write one of {', '.join(map(repr, get_args(hint)))}")
        return value
    if origin is tuple:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
            raise SettingsError(f'{where} must be a list of texts, for example ["9"]')
        return tuple(item.strip() for item in items if item.strip())
    if origin in (Union, types.UnionType):
        raise AssertionError(f"{where}: settings have no optional types because an empty text says 'not set'")
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise SettingsError(f"{where} must be a section: [{where}.NAME]")
        return {name: _value(get_args(hint)[1], item, f"{where}.{name}") for name, item in value.items()}
    return _scalar(hint, value, where)


def _scalar(hint: type, value: Any, where: str) -> Any:
    if hint is bool:
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if isinstance(value, bool):
            return value
        raise SettingsError(f"{where} = {value!r}; write true or false")
    if hint in (int, float) and not isinstance(value, bool):
        try:
            number = hint(value)
        except (TypeError, ValueError, OverflowError):
            raise SettingsError(f"{where} = {value!r}; write a number") from None
        if not 0 <= number < math.inf or (hint is int and isinstance(value, float) and value != number):
            raise SettingsError(
                f"{where} = {value!r}; write a whole number, 0 or more" if hint is int else f"{where} must be 0 or more"
            )
        return number
    if hint is str and isinstance(value, str):
        return value
    raise SettingsError(f"{where} = {value!r}; write a {'text in quotes' if hint is str else 'number'}")


def _check(settings: Settings) -> None:
    if settings.company.language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise SettingsError(
            f"company.language = {settings.company.language!r} is not spoken here; write one of {known}"
        )
    try:
        ZoneInfo(settings.company.time_zone)
    except (KeyError, ValueError, OSError):
        raise SettingsError(
            f"company.time_zone = {settings.company.time_zone!r} is no time zone; write one like 'Asia/Phnom_Penh'"
        ) from None
    if settings.lookup.redis_ms * 2 > settings.lookup.budget_ms:
        raise SettingsError(
            f"lookup.redis_ms = {settings.lookup.redis_ms} leaves the database no time within lookup.budget_ms = "
            f"{settings.lookup.budget_ms} when Redis hangs; write half of that or less"
        )
    for where, country in [
        ("company.country", settings.company.country),
        *((f"trunks.{name}.country", trunk.country or "US") for name, trunk in settings.trunks.items()),
    ]:
        if not re.fullmatch(r"[A-Z]{2}", country):
            raise SettingsError(f"{where} = {country!r}; write the two-letter country code, like 'KH'")
    if not re.fullmatch(r"[A-Z]{3}", settings.company.currency):
        raise SettingsError(
            f"company.currency = {settings.company.currency!r}; write the three-letter code, like 'USD'"
        )
    for where, networks in (
        ("desk.dialplan_from", settings.desk.dialplan_from),
        ("desk.metrics_from", settings.desk.metrics_from),
    ):
        for network in networks:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise SettingsError(
                    f"{where} has {network!r}; write an address, or a network like '192.0.2.0/24'"
                ) from None
    for role in settings.desk.second_factor:
        if role not in ROLES:
            raise SettingsError(f"desk.second_factor has {role!r}; write some of {', '.join(map(repr, ROLES))}")
    for where, port in (
        ("desk.port", settings.desk.port),
        ("agi.port", settings.agi.port),
        ("ami.port", settings.ami.port),
    ):
        if not 0 < port < 65536:
            raise SettingsError(f"{where} = {port}; write a port from 1 to 65535")
    for where, url, schemes in (
        ("asterisk.ari_url", settings.asterisk.ari_url, ("http", "https")),
        *((f"nodes.{name}.ari_url", node.ari_url, ("http", "https")) for name, node in settings.nodes.items()),
        ("desk.public_url", settings.public_url, ("http", "https")),
        ("store.database_url", settings.database_url, ("sqlite", "postgresql+psycopg")),
    ):
        if url.partition("://")[0] not in schemes or not _readable(url):
            beginnings = " or ".join(f"{scheme}://" for scheme in schemes)
            raise SettingsError(f"{where} = {url!r} is no address; write one that begins with {beginnings}")
    try:
        read_address(settings.store.redis_url or "unix:///")
    except ValueError as exc:
        raise SettingsError(f"store.redis_url = {settings.store.redis_url!r} {exc}") from None
    _check_nodes(settings)
    _check_destinations(settings)
    _check_display(settings)
    _check_card(settings)
    _check_sources(settings)


def _check_nodes(settings: Settings) -> None:
    worker = settings.asterisk.worker
    if worker and not WORKER_NAME.fullmatch(worker):
        raise SettingsError(f"asterisk.worker = {worker!r}; write letters, digits and -, 40 at most")
    if not 1 <= settings.asterisk.ari_workers <= MOST_WORKERS:
        raise SettingsError(
            f"asterisk.ari_workers = {settings.asterisk.ari_workers}; write a number from 1 to {MOST_WORKERS}"
        )
    if settings.asterisk.node in settings.nodes:
        raise SettingsError(
            f"nodes.{settings.asterisk.node} is asterisk.node as well; give each node a name of its own"
        )


def _check_destinations(settings: Settings) -> None:
    for name, place in settings.destinations.items():
        if not DESTINATION_NAME.fullmatch(name):
            raise SettingsError(f"destinations.{name}: write the name in small letters, digits, - and _, 40 at most")
        if not DESTINATION.fullmatch(place):
            raise SettingsError(
                f"destinations.{name} = {place!r}; write a context and an extension of your dialplan, "
                'like "company-voicemail,100"'
            )
    after = settings.routing.after
    if after and after not in settings.destinations:
        near = _nearest(after, settings.destinations) if settings.destinations else ""
        raise SettingsError(f"routing.after = {after!r} is no name of [destinations]{near}")


def _check_display(settings: Settings) -> None:
    templates = {f"dids.{number}.template": did.template for number, did in settings.dids.items() if did.template}
    templates["display.template"] = settings.display.template
    for fault in display.faults(templates, settings.phones, settings.phone_models):
        raise SettingsError(fault)


def _check_card(settings: Settings, read_files: bool = False) -> None:
    for fault in faults(settings.fields, settings.queries, read_files):
        raise SettingsError(fault)


def _check_sources(settings: Settings) -> None:
    orders = {settings.lookup.own_order: "lookup.own_order"}
    for name, source in settings.sources.items():
        where = f"sources.{name}"
        if source.order >= LAST_ORDER:
            raise SettingsError(f"{where}.order = {source.order}; write a smaller number")
        if not SOURCE_NAME.fullmatch(name):
            raise SettingsError(f"{where}: write the name in small letters, digits, - and _, 40 at most")
        if source.order in orders:
            raise SettingsError(
                f"{where}.order = {source.order} is {orders[source.order]} as well; give each another number, "
                "because the lowest that knows a caller is shown"
            )
        orders[source.order] = f"{where}.order"
        _check_keys(where, source)
        for key in ("every_s", "limit_s", "full_every_s"):
            if getattr(source, key) < 1:
                raise SettingsError(f"{where}.{key} = {getattr(source, key)}; write 1 or more")
        if source.kind == "sql":
            _check_statement(f"{where}.sql", source)
        if source.kind == "ldap" and not (source.url.startswith(("ldap://", "ldaps://")) and _readable(source.url)):
            raise SettingsError(f"{where}.url = {source.url!r}; write one that begins with ldap:// or ldaps://")


_NEEDED: Mapping[Kind, tuple[tuple[str, ...], ...]] = {
    "sql": (("url", "url_file"), ("sql",)),
    "vcards": (("folder",),),
    "ldap": (("url",), ("base",)),
    "push": (("token", "token_file"),),
}


def _check_keys(where: str, source: Source) -> None:
    known = KEYS_OF_A_SOURCE[source.kind]
    for key in fields(Source):
        is_set = key.default is not MISSING and getattr(source, key.name) != key.default
        if key.name not in known and (is_set or (key.name == "columns" and source.columns)):
            raise SettingsError(f"{where}.{key.name} is nothing that a source of the kind {source.kind!r} has")
    for either in _NEEDED[source.kind]:
        if not any(getattr(source, key) for key in either):
            raise SettingsError(f"{where}.{' or .'.join(either)} is missing")


NOT_CODE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/", re.DOTALL)
"""Of a statement: texts, quoted names, comments."""
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


def _check_statement(where: str, source: Source) -> None:
    """One SELECT whose only parameter is :since. What it does is held by a session that can only read."""
    code = NOT_CODE.sub(" ", source.sql).strip().removesuffix(";")
    if ";" in code or not re.match(r"(?i)(select|with)\b", code):
        raise SettingsError(f"{where} must be one SELECT")
    named = {*_PARAMETER.findall(code)}
    if strangers := sorted(named - {"since"}):
        raise SettingsError(f"{where} has the parameter :{strangers[0]}; the only one that is known is :since")
    if bool(source.since_column) != ("since" in named):
        what = "no :since; write it into its WHERE" if source.since_column else ":since; name its column: since_column"
        raise SettingsError(f"{where} has {what}, or leave both out")


def _readable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.port is None or parts.port > 0
    except ValueError:
        return False
