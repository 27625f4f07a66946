"""The one place where all parts are put together: each process opens what it needs, in the order of the floors.

Nothing here needs Asterisk, Redis or the database to be there: a process comes up, says what is missing, and is whole
again when it is back. What is opened is closed in reverse when the process is told to stop. Each process imports only
what it needs, so that after a crash calls are taken again before a web framework would have been read.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine as Database

from config.display import Screen
from config.measures import Said, Sample
from config.settings import Settings
from lookup import numbers
from lookup.answers import Number
from lookup.breaker import StoreGone
from lookup.duty import Situation
from lookup.engine import Engine
from lookup.notices import LiveCall
from lookup.sql_cards import SqlCards
from lookup.sql_duty import DutyBook, said_by
from records.database import open_database
from records.errors import DatabaseGone
from records.touched import Touched
from ringcard import measuring
from ringcard.from_settings import card_cache, own_numbers, plans, redis_url
from ringcard.redis_server import SOCKET, server_folder
from ringcard.saying import Saying, heard
from ringcard.serving import StartError, either, ended, say_ready, unless_broken

if TYPE_CHECKING:
    from ari_app.call import Rules

log = logging.getLogger(__name__)

DUTY_S = 3.0  # so long the database may take to say who is there; no call waits for it
PLACED_S = 1.0  # so long a process that starts waits to know whether another follows the calls
DUTY_FIRST_S = 1.0  # so long a process that starts waits for it, and then begins without


# --- parts that several processes open


async def open_engine(stack: AsyncExitStack, settings: Settings) -> Engine:
    """The lookup, closed with `stack`. Redis and the database may be away."""
    cache = card_cache(settings, settings.lookup.near_cards)
    stack.push_async_callback(cache.close)
    source = SqlCards(settings.database_url, orders=settings.orders)
    stack.push_async_callback(source.close)
    engine = Engine(plans(settings), cache, source, settings.lookup, own_numbers(settings), tiers=settings.tiers)
    stack.push_async_callback(engine.close)
    return engine


async def say(stack: AsyncExitStack, settings: Settings, role: str, samples: Callable[[], Iterable[Sample]]) -> Saying:
    """Let this process be asked for its figures, until `stack` is closed."""
    saying = Saying(settings.data_dir, role, lambda: (*measuring.process(), *samples()))
    await saying.start()
    stack.push_async_callback(saying.stop)
    return saying


async def open_duty(stack: AsyncExitStack, settings: Settings) -> DutyBook:
    """Who is there and the company's rules, kept in memory until `stack` closes. The database may be away."""
    database = open_database(settings.database_url, DUTY_S)
    stack.callback(database.dispose)
    book = DutyBook(database, said_by(settings, own_numbers(settings)))
    stack.push_async_callback(ended, asyncio.create_task(book.run(), name="duty"))
    with suppress(TimeoutError):
        async with asyncio.timeout(DUTY_FIRST_S):
            await book.looked.wait()
    return book


def situation(
    settings: Settings,
    duty: DutyBook,
    at_ms: int,
    busy: frozenset[str] = frozenset(),
    unreachable: frozenset[str] = frozenset(),
) -> Situation:
    """What is so at that moment, as far as it is known without asking anybody."""
    at = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(settings.company.time_zone))
    return Situation(at, duty.now, busy, unreachable)


def forget(settings: Settings, touched: Touched) -> None:
    """For commands: the cache lets go of what a change of the records made wrong, though no worker may run to do it."""
    if touched:
        with forgetting(settings) as tell:
            tell(touched)


@contextmanager
def forgetting(settings: Settings) -> Iterator[Callable[[Touched], bool]]:
    """The same for many changes, one after another; False when the cache cannot be told now.

    Our own Redis keeps nothing while it does not run, so then there is nothing to forget.
    """
    own = None if settings.store.redis_url else server_folder(settings.data_dir) / SOCKET
    gone = False
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        engine = runner.run(open_engine(stack, settings))

        def tell(touched: Touched) -> bool:
            nonlocal gone
            if own is not None and not own.exists():
                return True
            try:
                runner.run(engine.forget(touched.keys, touched.tails, touched.ranges))
            except StoreGone as exc:
                if not gone:
                    log.warning("redis cannot be told now (%s); the worker tells it when it is back", exc)
                gone = True
                return False
            gone = False
            return True

        try:
            yield tell
        finally:
            runner.run(stack.aclose())


def reader(settings: Settings) -> Callable[[str], Number]:
    """How numbers that people enter are read: by the company's own plan, and told whether they are its own."""
    plan, own = plans(settings)[""], own_numbers(settings)

    def read(raw: str) -> Number:
        number = numbers.read(raw, plan)
        return replace(number, own=True) if (number.match_key or number.tail) in own else number

    return read


def journal_path(settings: Settings) -> Path:
    """Where facts of calls wait for the database."""
    return settings.data_dir / "journal.db"


def call_rules(settings: Settings, node: str = "") -> Rules:
    """What the calls of a node are decided by; of ours when none is named."""
    from ari_app.call import Rules
    from lookup.screens import fitted, on_screens

    return Rules(
        node=node or settings.asterisk.node,
        routing=settings.routing,
        did=settings.did,
        public_url=settings.public_url,
        secret=settings.desk.secret,
        link_s=settings.desk.link_minutes * 60,
        template=settings.display.template,
        on_phone=lambda phone, name: fitted(name, settings.phones.get(phone, Screen())) or name,
        on_screens=lambda name: on_screens(name, settings.phones, settings.phone_models),
    )


def migrate_or_say(settings: Settings) -> bool:
    """Bring the database to this version; False: it is away, and calls are served without it until it is back."""
    from records.migrate import migrate

    return _or_say(settings, migrate, "Starting without the database.")


def check_or_say(settings: Settings) -> None:
    """For commands that only look: a database that is away is said, one that is not ready is refused (DatabaseOld)."""
    from records.migrate import check

    _or_say(settings, check, "Looking without the database.")


def _or_say(settings: Settings, work: Callable[[Database], object], meanwhile: str) -> bool:
    database = open_database(settings.database_url)
    try:
        work(database)
    except DatabaseGone as exc:
        log.error("%s %s", exc, meanwhile)
        return False
    finally:
        database.dispose()
    return True


def warm() -> None:
    """Do before the first call what would hold it up: load every country's numbers, and take them from the collector.

    With them, one full collection of Python's takes some 100 ms (measured), and would hit a call; and an import longer.
    """
    numbers.warm()
    gc.collect()
    gc.freeze()


# --- the processes


async def run_ari(settings: Settings, stop: asyncio.Event) -> None:
    """Calls: named, routed, handed back and followed."""
    from ari_app import events
    from ari_app.ami import AmiLink
    from ari_app.ari_link import AriLink
    from ari_app.ari_requests import AriError
    from ari_app.device_watch import DeviceWatch
    from ari_app.devices import DEVICE_STATE, Devices
    from ari_app.dialling import Dialling
    from ari_app.offers import CALL_BROADCAST, Offers
    from ari_app.orphans import Orphans
    from ari_app.passing import Passing
    from ari_app.switchboard import Switchboard
    from lookup.redis_notices import RedisNotices
    from records.journal import Journal
    from ringcard.nodes_gone import keep_telling

    warm()
    async with AsyncExitStack() as stack:
        engine = await open_engine(stack, settings)
        notices = RedisNotices(redis_url(settings), living=lambda: board.living())
        stack.push_async_callback(notices.close)
        journal = Journal(journal_path(settings))
        stack.callback(journal.close)

        async def told() -> Sequence[LiveCall]:
            return (await notices.snapshot())[1]

        duty = await open_duty(stack, settings)
        kinds = events.IN_OUR_HANDS | {DEVICE_STATE} | ({CALL_BROADCAST} if settings.asterisk.worker else frozenset())
        link = AriLink(settings.asterisk, kinds, app=settings.asterisk.calls_app)
        budget_s, node = settings.lookup.budget_ms / 1000, settings.asterisk.node
        offers = Offers(link.send, engine, settings.asterisk.calls_app, budget_s)
        tracker = AriLink(
            settings.asterisk,
            events.ALL_CALLS,
            app=settings.asterisk.tracker_app,
            sources=events.SOURCES,
            name="tracker",
            beside=True,
        )
        passing = Passing(link.send, settings.asterisk.tracker_app, lambda: tracker.holder)
        devices = Devices()
        watch = DeviceWatch(link, devices, lambda: duty.now.phones_of(settings.asterisk.node))

        def now(at_ms: int) -> Situation:
            busy = devices.busy
            if duty.now.has_outside:  # of these Asterisk knows no state, but we follow their calls
                busy |= board.talking()
            return situation(settings, duty, at_ms, busy, devices.unreachable)

        rules = replace(call_rules(settings), situation=now)
        ami = AmiLink(settings.ami)
        stack.push_async_callback(ended, asyncio.create_task(ami.run(), name="ami"))
        board = Switchboard(
            link,
            engine,
            tell=notices.publish,
            recall=told,
            record=journal.append,
            rules=rules,
            app=settings.asterisk.calls_app,
            budget_s=budget_s,
            link_errors=(AriError,),
            trunks=settings.asterisk.trunks,
            name_late=ami.put,
            stands_by=lambda: tracker.stands_by,
            pass_on=passing.pass_on,
            answered=offers.answer,
        )

        dialling = Dialling(link, engine, lambda: duty.now, node, budget_s, (AriError,), rules.on_phone)

        def samples() -> Iterator[Sample]:
            yield from measuring.of_lookup(engine, also_gone={"redis": bool(notices.gone)})
            yield from measuring.of_calls(board, notices, journal)
            yield from measuring.of_offers(offers, passing)
            yield from measuring.of_link("ari", link)
            yield from measuring.of_link("tracker", tracker)
            yield from measuring.of_duty(duty)
            yield from measuring.of_names(dialling, ami)

        await say(stack, settings, "ari", samples)

        def take(raw: Mapping[str, Any]) -> None:
            if not devices.take(raw) and not offers.take(raw) and not dialling.take(raw):
                board.take(raw)

        def rescue(raw: Mapping[str, Any]) -> None:
            board.counters.found_after_gap += 1
            take(raw)

        names = (settings.asterisk.tracker_app, "ringcard-doctor")
        orphans = Orphans(link.send, rescue, settings.asterisk.app, names, 2 * budget_s)

        def ours() -> bool:
            """Where several share the calls one of them looks for orphans, the tracker."""
            return link.up and (tracker.up or not settings.asterisk.worker)

        async def connected() -> None:
            await board.reconcile()
            await watch.connected()

        telling = asyncio.create_task(keep_telling(notices, settings.asterisk.node, link))
        stack.push_async_callback(ended, telling)

        async def ready() -> None:
            await tracker.placed.wait()
            await link.placed.wait()
            say_ready()

        async def at_work() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(tracker.run(board.take, lambda: board.reconcile(tracker), board.stand_by))
                group.create_task(passing.run())
                with suppress(TimeoutError):
                    async with asyncio.timeout(PLACED_S):
                        await tracker.placed.wait()
                group.create_task(link.run(take, connected))
                group.create_task(ready())
                group.create_task(orphans.run(ours))
                group.create_task(board.sweep(tracker, lambda: tracker.up))

        linked = asyncio.create_task(at_work())
        stack.push_async_callback(ended, linked)
        stack.push_async_callback(ended, asyncio.create_task(watch.run(), name="devices"))
        stack.push_async_callback(dialling.close)
        stack.push_async_callback(board.close)  # the calls in our hands go back before the link goes
        await unless_broken(linked, stop)
        await offers.close()
        await asyncio.gather(link.leave(), tracker.leave())


async def run_agi(settings: Settings, stop: asyncio.Event) -> None:
    """The same lookup by AGI."""
    from agi.scripts import scripts
    from agi.server import AgiServer, PortTaken

    warm()
    async with AsyncExitStack() as stack:
        engine = await open_engine(stack, settings)
        duty = await open_duty(stack, settings)
        server = AgiServer(
            settings.agi, scripts(engine, settings, time.time, lambda at_ms: situation(settings, duty, at_ms))
        )
        try:
            await server.start()
        except PortTaken as exc:
            raise StartError(str(exc)) from exc
        stack.push_async_callback(server.stop)
        await say(stack, settings, "agi", lambda: (*measuring.of_lookup(engine), *measuring.of_agi(server)))
        await stop.wait()


async def run_desk(settings: Settings, stop: asyncio.Event) -> None:
    """The web desk and the API."""
    from desk.app import create_app, let_browsers_go
    from desk.parts import DeskParts
    from lookup.redis_notices import RedisNotices
    from ringcard.doctor_program import DoctorProgram
    from ringcard.import_programs import ImportPrograms
    from ringcard.web import serve_web

    warm()
    async with AsyncExitStack() as stack:
        database = open_database(settings.database_url)
        stack.callback(database.dispose)
        engine = await open_engine(stack, settings)
        notices = RedisNotices(redis_url(settings))
        stack.push_async_callback(notices.close)
        cache = card_cache(settings, answer_s=measuring.WITHIN_S)
        stack.push_async_callback(cache.close)
        machine = measuring.Machine(journal_path(settings), cache)

        async def figures() -> list[Said]:
            said, of_machine = await asyncio.gather(
                heard(settings.data_dir, saying), machine.samples(app.state.services)
            )
            return [*said, Said(saying.process, tuple(of_machine))]

        parts = DeskParts(
            settings=settings,
            database=database,
            live=notices,
            notices=notices,
            finder=engine,
            secret=settings.desk.secret,
            dialplan_token=settings.desk.dialplan_token,
            imports=ImportPrograms(settings),
            read_number=reader(settings),
            figures=figures,
            tell=notices.publish,
            examine=DoctorProgram(settings).findings,
        )
        app = create_app(parts)
        saying = await say(stack, settings, "desk", lambda: (*measuring.of_lookup(engine), *measuring.of_desk(app)))
        await serve_web(
            app,
            settings.desk.host,
            settings.desk.port,
            stop,
            opened=lambda: log.info("the desk is open at %s", settings.public_url),
            stopping=lambda: let_browsers_go(app),
        )


async def run_worker(settings: Settings, stop: asyncio.Event) -> None:
    """The journal into the log of calls, changes of the records into the cache, and whatever else can wait a moment."""
    from lookup.redis_notices import RedisNotices
    from records.journal import Journal
    from ringcard.completing import Completing, asterisk_started_ms
    from ringcard.follower import Follower
    from ringcard.nodes_gone import NodesGone
    from ringcard.reminding import Reminding
    from ringcard.source_programs import SourcePrograms
    from ringcard.worker import Worker

    async with AsyncExitStack() as stack:
        database = open_database(settings.database_url)
        stack.callback(database.dispose)
        engine = await open_engine(stack, settings)
        notices = RedisNotices(redis_url(settings))
        stack.push_async_callback(notices.close)
        journal = Journal(journal_path(settings))
        stack.callback(journal.close)
        worker = Worker(journal, database, reader(settings))
        follower = Follower(database, engine, notices, reader(settings))
        nodes = NodesGone(notices, journal.append, lambda node: call_rules(settings, node))
        completing = [
            Completing(
                Path(asterisk.cel_file),
                database,
                engine,
                asterisk,
                call_rules(settings, asterisk.node),
                settled=lambda: worker.settled,
                started_ms=partial(asterisk_started_ms, asterisk),
            )
            for asterisk in settings.asterisks.values()
            if asterisk.cel_file
        ]

        def samples() -> Iterator[Sample]:
            gone = {"database": bool(worker.gone), "redis": follower.cache_gone}
            yield from measuring.of_lookup(engine, also_gone=gone)
            yield from measuring.of_worker(worker, follower, completing)

        await say(stack, settings, "worker", samples)

        async def work() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(worker.run())
                await worker.migrated.wait()
                group.create_task(follower.run())
                group.create_task(nodes.run())
                group.create_task(Reminding(database, notices).run())
                for each in completing:
                    group.create_task(each.run())
                group.create_task(SourcePrograms(settings, database).run())

        await either(work(), stop)


ROLES: Mapping[str, Callable[[Settings, asyncio.Event], Coroutine[Any, Any, None]]] = {
    "ari": run_ari,
    "agi": run_agi,
    "desk": run_desk,
    "worker": run_worker,
}
