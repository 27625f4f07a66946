"""What follows from the settings for every process that looks up: number plans, our own numbers, where Redis is.

Apart from `compose`, so that a process started for one call need not import the desk.
"""

from __future__ import annotations

from config.redis_address import read_address
from config.settings import Settings, Trunk
from lookup import numbers
from lookup.redis_cards import RedisCards
from lookup.redis_cluster import ClusterCards
from ringcard.redis_server import server_url


def plans(settings: Settings) -> dict[str, numbers.NumberPlan]:
    """Number plan by trunk; "" is the plan of every trunk that settings do not name."""
    country = settings.company.country
    named = {name: numbers.plan_of(trunk, country) for name, trunk in settings.trunks.items()}
    return {"": numbers.plan_of(Trunk(), country), **named}


def own_numbers(settings: Settings) -> frozenset[str]:
    """Match keys and tails of the company's own lines, which are never customers. Its people's phones are in the
    database, where a cold lookup sees them.
    """
    plan = plans(settings)[""]
    read = [numbers.read(did, plan) for did in settings.dids]
    return frozenset(key for number in read for key in (number.match_key, number.tail) if key)


def card_cache(settings: Settings, near: int = 0, answer_s: float | None = None) -> RedisCards | ClusterCards:
    """Where cards are kept; `near`: keys kept in the process as well; `answer_s`: when no caller waits."""
    url, answer_s = redis_url(settings), answer_s or settings.lookup.redis_ms / 1000
    if read_address(url).kind == "cluster":
        return ClusterCards(url, answer_s, near, settings.lookup.breaker_s)
    return RedisCards(url, answer_s, near)


def redis_url(settings: Settings) -> str:
    return settings.store.redis_url or server_url(settings.data_dir)
