"""Doctor finds each planted failure and says its mend. Asterisk, Redis and the databases are real."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from agi.scripts import scripts
from agi.server import AgiServer
from config.settings import Agi, Asterisk, Desk, Did, Settings, Store
from config.settings import Company as CompanySettings
from lookup.engine import Engine as Lookup
from lookup.memory_cards import MemoryCache, MemorySource
from records import routing
from records.database import open_database, writer, writing
from records.tables import Customer, Endpoint, PhoneNumber, Team, User
from ringcard.check_asterisk import FALLBACK, FOR_MODELS, MODULES, asterisk
from ringcard.check_doors import agi, doors
from ringcard.check_figures import figures
from ringcard.check_machine import machine
from ringcard.check_records import records
from ringcard.check_redis import redis
from ringcard.doctor import Finding, examine, would_ring
from ringcard.from_settings import plans
from ringcard.lab import Lab
from ringcard.phones import Phone
from ringcard.redis_server import OwnServer
from ringcard.saying import FOLDER
from tests.company import Company
from tests.fixtures.postgres import TEMPLATE, PostgresServer
from tests.fixtures.redis import command, frozen
from tests.fixtures.redis_many import RedisCluster, Sentinels
from tests.ports import free_ports

NOW = datetime.now(UTC)


@pytest.fixture
def settings(lab: Lab, tmp_path: Path) -> Settings:
    """Of a company whose PBX is the lab; nothing of Ringcard runs."""
    return Settings(
        company=CompanySettings("Angkor", "KH"),
        store=Store(data_dir=str(tmp_path)),
        asterisk=Asterisk(ari_url=lab.ari_url, password=lab.password, cel_file=str(lab.cel_file)),
        desk=Desk(port=1),
        agi=Agi(port=1),
        dids={"+85523900002": Did("route")},
    )


def only(findings: list[Finding], name: str) -> Finding:
    (finding,) = [finding for finding in findings if finding.name == name]
    return finding


def assert_found(findings: list[Finding], name: str, state: str, seen: str, mend: str) -> None:
    finding = only(findings, name)
    assert (finding.state, seen in finding.seen, mend in finding.mend) == (state, True, True), finding


# --- this machine


def test_settings_as_shipped_are_pointed_out() -> None:
    assert_found(machine(Settings(), True), "settings", "warn", "as shipped", "[company]")


def looked_at(folder: Path) -> list[Finding]:
    return machine(Settings(store=Store(data_dir=str(folder))), True)


def test_a_folder_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_found(looked_at(tmp_path / "file" / "data"), "data folder", "fail", "cannot be written", "store.data_dir")


def test_a_folder_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    assert_found(looked_at(tmp_path / "data"), "data folder", "warn", "there is no", "ringcard migrate")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_everybody_can_look_into_is_pointed_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert only(looked_at(tmp_path), "data folder").state == "ok"
    tmp_path.chmod(0o755)
    assert_found(looked_at(tmp_path), "data folder", "warn", "every user", "chmod o=")


def test_a_sound_machine_has_nothing_to_mend(settings: Settings) -> None:
    assert [finding for finding in machine(settings, True) if finding.state == "fail"] == []
    assert "KH" in only(machine(settings, True), "number plans").seen


# --- the database


def with_database(url: str) -> Settings:
    return Settings(store=Store(database_url=url))


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = records(Settings(store=Store(data_dir=str(tmp_path)))).findings
    assert_found(found, "database", "fail", "there is no", "ringcard migrate")
    assert list(tmp_path.iterdir()) == []


def test_an_unmigrated_database_is_a_failure(empty_database_url: str) -> None:
    found = records(with_database(empty_database_url)).findings
    assert_found(found, "database", "fail", "empty", "ringcard migrate")


def test_a_newer_database_is_a_failure(database_url: str) -> None:
    engine = open_database(database_url)
    with writer(engine).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    engine.dispose()
    found = records(with_database(database_url)).findings
    assert_found(found, "database", "fail", "newer Ringcard", "Upgrade Ringcard")


def test_a_file_that_is_no_database_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "ringcard.db").write_text("this is a letter" * 100)
    found = records(Settings(store=Store(data_dir=str(tmp_path)))).findings
    assert only(found, "database").state == "fail"


def test_a_frozen_or_stopped_server_is_a_failure_within_seconds(own_postgres: PostgresServer) -> None:
    url = own_postgres.new_database(TEMPLATE).replace("ringcard@", "ringcard:hidden@")
    own_postgres.freeze()
    found = records(with_database(url)).findings
    own_postgres.resume()
    assert only(found, "database").state == "fail"
    own_postgres.stop()
    found += records(with_database(url)).findings
    assert [finding.state for finding in found] == ["fail", "fail"]
    assert "hidden" not in str(found)


# --- what stands in it


@pytest.fixture
def people(database: Engine, database_url: str) -> Callable[..., list[Finding]]:
    """What doctor finds after `fill` has put something into the database."""

    def found(fill: Callable[[Session], None]) -> list[Finding]:
        with writing(database) as session:
            fill(session)
        return records(with_database(database_url)).findings

    return found


def person(name: str, *phones: str, node: str = "pbx", active: bool = True, role: str = "agent") -> User:
    seats = [Endpoint(node=node, name=phone) for phone in phones]
    return User(
        login=name.lower(), name=name, password_hash="-", role=role, active=active, created_at=NOW, endpoints=seats
    )


def customer(manager: User | None = None, **number: str | int | None) -> Customer:
    fields = {"raw": "012345678", "match_key": "+85512345678", "nsn_tail": "12345678", "norm_version": 1, **number}
    return Customer(name="Sok", created_at=NOW, updated_at=NOW, manager=manager, numbers=[PhoneNumber(**fields)])


def test_a_company_in_order_has_nothing_to_mend(people: Callable[..., list[Finding]]) -> None:
    found = people(lambda session: session.add(customer(person("Maly", "101", role="administrator"))))
    assert {finding.state for finding in found} == {"ok"}


def test_nobody_to_sign_in_is_a_failure(people: Callable[..., list[Finding]]) -> None:
    assert_found(people(lambda session: None), "people", "fail", "nobody", "ringcard user add")


def test_no_customers_yet_is_pointed_out(people: Callable[..., list[Finding]]) -> None:
    assert_found(people(lambda session: None), "customers", "warn", "none yet", "ringcard import")


@pytest.mark.parametrize(
    ("fill", "name", "state", "seen", "mend"),
    [
        (lambda: person("Dara"), "people", "warn", "no phone: Dara", "where they sit"),
        (lambda: person("Dara", "101"), "administrators", "warn", "there is none", "--role administrator"),
        (lambda: customer(person("Maly")), "managers", "warn", "no phone: Maly", "where they sit"),
        (lambda: customer(person("Maly", active=False)), "managers", "warn", "left", "somebody else"),
        (lambda: Endpoint(node="pbx", name="109"), "phones and people", "warn", "109", "who sits there"),
        (lambda: person("Maly", "101", node="other"), "phones and people", "fail", "other", "asterisk.node"),
        (lambda: customer(match_key=None, nsn_tail=None), "customers", "warn", "1 of which cannot be read", "cards"),
    ],
)
def test_gaps_between_people_phones_and_customers_are_named(
    people: Callable[..., list[Finding]], fill: Callable[[], object], name: str, state: str, seen: str, mend: str
) -> None:
    assert_found(people(lambda session: session.add(fill())), name, state, seen, mend)


@pytest.mark.parametrize(
    ("fill", "state", "seen", "mend"),
    [
        (lambda s, p: routing.add_rule(s, "VIP", "vip", "is", "yes", person_id=p), "warn", "names Dara", "Who rings"),
        (lambda s, p: routing.add_rule(s, "VIP", "vip", "is", "yes", team_id=1), "warn", "the team Sales", "Who rings"),
        (
            lambda s, p: routing.add_rule(s, "VIP", "vip", "is", "yes", destination="x"),
            "fail",
            "no destination x",
            "[des",
        ),
        (lambda s, p: routing.save_calendar(s, None, "always", "", ""), "fail", "cannot be read", "Who rings"),
        (lambda s, p: routing.save_calendar(s, None, "", "", "x"), "fail", "no destination x", "[destinations]"),
        (lambda s, p: routing.block(s, "withheld", "", "", None), "ok", "0 rules, 0 calendars, 1 blocked", ""),
        (lambda s, p: routing.save_calendar(s, 1, "Mon 08:00-17:00", "", ""), "ok", "1 calendar", ""),
    ],
)
def test_rules_that_lead_nowhere_are_named(
    people: Callable[..., list[Finding]], fill: Callable[[Session, int], object], state: str, seen: str, mend: str
) -> None:
    def enter(session: Session) -> None:
        dara = person("Dara")
        session.add_all((Team(id=1, name="Sales"), dara))
        session.flush()
        fill(session, dara.id)

    assert_found(people(enter), "who rings", state, seen, mend)


# --- redis


async def look_at(server: OwnServer) -> list[Finding]:
    return await redis(Settings(store=Store(redis_url=server.url)))


async def test_our_own_redis_is_as_it_should_be(redis_server: OwnServer) -> None:
    assert {finding.state for finding in await look_at(redis_server)} == {"ok"}


async def test_a_redis_that_does_not_run_is_a_failure(tmp_path: Path) -> None:
    assert_found(await redis(Settings(store=Store(data_dir=str(tmp_path)))), "redis", "fail", "our own", "ringcard run")
    found = await redis(Settings(store=Store(redis_url="redis://127.0.0.1:1")))
    assert_found(found, "redis", "fail", "store.redis_url", "Start or mend that server")


async def test_a_frozen_redis_is_a_failure_within_seconds(breakable_redis: OwnServer) -> None:
    with frozen(breakable_redis.pid):
        assert_found(await look_at(breakable_redis), "redis", "fail", "1000 ms", "Start or mend")


async def test_a_replica_is_a_failure(breakable_redis: OwnServer) -> None:
    command(breakable_redis, "REPLICAOF 127.0.0.1 1")
    assert_found(await look_at(breakable_redis), "redis", "fail", "refuses to write", "primary")


@pytest.mark.parametrize(
    ("policy", "memory", "state", "seen"),
    [
        ("allkeys-lru", "100mb", "warn", "allkeys-lru"),
        ("noeviction", "100mb", "warn", "noeviction"),
        ("noeviction", "1", "fail", "noeviction"),
        ("noeviction", "0", "ok", "no limit"),
        ("volatile-lfu", "100mb", "ok", "100 MB"),
    ],
)
async def test_what_a_full_redis_throws_away_matters(
    breakable_redis: OwnServer, policy: str, memory: str, state: str, seen: str
) -> None:
    command(breakable_redis, f"CONFIG SET maxmemory-policy {policy}")
    command(breakable_redis, f"CONFIG SET maxmemory {memory}")
    mend = "" if state == "ok" else "volatile-lfu"
    assert_found(await look_at(breakable_redis), "redis memory", state, seen, mend)


async def redis_at(url: str) -> list[Finding]:
    return await redis(Settings(store=Store(redis_url=url)))


async def test_sentinels_in_order_name_the_master(standing_sentinels: Sentinels) -> None:
    found = await redis_at(standing_sentinels.url)
    assert {finding.state for finding in found} == {"ok"}
    assert f"the master at 127.0.0.1:{standing_sentinels.master.port}" in only(found, "redis").seen


async def test_another_name_of_the_master_is_a_failure(standing_sentinels: Sentinels) -> None:
    found = await redis_at(standing_sentinels.url.replace(standing_sentinels.name, "another"))
    assert_found(found, "redis sentinels", "fail", "no master called another", "sentinel monitor")


async def test_sentinels_that_are_gone_are_pointed_out_until_too_few_could_agree(sentinels: Sentinels) -> None:
    sentinels.sentinels[2].kill()
    assert_found(await redis_at(sentinels.url), "redis sentinels", "warn", "refused", "Start this sentinel")
    sentinels.sentinels[1].kill()
    async with asyncio.timeout(30):  # the last one needs a moment to see it
        while only(found := await redis_at(sentinels.url), "redis sentinels").state != "fail":
            await asyncio.sleep(0.1)
    assert_found(found, "redis sentinels", "fail", "NOQUORUM", "Start the missing sentinels")
    assert only(found, "redis").state == "ok"
    sentinels.sentinels[0].kill()
    assert_found(await redis_at(sentinels.url), "redis sentinels", "fail", "none of 3 answers", "correct their hosts")


async def test_a_cluster_in_order(standing_cluster: RedisCluster) -> None:
    found = await redis_at(standing_cluster.url)
    assert {finding.state for finding in found} == {"ok"}
    assert "3 masters of 3 nodes" in only(found, "redis cluster").seen


async def test_what_a_cluster_misses_is_named(redis_cluster: RedisCluster) -> None:
    first, second, _ = redis_cluster.nodes
    second.ask("CONFIG SET maxmemory 100mb")
    second.ask("CONFIG SET maxmemory-policy allkeys-lru")
    assert_found(await redis_at(redis_cluster.url), "redis memory", "warn", f"127.0.0.1:{second.port}", "volatile-lfu")
    first.ask("CLUSTER DELSLOTS 0")
    found = await redis_at(redis_cluster.url)
    assert_found(found, "redis cluster", "fail", "1 of 16384 slots have no node", "redis-cli --cluster fix")
    with frozen(second.pid):
        assert_found(await redis_at(redis_cluster.url), "redis node", "fail", f":{second.port}", "mend this node")
    redis_cluster.end()
    assert_found(await redis_at(redis_cluster.url), "redis cluster", "fail", "no node", "Start its nodes")


async def test_a_server_that_is_no_cluster_is_a_failure(standing_sentinels: Sentinels) -> None:
    found = await redis_at(f"cluster://127.0.0.1:{standing_sentinels.master.port}")
    assert_found(found, "redis cluster", "fail", "cluster support disabled", "redis://")


# --- Asterisk


async def test_a_lab_in_order_misses_only_ringcard_itself(lab: Lab, settings: Settings) -> None:
    found = await asterisk(settings, [])
    assert [finding.name for finding in found if finding.state != "ok"] == ["application"]
    assert_found(found, "application", "fail", "no Ringcard is connected", "ringcard run")
    assert_found(found, "asterisk", "ok", lab.version, "")
    assert_found(found, "requests", "ok", "variables", "")
    assert_found(found, "trunks", "ok", "trunk sends its calls", "")


@pytest.mark.parametrize(
    ("connected", "shared", "state", "seen", "mend"),
    [
        ("ringcard,ringcard-tracker", "", "ok", "connected as 'ringcard'; ", ""),
        ("ringcard-a,ringcard-b,ringcard-tracker", "yes", "ok", "connected as 'ringcard-a', 'ringcard-b'; ", ""),
        ("ringcard", "", "warn", "nobody follows the calls", "log of ari"),
        ("ringcard-a,ringcard-tracker", "", "fail", "want to share them", "RINGCARD_SHARED = yes"),
        ("ringcard,ringcard-tracker", "yes", "fail", "offered to those that share them", "asterisk.worker"),
    ],
)
async def test_who_has_the_calls_and_whether_they_are_offered_to_them(
    lab: Lab, settings: Settings, connected: str, shared: str, state: str, seen: str, mend: str
) -> None:
    auth = {"Authorization": aiohttp.encode_basic_auth(lab.ari_user, lab.password)}
    lab.set_global("RINGCARD_SHARED", shared)
    try:
        async with (
            aiohttp.ClientSession(headers=auth) as session,
            session.ws_connect(f"{lab.ari_url}/events", params={"app": connected}),
        ):
            assert_found(await asterisk(settings, []), "application", state, seen, mend)
    finally:
        lab.set_global("RINGCARD_SHARED", "")


def elsewhere(settings: Settings, url: str) -> Settings:
    return replace(settings, asterisk=replace(settings.asterisk, ari_url=url, request_ms=300))


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """Some other program on a port: says `answer` to whatever it hears, and stays silent when there is none."""

    conversations: set[asyncio.Task[None] | None] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(asyncio.current_task())
        await reader.read(4096)
        if answer:
            writer.write(answer)
        else:
            await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*filter(None, conversations))


HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<p>hi"
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


async def test_an_asterisk_that_refuses_the_connection(settings: Settings) -> None:
    found = await asterisk(elsewhere(settings, "http://127.0.0.1:1/ari"), [])
    assert len(found) == 1, "what depends on a broken link is left out"
    assert_found(found, "asterisk", "fail", "nothing answers", "Start Asterisk")


@pytest.mark.parametrize(
    ("answer", "seen", "mend"),
    [
        (b"", "does not answer within 300 ms", "frozen"),
        (HTML, "not Asterisk's REST interface", "asterisk.ari_url"),
        (MISSING, "not Asterisk's REST interface", "asterisk.ari_url"),
        (b"220 smtp ready\r\n", "nothing answers", "asterisk.ari_url"),
    ],
    ids=["silent", "a web page", "another path", "no HTTP at all"],
)
async def test_something_else_where_asterisk_should_be(settings: Settings, answer: bytes, seen: str, mend: str) -> None:
    async with answering(answer) as port:
        assert_found(
            await asterisk(elsewhere(settings, f"http://127.0.0.1:{port}/ari"), []), "asterisk", "fail", seen, mend
        )


async def test_a_wrong_path_of_the_right_asterisk(lab: Lab, settings: Settings) -> None:
    found = await asterisk(elsewhere(settings, lab.ari_url.replace("/ari", "/asterisk")), [])
    assert_found(found, "asterisk", "fail", "not Asterisk's REST interface", "ends in /ari")


async def test_a_wrong_password(settings: Settings) -> None:
    wrong = replace(settings, asterisk=replace(settings.asterisk, password="wrong"))
    found = await asterisk(wrong, [])
    assert_found(found, "asterisk", "fail", "refuses the user 'ringcard'", "ari.conf")
    assert "wrong" not in found[0].seen


async def test_a_frozen_asterisk(lab: Lab, settings: Settings) -> None:
    with frozen(lab.pid):
        found = await asterisk(elsewhere(settings, lab.ari_url), [])
    assert_found(found, "asterisk", "fail", "does not answer within 300 ms", "frozen")


@contextmanager
def written(lab: Lab, name: str, old: str, new: str, *reload: str) -> Iterator[None]:
    """One of the lab's configuration files with `old` made `new`, and Asterisk told so; then as it was."""
    path = lab.dir / "etc" / name
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    try:
        for line in reload:
            lab.cli(line)
        yield
    finally:
        path.write_text(before)
        for line in reload:
            lab.cli(line)


async def test_an_ari_user_that_may_only_look(lab: Lab, settings: Settings) -> None:
    with written(lab, "ari.conf", "type = user", "type = user\nread_only = yes", "module reload res_ari.so"):
        assert_found(await asterisk(settings, []), "permission", "fail", "may only look", "read_only")


async def test_channelvars_that_could_stop_sip(lab: Lab, settings: Settings) -> None:
    asked = "enabled = yes\nchannelvars = CHANNEL(linkedid),PJSIP_HEADER(read)"
    with written(lab, "ari.conf", "enabled = yes", asked, "module reload res_ari.so"):
        assert_found(await asterisk(settings, []), "channelvars", "fail", "PJSIP_HEADER(read) is asked", "Take it out")


async def test_a_queue_of_events_that_may_stop_sip(lab: Lab, settings: Settings) -> None:
    trigger = "taskprocessor_overload_trigger = pjsip_only"
    with written(lab, "pjsip.conf", trigger, "", "module reload res_pjsip.so"):
        assert_found(await asterisk(settings, []), "overload", "warn", "takes no new calls", "pjsip_only")
    assert_found(await asterisk(settings, []), "overload", "ok", "only SIP's own queues", "")


async def test_a_module_that_is_not_loaded(lab: Lab, settings: Settings) -> None:
    lab.cli("module unload func_timeout.so")
    try:
        assert_found(await asterisk(settings, []), "modules", "fail", "func_timeout.so (TIMEOUT)", "module load")
    finally:
        lab.cli("module load func_timeout.so")


async def test_asterisks_own_record_that_is_not_read_not_there_or_not_written(
    lab: Lab, settings: Settings, tmp_path: Path
) -> None:
    async def with_file(path: object) -> list[Finding]:
        return await asterisk(replace(settings, asterisk=replace(settings.asterisk, cel_file=str(path))), [])

    assert_found(await with_file(""), "own record", "warn", "is not read", "asterisk.cel_file")
    assert_found(await with_file(lab.cel_file), "own record", "ok", str(lab.cel_file), "")
    assert_found(await with_file(tmp_path / "none.csv"), "own record", "warn", "No such file", "docs/log.md")
    with written(lab, "cel.conf", "CHAN_START,", "", "module reload cel"):
        found = await with_file(lab.cel_file)
    assert_found(found, "own record", "warn", "opened is not in", "module reload cel")
    lab.cli("module unload cel_custom.so")
    try:
        assert_found(await with_file(lab.cel_file), "own record", "warn", "not loaded", "module load cel_custom.so")
    finally:
        lab.cli("module load cel_custom.so")


@contextmanager
def with_global(lab: Lab, name: str, value: str, before: str = "") -> Iterator[None]:
    lab.cli(f'dialplan set global {name} "{value}"')
    try:
        yield
    finally:
        lab.cli(f'dialplan set global {name} "{before}"')


def test_the_modules_asked_for_are_those_of_our_dialplan(lab: Lab) -> None:
    """Asterisk's own documentation says which module each application and function comes from."""
    documented = (lab.asterisk.data / "documentation/core-en_US.xml").read_text()
    module_of = dict(re.findall(r'<(?:application|function) name="(\w+)"[^>]* module="(\w+)"', documented))
    lines = [line.partition(";")[0] for line in lab.dialplan.read_text().splitlines()]
    used = {name for line in lines for name in re.findall(r"\b([A-Z]\w*)\(", line)}
    assert {"Stasis", "TIMEOUT"} <= used
    needed = {module_of[name] for name in used if name in module_of} - {"builtin"}
    optional = {module for modules in (*FALLBACK.values(), FOR_MODELS) for module in modules}
    assert needed - set(MODULES) <= optional


async def test_without_the_states_of_telephones_calls_ring_and_doctor_warns(lab: Lab, settings: Settings) -> None:
    lab.cli("module unload res_ari_device_states.so")
    try:
        assert_found(await asterisk(settings, []), "modules", "warn", "(which telephones talk)", "module load")
    finally:
        lab.cli("module load res_ari_device_states.so")


async def test_a_fallback_that_is_switched_on_needs_its_modules(lab: Lab, settings: Settings) -> None:
    lab.cli("module unload func_curl.so")
    try:
        assert only(await asterisk(settings, []), "modules").state == "ok"
        with with_global(lab, "RINGCARD_CURL", "http://127.0.0.1:8080/dialplan/caller-name?number="):
            assert_found(await asterisk(settings, []), "modules", "fail", "func_curl.so (CURL)", "module load")
    finally:
        lab.cli("module load func_curl.so")


async def test_a_dialplan_without_ringcard(lab: Lab, settings: Settings) -> None:
    with written(lab, "extensions.conf", "#include", ";#include", "dialplan reload"):
        found = await asterisk(settings, [])
    assert_found(found, "dialplan", "fail", "no context ringcard-inbound", "#tryinclude")
    assert "sends its calls there: they are refused now" in only(found, "dialplan").seen


async def test_a_dialplan_without_the_guard_s_extension(lab: Lab, settings: Settings) -> None:
    lab.cli("dialplan remove extension T@ringcard-call")
    try:
        assert_found(await asterisk(settings, []), "dialplan", "fail", "extension T", "anew")
    finally:
        lab.cli("dialplan reload")


@pytest.mark.parametrize(
    ("value", "seen", "mend"),
    [
        ("", "is not set", "[globals]"),
        ("ringcard-inbound", "leads nowhere", "took your calls before"),
        ("a b", "leads nowhere", "took your calls before"),
        ("company-inbuond", "there is no context company-inbuond", "Correct RINGCARD_BEFORE"),
    ],
)
async def test_no_way_for_calls_without_a_route(lab: Lab, settings: Settings, value: str, seen: str, mend: str) -> None:
    with with_global(lab, "RINGCARD_BEFORE", value, "company-inbound"):
        assert_found(await asterisk(settings, []), "company's own way", "fail", seen, mend)


async def test_destinations_that_the_dialplan_has_and_one_that_it_has_not(settings: Settings) -> None:
    good = replace(settings, destinations={"night": "company-internal,106", "group": "company-group,s"})
    assert only(await asterisk(good, []), "destinations").seen == "Asterisk's dialplan has all 2"
    bad = replace(settings, destinations={"night": "company-internal,106", "moon": "company-moon,1"})
    found = await asterisk(bad, [])
    assert_found(found, "destinations", "fail", "does not have moon (company-moon,1)", "[destinations]")


async def test_a_number_of_ours_that_the_company_s_own_way_does_not_know(settings: Settings) -> None:
    more = replace(settings, dids={"+855 23 900 002": Did(), "+85599999999": Did()})
    found = await asterisk(more, [])
    assert_found(found, "company's own way", "warn", "no extension for +85599999999", "[dids]")


async def test_a_trunk_that_calls_past_ringcard(lab: Lab, settings: Settings) -> None:
    changes = ("context = ringcard-inbound", "context = company-inbound", "module reload res_pjsip.so")
    with written(lab, "pjsip.conf", *changes):
        assert_found(await asterisk(settings, []), "trunks", "warn", "no PJSIP endpoint", "context = ringcard-inbound")


@pytest.mark.parametrize(
    ("value", "state", "seen"), [("0.1", "warn", "after 0.1 s"), ("soon", "fail", "no number"), ("1", "ok", "1.0")]
)
async def test_a_guard_that_is_shorter_than_a_lookup(
    lab: Lab, settings: Settings, value: str, state: str, seen: str
) -> None:
    with with_global(lab, "RINGCARD_GUARD", value):
        mend = "" if state == "ok" else "RINGCARD_GUARD"
        assert_found(await asterisk(settings, []), "guard", state, seen, mend)


async def test_telephones_are_there_and_registered_or_named(lab: Lab, settings: Settings) -> None:
    async with Phone(lab, "101"):
        assert_found(await asterisk(settings, ["101"]), "telephones", "ok", "all 1", "")
        assert_found(await asterisk(settings, ["101", "102"]), "telephones", "warn", "registered: 102", "pjsip show")
        assert_found(await asterisk(settings, ["101", "199"]), "telephones", "fail", "endpoint 199", "pjsip.conf")


# --- Ringcard's own doors


def at(settings: Settings, port: int) -> Settings:
    return replace(settings, desk=replace(settings.desk, port=port), agi=replace(settings.agi, port=port))


async def test_doors_that_nobody_opened(settings: Settings) -> None:
    found = await doors(settings)
    assert_found(found, "desk", "fail", "nothing answers", "ringcard run")
    assert_found(found, "agi", "warn", "nothing answers", "ringcard run")


@pytest.mark.parametrize(
    ("answer", "desk_seen", "agi_seen"),
    [
        (b"", "does not speak", "says nothing"),
        (HTML, "is not the desk", "does not answer AGI"),
        (b"220 smtp ready\r\n", "does not speak", "does not answer AGI"),
    ],
    ids=["silent", "a web page", "no HTTP at all"],
)
async def test_a_port_that_another_program_has(
    settings: Settings, answer: bytes, desk_seen: str, agi_seen: str
) -> None:
    async with answering(answer) as port:
        found = await doors(at(settings, port))
    assert_found(found, "desk", "fail", desk_seen, "desk.port")
    assert_found(found, "agi", "warn", agi_seen, "agi.port")


async def test_the_agi_server_is_asked_as_asterisk_would(settings: Settings) -> None:
    engine = Lookup(plans(settings), MemoryCache(), MemorySource(), settings.lookup)
    server = AgiServer(Agi(port=0), scripts(engine, settings))
    await server.start()
    assert (await agi(Agi(port=server.port))).state == "ok"
    await server.stop()
    assert server.counters.done == 1


# --- the whole


async def test_everything_broken_at_once_is_still_a_list_of_findings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = Settings(
        store=Store(data_dir=str(tmp_path / "file" / "data")),
        asterisk=Asterisk(ari_url="http://127.0.0.1:1/ari"),
        desk=Desk(port=1),
        agi=Agi(port=1),
    )
    found = await examine(nowhere)
    assert not would_ring(found)
    broken = {finding.name for finding in found if finding.state == "fail"}
    assert broken == {"data folder", "database", "redis", "asterisk", "desk"}
    assert all(finding.mend for finding in found if finding.state != "ok")


async def test_a_running_ringcard_in_order_would_ring_and_what_then_breaks_is_found(
    lab: Lab, tmp_path: Path, sqlite_url: str, redis_url: str
) -> None:
    engine = open_database(sqlite_url)
    with writing(engine) as session:
        session.add(customer(person("Maly", "101", role="administrator")))
    engine.dispose()
    company = Company(lab, tmp_path, free_ports(2)[0], redis_url=redis_url, database_url=sqlite_url, cel=True)
    company.start("ari", "agi", "desk", "worker")
    try:
        await company.listening()
        await company.desk_ready()
        for role in ("agi", "worker"):
            await company.until((company.settings.data_dir / FOLDER / f"{role}.sock").exists, role)
        async with Phone(lab, "101"):
            found = await examine(company.settings)
            assert [finding for finding in found if finding.state != "ok"] == [only(found, "desk for phones")]
            assert would_ring(found)
            assert only(found, "processes").seen.startswith("agi, ari, desk, worker answer; in 0 minutes: 0 lookups, ")
            told = await asyncio.to_thread(doctor_command, company)
            assert (told.returncode, json.loads(told.stdout)["works"]) == (0, True)

        os.utime(company.file)
        changed = await doors(company.settings, company.file)
        assert_found(changed, "desk", "warn", "was changed after it started", "Restart ringcard run")

        other_token = replace(company.settings.desk, dialplan_token="another")
        found = await doors(replace(company.settings, desk=other_token))
        assert_found(found, "name for the dialplan", "warn", "answers 403", "desk.dialplan_token")

        company.freeze("agi")
        company.freeze("desk")
        found = await doors(company.settings)
        assert_found(found, "agi", "warn", "says nothing", "agi.port")
        assert_found(found, "desk", "fail", "does not speak", "desk.port")
        company.kill("ari")
        (processes,) = await figures(company.settings)
        assert_found([processes], "processes", "warn", "away or frozen: agi, ari, desk", "log of agi")
        assert_found(await asterisk(company.settings, []), "application", "fail", "no Ringcard", "ringcard run")
        told = await asyncio.to_thread(doctor_command, company)
        assert (told.returncode, json.loads(told.stdout)["works"]) == (1, False)
    finally:
        company.stop()


def doctor_command(company: Company) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ringcard.cli", "--config", str(company.file), "doctor", "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
