"""`ringcard fill`: the customers' cards into Redis before anybody calls, those who called last first.

What is there already is left alone and costs next to nothing, so a fill that was ended goes on where it was, and one
that runs beside calls takes little from them. A card goes in only where nothing is: what a lookup or a change has put
there since it was read, be it that the number is forgotten, is newer.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator

import uvloop

from config.settings import Settings
from lookup import card as card_bytes
from lookup.breaker import StoreGone
from lookup.engine import card_key
from lookup.redis_cards import FORGOTTEN_S, RedisCards
from lookup.redis_cluster import ClusterCards
from lookup.redis_link import Refused
from lookup.sql_cards import SqlCards
from records import contacts
from records.database import open_database
from records.migrate import check
from ringcard.from_settings import card_cache

AT_ONCE = 250
"""Numbers in one go: a call's own question waits behind so many of Redis' answers at most."""

ANSWER_S = 2.0
LOAD_S = 20.0
OLDEST_S = FORGOTTEN_S - 2 * ANSWER_S
"""A card that was read longer ago is not kept: that it was to be forgotten may have been forgotten itself."""

FULL = 0.95
"""Of the memory of Redis; beyond that it would throw out the latest for the older."""

_FULL = "Redis is full, so this is the end; the latest numbers are in."

NICER = 10
PROGRESS_S = 2.0


def fill(settings: Settings, most: int | None) -> int:
    """Fill and tell, until all numbers or `most` of them are in, or Redis is full. The exit status is 1 when Redis or
    the database went away meanwhile."""
    os.nice(NICER)  # calls come first
    database = open_database(settings.database_url)
    try:
        check(database)
        numbers = contacts.count_numbers(database)
        return uvloop.run(
            Filling(settings, min(most or numbers, numbers)).run(contacts.latest_first(database, AT_ONCE))
        )
    except KeyboardInterrupt:
        print("\nEnded; ringcard fill goes on from here.", file=sys.stderr)
        return 130
    finally:
        database.dispose()


class Filling:
    def __init__(self, settings: Settings, aim: int) -> None:
        self.stored = 0
        self.there = 0  # before we came, or put there by a call meanwhile
        self._settings = settings
        self._aim = aim
        self._began = self._said = time.monotonic()

    async def run(self, pages: Iterator[list[str]]) -> int:
        cache = card_cache(self._settings, answer_s=ANSWER_S)
        source = SqlCards(self._settings.database_url, LOAD_S)
        try:
            ended = await self._fill(pages, cache, source)
        except StoreGone as exc:
            print(f"ringcard: {exc.reason}\n{self._done()} Begin again when that is mended.", file=sys.stderr)
            return 1
        finally:
            await cache.close()
            await source.close()
        print(f"{ended} {self._done()}")
        return 0

    async def _fill(self, pages: Iterator[list[str]], cache: RedisCards | ClusterCards, source: SqlCards) -> str:
        while (left := self._aim - self.stored - self.there) > 0:
            if await cache.fullness() > FULL:
                return _FULL
            keys = await asyncio.to_thread(next, pages, None)
            if keys is None:
                break
            try:
                await self._fill_in(keys[:left], cache, source)
            except Refused as exc:
                if not exc.reason.startswith("OOM"):
                    raise
                return _FULL
            self._tell()
        return "Done."

    async def _fill_in(self, keys: list[str], cache: RedisCards | ClusterCards, source: SqlCards) -> None:
        places = {card_key(key): key for key in keys}
        missing = await cache.missing(places)
        began = time.monotonic()
        cards = await source.fetch_many([places[place] for place in missing])
        raw = {card_key(key): card_bytes.to_bytes(found) for key, found in cards.items()}
        if time.monotonic() - began > OLDEST_S:
            raise StoreGone(f"the database took longer than {OLDEST_S:.0f} s for {len(missing)} numbers")
        stored = await cache.add(raw, self._settings.lookup.card_ttl_s)
        self.stored += stored
        self.there += len(keys) - stored

    def _tell(self) -> None:
        now = time.monotonic()
        if now < self._said + PROGRESS_S:
            return
        self._said = now
        done = self.stored + self.there
        per_s = done / (now - self._began)
        left = self._aim - done
        rest = f"{left} to go, {left / per_s:.0f} s"
        print(f"{done} numbers, {per_s:.0f} in a second; {rest}", file=sys.stderr, flush=True)

    def _done(self) -> str:
        took = time.monotonic() - self._began
        return f"{self.stored} numbers put in, {self.there} were there, in {took:.1f} s."
