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
from dataclasses import dataclass

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

NICER = 5
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


@dataclass(frozen=True, slots=True)
class _Piece:
    numbers: int
    cards: dict[str, bytes]  # of these numbers those that Redis did not have
    read_at: float  # on the monotonic clock


class Filling:
    def __init__(self, settings: Settings, aim: int) -> None:
        self.stored = 0
        self.there = 0  # before we came, or put there by a call meanwhile
        self._settings = settings
        self._aim = aim
        self._began = self._said = time.monotonic()

    async def run(self, pages: Iterator[list[str]]) -> int:
        cache = card_cache(self._settings, answer_s=ANSWER_S)
        source = SqlCards(self._settings.database_url, LOAD_S, self._settings.orders)
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
        """The next piece is read while one is put in."""
        reading = asyncio.create_task(self._read(pages, self._aim, cache, source))
        try:
            while piece := await reading:
                left = self._aim - self.stored - self.there - piece.numbers
                reading = asyncio.create_task(self._read(pages, left, cache, source))
                if await cache.fullness() > FULL:
                    return _FULL
                try:
                    await self._put_in(piece, cache)
                except Refused as exc:
                    if not exc.reason.startswith("OOM"):
                        raise
                    return _FULL
                self._tell()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return "Done."

    async def _read(
        self, pages: Iterator[list[str]], most: int, cache: RedisCards | ClusterCards, source: SqlCards
    ) -> _Piece | None:
        keys = (await asyncio.to_thread(next, pages, None) or [])[:most] if most > 0 else []
        if not keys:
            return None
        of = {card_key(key): key for key in keys}
        missing = await cache.missing(of)
        began = time.monotonic()
        cards = await source.fetch_many([of[place] for place in missing]) if missing else {}
        return _Piece(len(keys), {card_key(key): card_bytes.to_bytes(found) for key, found in cards.items()}, began)

    async def _put_in(self, piece: _Piece, cache: RedisCards | ClusterCards) -> None:
        if time.monotonic() - piece.read_at > OLDEST_S:
            raise StoreGone(f"the database took longer than {OLDEST_S:.0f} s for {piece.numbers} numbers")
        stored = await cache.add(piece.cards, self._settings.lookup.card_ttl_s)
        self.stored += stored
        self.there += piece.numbers - stored

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
