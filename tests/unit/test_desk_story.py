"""The story of a call, of its facts and of what is told live."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from desk.story import story
from lookup.notices import LiveCall, RungPhone

STARTED = datetime.fromtimestamp(1000, UTC)
BEGUN: list[list[int | str]] = [
    [1_000_000, "came in on provider"],
    [1_000_002, "found, exact (cache, 0.8 ms)"],
]
LIVE = LiveCall("c", "pbx", "1", 1, 1_000_000, "inbound", "found", "+85512345678", "", "", "+85523900001", "provider")


def told(trace: list[list[int | str]], live: LiveCall | None = None) -> list[tuple[int, str]]:
    return [(step.after_ms, step.what) for step in story(STARTED, trace, live)]


def test_each_step_says_how_long_after_the_beginning_it_was() -> None:
    assert told(BEGUN) == [(0, "came in on provider"), (2, "found, exact (cache, 0.8 ms)")]
    assert story(STARTED, BEGUN)[1].at == datetime(1970, 1, 1, 0, 16, 40, 2000, tzinfo=UTC)
    assert told([]) == []


def test_a_step_before_the_beginning_is_the_beginning() -> None:
    assert told([[999_990, "came in"], [1_000_005, "ended"]]) == [(0, "came in"), (15, "ended")]


def test_of_a_call_that_goes_on_phones_are_told_that_its_facts_do_not_have_yet() -> None:
    phones = (
        RungPhone("101", "stopped", 1_020_000, outcome="missed", started_ms=1_000_060),
        RungPhone("102", "talking", 1_024_000, started_ms=1_020_050, answered_ms=1_024_000),
        RungPhone("+85599000111", "ringing", 1_020_060, started_ms=1_020_060, outside=True),
    )
    assert told(BEGUN, replace(LIVE, phones=phones))[2:] == [
        (60, "phone 101: ringing"),
        (20_000, "phone 101: missed"),
        (20_050, "phone 102: ringing"),
        (20_060, "the number outside: ringing"),
        (24_000, "phone 102: talking"),
    ]


def test_nothing_is_told_twice_though_its_moment_may_be_told_otherwise() -> None:
    phones = (RungPhone("101", "talking", 1_004_002, started_ms=1_000_060, answered_ms=1_004_002),)
    known: list[list[int | str]] = [*BEGUN, [1_000_060, "phone 101: ringing"], [1_004_000, "phone 101: talking"]]
    assert told(known, replace(LIVE, phones=phones)) == told(known)


def test_a_phone_that_rings_once_more_is_told_once_more() -> None:
    known: list[list[int | str]] = [*BEGUN, [1_000_060, "phone 101: ringing"], [1_020_000, "phone 101: missed"]]
    phones = (RungPhone("101", "ringing", 1_025_000, started_ms=1_025_000),)
    assert told(known, replace(LIVE, phones=phones))[-1] == (25_000, "phone 101: ringing")


def test_where_asterisks_clock_is_behind_ours_a_ring_is_told_all_the_same() -> None:
    phones = (RungPhone("101", "ringing", 1_000_001, started_ms=1_000_001),)
    assert (1, "phone 101: ringing") in told(BEGUN, replace(LIVE, phones=phones))


def test_what_is_told_live_of_a_call_that_is_over_is_in_its_facts() -> None:
    phones = (RungPhone("101", "stopped", 1_009_000, started_ms=1_000_060, outcome="missed"),)
    assert told(BEGUN, replace(LIVE, phones=phones, ended_ms=1_009_000)) == told(BEGUN)
