"""`ringcard-agi`: what a dialplan names in AGI(/path/to/ringcard-agi). One process, one call, one look.

Asterisk lets the caller wait until this process ends. So it imports the database's library only when Redis has nothing,
ends after `--within` seconds wherever it is, and ends with success whatever happened: the call then goes on as it is.
Its arguments: AGI(/path/to/ringcard-agi,--config=/etc/ringcard.toml,--within=3,TRUNK), each of which may be left out.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agi.once import converse, end_after
from config.settings import Settings, SettingsError, load
from lookup.answers import Number
from lookup.card import Match
from lookup.engine import Engine
from ringcard.from_settings import card_cache, own_numbers, plans
from ringcard.keys import with_keys

WITHIN_S = "3"

LOOKUP_SHARE = 0.8
"""Of that time, in place of lookup.budget_ms: here a cold lookup begins with loading the database's library."""


def main() -> None:
    try:
        within_s = float(_option("within", WITHIN_S))
        end_after(within_s)
        asyncio.run(_answer(within_s * LOOKUP_SHARE))
    except Exception:
        traceback.print_exc()
        print("ringcard-agi: the call goes on as it is", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a thread that waits for a frozen database would keep the caller waiting


async def _answer(budget_s: float) -> None:
    settings = _settings(budget_s)
    cache = card_cache(settings)
    source = _Records(settings.database_url, budget_s, settings.orders)
    engine = Engine(plans(settings), cache, source, settings.lookup, own_numbers(settings), tiers=settings.tiers)
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    await converse(engine, settings, sys.stdin, sys.stdout)


def _settings(budget_s: float) -> Settings:
    named = _option("config")
    settings = load(Path(named) if named else None)
    settings = replace(settings, lookup=replace(settings.lookup, budget_ms=int(budget_s * 1000)))
    try:
        return with_keys(settings, make=False)
    except SettingsError:
        return settings  # Asterisk's user may not read the secret; then phones get the name and no addresses


def _option(name: str, default: str = "") -> str:
    values = [word.removeprefix(f"--{name}=") for word in sys.argv[1:] if word.startswith(f"--{name}=")]
    return values[-1] if values else default


class _Records:
    """A CardSource that is opened when it is asked."""

    name = "database"

    def __init__(self, url: str, answer_s: float, orders: Mapping[str, int]) -> None:
        self._url = url
        self._answer_s = answer_s
        self._orders = orders

    async def fetch(self, number: Number) -> tuple[Match, ...]:
        from lookup.sql_cards import SqlCards

        return await SqlCards(self._url, self._answer_s, self._orders).fetch(number)

    async def check(self) -> str:
        return self._url

    async def close(self) -> None:
        pass


if __name__ == "__main__":
    main()
