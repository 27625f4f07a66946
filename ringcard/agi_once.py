"""`ringcard-agi`: what a dialplan names in AGI(/path/to/ringcard-agi). One process, one call, one look.

Asterisk lets the caller wait until this process ends. So it imports the database's library only when Redis has nothing,
ends after LIMIT_S wherever it is, and ends with success whatever happened: the call then goes on as it is.
Give it the settings as an argument, AGI(/path/to/ringcard-agi,--config=/etc/ringcard.toml), and the trunk as another.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agi.once import converse, end_after
from config.settings import Settings, SettingsError, load
from lookup.answers import Number
from lookup.card import Card
from lookup.engine import Engine
from lookup.redis_cards import RedisCards
from ringcard.from_settings import own_numbers, plans, redis_url
from ringcard.keys import with_keys

LIMIT_S = 3.0

BUDGET_MS = 2000
"""In place of lookup.budget_ms: here a cold lookup begins with loading the database's library."""


def main() -> None:
    end_after(LIMIT_S)
    try:
        asyncio.run(_answer(sys.argv[1:]))
    except Exception:
        traceback.print_exc()
        print("ringcard-agi: the call goes on as it is", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a thread that waits for a frozen database would keep the caller waiting


async def _answer(arguments: Sequence[str]) -> None:
    settings = _settings(arguments)
    cache = RedisCards(redis_url(settings), settings.lookup.redis_ms / 1000)
    engine = Engine(plans(settings), cache, _Records(settings.database_url), settings.lookup, own_numbers(settings))
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    await converse(engine, settings, sys.stdin, sys.stdout)


def _settings(arguments: Sequence[str]) -> Settings:
    named = [argument.partition("=")[2] for argument in arguments if argument.startswith("--config=")]
    settings = load(Path(named[0]) if named else None)
    settings = replace(settings, lookup=replace(settings.lookup, budget_ms=BUDGET_MS))
    try:
        return with_keys(settings)
    except SettingsError:
        return settings  # Asterisk's user may not read the secret; then phones get the name and no addresses


class _Records:
    """A CardSource that is opened when it is asked."""

    name = "database"

    def __init__(self, url: str) -> None:
        self._url = url

    async def fetch(self, number: Number) -> tuple[Card, ...]:
        from lookup.sql_cards import SqlCards

        return await SqlCards(self._url, BUDGET_MS / 1000).fetch(number)

    async def check(self) -> str:
        return self._url

    async def close(self) -> None:
        pass


if __name__ == "__main__":
    main()
