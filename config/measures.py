"""What Ringcard says of itself in figures: every figure there is, and the values in which they are passed on.

The rooms count in plain fields; nothing here is asked on the way of a call but `Histogram.observe`. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

LOOKUP_BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0)
LAG_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds."""


@dataclass(slots=True)
class Histogram:
    """How often a measured value lay in each range. `bounds` grow; a value that equals one lies below it."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)  # one for each bound, and one for what lies above the last
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure now. `name` is one of FIGURES."""

    name: str
    value: float | Histogram
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """What one process says of itself. `process`: "ari", "agi", "desk" or "worker"; a second one is "ari-2"."""

    process: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()  # besides `process`, which all have


FIGURES: Mapping[str, Figure] = {
    # every process
    "ringcard_up": Figure("gauge", "1 while the process answers, 0 when it is away or frozen."),
    "ringcard_build_info": Figure("gauge", "Always 1.", ("version", "python")),
    "process_start_time_seconds": Figure("gauge", "When the process began, seconds since the epoch."),
    "process_cpu_seconds_total": Figure("counter", "Processor time that it has used."),
    "process_resident_memory_bytes": Figure("gauge", "Memory that it has now."),
    "process_open_fds": Figure("gauge", "Files and connections that it has open."),
    "process_threads": Figure("gauge", "Its threads."),
    # who looks up: ari, agi, desk, worker
    "ringcard_lookups_total": Figure("counter", "Lookups by how they ended.", ("answer", "tier", "source")),
    "ringcard_lookup_seconds": Figure("histogram", "What a lookup took, from the question to the answer."),
    "ringcard_budget_missed_total": Figure("counter", "Lookups that had no answer when their budget ended."),
    "ringcard_cache_misses_total": Figure("counter", "Lookups of which the cache knew nothing."),
    "ringcard_loads_total": Figure("counter", "Numbers that were loaded from the database."),
    "ringcard_loads_joined_total": Figure("counter", "Lookups that waited for the load of another."),
    "ringcard_store_failures_total": Figure("counter", "Lookups that went on without a store.", ("store",)),
    "ringcard_store_gone": Figure("gauge", "1 while a store is left alone because it failed.", ("store",)),
    # ari
    "ringcard_calls_arrived_total": Figure("counter", "Calls that came into our hands."),
    "ringcard_calls_total": Figure("counter", "Calls that are over.", ("direction", "outcome")),
    "ringcard_calls_live": Figure("gauge", "Calls that are followed now."),
    "ringcard_handed_back_total": Figure("counter", "Calls given back to the dialplan."),
    "ringcard_not_handed_back_total": Figure("counter", "Calls that were gone, or taken by the guard, before that."),
    "ringcard_unasked_total": Figure("counter", "Calls given back without a lookup: too many at once."),
    "ringcard_broken_total": Figure("counter", "Events that broke our rules; the traceback is in the log."),
    "ringcard_orphans_total": Figure("counter", "Calls found in our application with nobody to give them back."),
    "ringcard_offers_total": Figure("counter", "Calls that Asterisk offered to several processes, by end.", ("end",)),
    "ringcard_told_again_total": Figure("counter", "Answers that a new tracker was told once more."),
    "ringcard_ended_unheard_total": Figure("counter", "Calls that ended while Asterisk could not be heard."),
    "ringcard_called_asked_total": Figure("counter", "Calls of the company's telephones that asked whom they call."),
    "ringcard_called_named_total": Figure("counter", "Of these, those whose telephone was told a name."),
    "ringcard_names_late_total": Figure("counter", "Names that came late, by what AMI made of them.", ("end",)),
    "ringcard_ami_gone": Figure("gauge", "1: AMI was not reached when it was last needed."),
    "ringcard_swept_total": Figure("counter", "Channels whose end was never told, and was found by asking."),
    "ringcard_taken_up_total": Figure("counter", "Calls taken up that another process followed before."),
    "ringcard_events_ignored_total": Figure("counter", "Events that nobody here needs."),
    "ringcard_event_lag_seconds": Figure("histogram", "From Asterisk's time of an event to when it was taken."),
    "ringcard_rules_age_seconds": Figure("gauge", "Since the rules, and who is there, were last known to be right."),
    "ringcard_link_up": Figure("gauge", "1 while the link to Asterisk stands.", ("link",)),
    "ringcard_reconnects_total": Figure("counter", "Connections to Asterisk after the first.", ("link",)),
    "ringcard_ari_requests_total": Figure("counter", "Requests to Asterisk.", ("link",)),
    "ringcard_ari_failures_total": Figure("counter", "Requests that Asterisk refused or left.", ("link", "why")),
    "ringcard_notices_waiting": Figure("gauge", "Notices that wait for Redis."),
    "ringcard_notices_given_up_total": Figure("counter", "Notices given up because too many waited."),
    "ringcard_journal_unwritten": Figure("gauge", "Facts of calls that wait for the disk."),
    "ringcard_journal_given_up_total": Figure("counter", "Facts of calls given up because the disk refused them."),
    # agi
    "ringcard_agi_conversations_total": Figure("counter", "AGI conversations by how they ended.", ("end",)),
    "ringcard_agi_conversations_open": Figure("gauge", "AGI conversations that are open now."),
    # worker
    "ringcard_replay_age_seconds": Figure("gauge", "Since the journal was last worked off."),
    "ringcard_follower_age_seconds": Figure("gauge", "Since changes of the records were last worked off."),
    "ringcard_completed_total": Figure("counter", "Calls written or ended from what Asterisk itself wrote of them."),
    # desk, for the machine
    "ringcard_journal_waiting": Figure("gauge", "Facts of calls that wait for the database."),
    "ringcard_journal_set_aside": Figure("gauge", "Facts of calls that the database refused."),
    "ringcard_changes_waiting": Figure("gauge", "Changes of the records that no cache was told of yet."),
    "ringcard_redis_memory_share": Figure("gauge", "Memory that Redis uses, as a share of what it may; 0: no limit."),
    # desk
    "ringcard_http_requests_total": Figure("counter", "Requests that the desk answered, by class.", ("class",)),
    "ringcard_queries_total": Figure("counter", "Questions to other databases, by kind.", ("query", "kind")),
    "ringcard_desk_browsers": Figure("gauge", "Browsers that follow the live calls."),
    "ringcard_desk_live_calls": Figure("gauge", "Calls that the desk knows as live."),
    "ringcard_desk_live_up": Figure("gauge", "1 while notices of calls arrive at the desk."),
    "ringcard_desk_notices_total": Figure("counter", "Notices that arrived at the desk."),
    "ringcard_desk_sent_total": Figure("counter", "Events that were given to browsers."),
    "ringcard_desk_seen_lost_total": Figure("counter", "Looks at a customer's card that could not be noted."),
}
