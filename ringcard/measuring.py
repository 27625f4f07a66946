"""From what the rooms count to the figures that a process says; the names are those of `config.measures.FIGURES`."""

from __future__ import annotations

import asyncio
import itertools
import os
import platform
import resource
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from config.measures import Sample
from lookup.breaker import StoreGone
from records.changes import waiting as changes_waiting
from records.errors import RecordsError
from records.journal import Journal, waiting

if TYPE_CHECKING:  # each process imports what it needs, and no more
    from pathlib import Path

    from fastapi import FastAPI

    from agi.server import AgiServer
    from ari_app.ami import AmiLink
    from ari_app.ari_link import AriLink
    from ari_app.dialling import Dialling
    from ari_app.offers import Offers
    from ari_app.passing import Passing
    from ari_app.switchboard import Switchboard
    from desk.services import Services
    from lookup.engine import Engine
    from lookup.redis_cards import RedisCards
    from lookup.redis_cluster import ClusterCards
    from lookup.redis_notices import RedisNotices
    from lookup.sql_duty import DutyBook
    from ringcard.completing import Completing
    from ringcard.follower import Follower
    from ringcard.worker import Worker

WITHIN_S = 1.0

ENDS = tuple(
    itertools.product(
        ("inbound", "outbound", "internal"),
        ("answered", "missed", "busy", "declined", "abandoned", "voicemail", "blocked", "failed"),
    )
)
ANSWERS = (
    *itertools.product(("found",), ("exact", "extension", "range", "probable"), ("cache", "database")),
    *itertools.product(("unknown",), ("",), ("cache", "database", "")),
    ("withheld", "", ""),
    ("unavailable", "", ""),
)
CLASSES = ("2xx", "3xx", "4xx", "5xx")
"""What can be counted is said from the start, as 0: Prometheus does not see how much one grew that was not there."""

_BORN = time.time()
_PAGE = resource.getpagesize()


def _version() -> str:
    try:
        return version("ringcard")
    except PackageNotFoundError:
        return "unknown"


_BUILD = {"version": _version(), "python": platform.python_version()}


def process() -> Iterator[Sample]:
    yield Sample("ringcard_build_info", 1, _BUILD)
    yield Sample("process_start_time_seconds", _BORN)
    yield Sample("process_cpu_seconds_total", time.process_time())
    with open("/proc/self/statm", "rb") as statm:
        yield Sample("process_resident_memory_bytes", int(statm.read().split()[1]) * _PAGE)
    yield Sample("process_open_fds", len(os.listdir("/proc/self/fd")) - 1)  # one is for the list itself
    yield Sample("process_threads", threading.active_count())


def of_lookup(engine: Engine, *, also_gone: Mapping[str, bool] | None = None) -> Iterator[Sample]:
    """`also_gone`: stores that another part of this process cannot reach."""
    counted = engine.counters
    for (answer, tier, source), count in (dict.fromkeys(ANSWERS, 0) | counted.answers).items():
        yield Sample("ringcard_lookups_total", count, {"answer": answer, "tier": tier, "source": source})
    yield Sample("ringcard_lookup_seconds", counted.took)
    yield Sample("ringcard_budget_missed_total", counted.late)
    yield Sample("ringcard_cache_misses_total", counted.misses)
    yield Sample("ringcard_loads_total", counted.loaded)
    yield Sample("ringcard_loads_joined_total", counted.joined)
    for store, failures in zip(engine.stores, (counted.cache_gone, counted.source_gone), strict=True):
        gone = store in engine.outages or (also_gone or {}).get(store, False)
        yield Sample("ringcard_store_failures_total", failures, {"store": store})
        yield Sample("ringcard_store_gone", int(gone), {"store": store})


def of_calls(board: Switchboard, notices: RedisNotices, journal: Journal) -> Iterator[Sample]:
    counted = board.counters
    yield Sample("ringcard_calls_arrived_total", counted.arrived)
    for (direction, outcome), count in (dict.fromkeys(ENDS, 0) | counted.ended).items():
        yield Sample("ringcard_calls_total", count, {"direction": direction, "outcome": outcome})
    yield Sample("ringcard_calls_live", len(board.calls))
    yield Sample("ringcard_handed_back_total", counted.handed_back)
    yield Sample("ringcard_not_handed_back_total", counted.not_handed_back)
    yield Sample("ringcard_unasked_total", counted.unasked)
    yield Sample("ringcard_broken_total", counted.broken)
    yield Sample("ringcard_orphans_total", counted.found_after_gap)
    yield Sample("ringcard_ended_unheard_total", counted.ended_in_gap)
    yield Sample("ringcard_swept_total", counted.swept)
    yield Sample("ringcard_taken_up_total", counted.taken_up)
    yield Sample("ringcard_events_ignored_total", counted.ignored)
    yield Sample("ringcard_event_lag_seconds", counted.lag)
    yield Sample("ringcard_notices_waiting", notices.waiting)
    yield Sample("ringcard_notices_given_up_total", notices.given_up)
    yield Sample("ringcard_journal_unwritten", journal.unwritten)
    yield Sample("ringcard_journal_given_up_total", journal.given_up)


def of_link(name: str, link: AriLink) -> Iterator[Sample]:
    counted, here = link.counters, {"link": name}
    yield Sample("ringcard_link_up", int(link.up), here)
    yield Sample("ringcard_reconnects_total", max(0, counted.connected - 1), here)
    yield Sample("ringcard_ari_requests_total", counted.requests, here)
    yield Sample("ringcard_ari_failures_total", counted.refused, {**here, "why": "refused"})
    yield Sample("ringcard_ari_failures_total", counted.gone, {**here, "why": "gone"})


def of_names(dialling: Dialling, ami: AmiLink) -> Iterator[Sample]:
    yield Sample("ringcard_called_asked_total", dialling.asked)
    yield Sample("ringcard_called_named_total", dialling.named)
    for end in fields(ami.counters):
        yield Sample("ringcard_names_late_total", getattr(ami.counters, end.name), {"end": end.name})
    yield Sample("ringcard_ami_gone", int(bool(ami.gone)))


def of_offers(offers: Offers, passing: Passing) -> Iterator[Sample]:
    for end in fields(offers.counters):
        yield Sample("ringcard_offers_total", getattr(offers.counters, end.name), {"end": end.name})
    yield Sample("ringcard_told_again_total", passing.told_again)


def of_agi(server: AgiServer) -> Iterator[Sample]:
    for end in fields(server.counters):
        yield Sample("ringcard_agi_conversations_total", getattr(server.counters, end.name), {"end": end.name})
    yield Sample("ringcard_agi_conversations_open", server.conversations)


def of_duty(duty: DutyBook) -> Iterator[Sample]:
    yield Sample("ringcard_rules_age_seconds", time.monotonic() - duty.read_at)


def of_worker(worker: Worker, follower: Follower, completing: Sequence[Completing]) -> Iterator[Sample]:
    now = time.monotonic()
    yield Sample("ringcard_replay_age_seconds", now - worker.worked_at)
    yield Sample("ringcard_follower_age_seconds", now - follower.worked_at)
    yield Sample("ringcard_completed_total", sum(each.completed for each in completing))


def of_desk(app: FastAPI) -> Iterator[Sample]:
    desk: Services = app.state.services
    hub = desk.hub
    for status, count in (dict.fromkeys(CLASSES, 0) | app.state.requests).items():
        yield Sample("ringcard_http_requests_total", count, {"class": status})
    for query, counted in desk.queries.counters.items():
        for kind in fields(counted):
            labels = {"query": query, "kind": kind.name}
            yield Sample("ringcard_queries_total", getattr(counted, kind.name), labels)
    yield Sample("ringcard_desk_browsers", hub.browsers)
    yield Sample("ringcard_desk_live_calls", sum(not (call.ended_ms or call.is_simulated) for call in hub.calls()[1]))
    yield Sample("ringcard_desk_live_up", int(hub.up))
    yield Sample("ringcard_desk_notices_total", hub.taken)
    yield Sample("ringcard_desk_sent_total", hub.sent)
    yield Sample("ringcard_desk_seen_lost_total", desk.seen.lost)


class Machine:
    """What no process has at hand: asked of the journal, the database and Redis, each for a second at most.

    Of one that does not answer nothing is said.
    """

    def __init__(self, journal: Path, cache: RedisCards | ClusterCards) -> None:
        self._journal = journal
        self._cache = cache

    async def samples(self, desk: Services) -> list[Sample]:
        asked = await asyncio.gather(self._of_journal(), self._of_changes(desk), self._of_redis())
        return [sample for some in asked for sample in some]

    async def _of_journal(self) -> list[Sample]:
        try:
            async with asyncio.timeout(WITHIN_S):
                wait, set_aside = await asyncio.to_thread(waiting, self._journal)
        except (RecordsError, TimeoutError):
            return []
        return [Sample("ringcard_journal_waiting", wait), Sample("ringcard_journal_set_aside", set_aside)]

    async def _of_changes(self, desk: Services) -> list[Sample]:
        try:
            return [Sample("ringcard_changes_waiting", await desk.store.read(changes_waiting, WITHIN_S))]
        except RecordsError:
            return []

    async def _of_redis(self) -> list[Sample]:
        try:
            async with asyncio.timeout(WITHIN_S):
                return [Sample("ringcard_redis_memory_share", await self._cache.fullness())]
        except (StoreGone, TimeoutError):
            return []
