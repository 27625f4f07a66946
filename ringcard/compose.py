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
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Database

from config.settings import Settings
from lookup import numbers
from lookup.answers import Number
from lookup.breaker import StoreGone
from lookup.engine import Engine
from lookup.notices import LiveCall
from lookup.sql_cards import SqlCards
from records.database import open_database
from records.errors import DatabaseGone
from records.touched import Touched
from ringcard.from_settings import card_cache, own_numbers, plans, redis_url
from ringcard.redis_server import SOCKET, server_folder
from ringcard.serving import StartError, either, ended, unless_broken

log = logging.getLogger(__name__)


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


def migrate_or_say(settings: Settings) -> None:
    """Bring the database to this version; when it is away, calls are served without it until it is back."""
    from records.migrate import migrate

    _or_say(settings, migrate, "Starting without the database.")


def check_or_say(settings: Settings) -> None:
    """For commands that only look: a database that is away is said, one that is not ready is refused (DatabaseOld)."""
    from records.migrate import check

    _or_say(settings, check, "Looking without the database.")


def _or_say(settings: Settings, work: Callable[[Database], object], meanwhile: str) -> None:
    database = open_database(settings.database_url)
    try:
        work(database)
    except DatabaseGone as exc:
        log.error("%s %s", exc, meanwhile)
    finally:
        database.dispose()


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
    from ari_app.ari_link import AriError, AriLink
    from ari_app.call import Rules
    from ari_app.switchboard import Switchboard
    from lookup.redis_notices import RedisNotices
    from records.journal import Journal

    warm()
    async with AsyncExitStack() as stack:
        engine = await open_engine(stack, settings)
        notices = RedisNotices(redis_url(settings))
        stack.push_async_callback(notices.close)
        journal = Journal(journal_path(settings))
        stack.callback(journal.close)

        async def told() -> Sequence[LiveCall]:
            return (await notices.snapshot())[1]

        link = AriLink(settings.asterisk, events.NEEDED)
        rules = Rules(
            node=settings.asterisk.node,
            routing=settings.routing,
            did=settings.did,
            public_url=settings.public_url,
            secret=settings.desk.secret,
            link_s=settings.desk.link_minutes * 60,
        )
        board = Switchboard(
            link,
            engine,
            tell=notices.publish,
            recall=told,
            record=journal.append,
            rules=rules,
            app=settings.asterisk.app,
            budget_s=settings.lookup.budget_ms / 1000,
            link_errors=(AriError,),
        )

        linked = asyncio.create_task(link.run(board.take, board.reconcile))
        stack.push_async_callback(ended, linked)
        stack.push_async_callback(board.close)  # the calls in our hands go back before the link goes
        await unless_broken(linked, stop)


async def run_agi(settings: Settings, stop: asyncio.Event) -> None:
    """The same lookup by AGI."""
    from agi.scripts import scripts
    from agi.server import AgiServer, PortTaken

    warm()
    async with AsyncExitStack() as stack:
        engine = await open_engine(stack, settings)
        server = AgiServer(settings.agi, scripts(engine, settings, time.time))
        try:
            await server.start()
        except PortTaken as exc:
            raise StartError(str(exc)) from exc
        stack.push_async_callback(server.stop)
        await stop.wait()


async def run_desk(settings: Settings, stop: asyncio.Event) -> None:
    """The web desk and the API."""
    from desk.app import create_app, let_browsers_go
    from desk.parts import DeskParts
    from lookup.redis_notices import RedisNotices
    from ringcard.import_programs import ImportPrograms
    from ringcard.web import serve_web

    warm()
    async with AsyncExitStack() as stack:
        database = open_database(settings.database_url)
        stack.callback(database.dispose)
        engine = await open_engine(stack, settings)
        notices = RedisNotices(redis_url(settings))
        stack.push_async_callback(notices.close)
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
        )
        app = create_app(parts)
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
    from ringcard.follower import Follower
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

        async def work() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(worker.run())
                await worker.migrated.wait()
                group.create_task(follower.run())
                group.create_task(SourcePrograms(settings, database).run())

        await either(work(), stop)


ROLES: Mapping[str, Callable[[Settings, asyncio.Event], Coroutine[Any, Any, None]]] = {
    "ari": run_ari,
    "agi": run_agi,
    "desk": run_desk,
    "worker": run_worker,
}
