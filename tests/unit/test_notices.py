"""A desk that sees states of a call twice, late or in any order ends up with the one that holds."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup.notices import Kind, LiveCall, Notice, PhoneState, RungPhone, from_bytes, newer, stopped, to_bytes

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ids = st.integers(0, 2**53)
calls = st.builds(
    LiveCall,
    call_id=texts,
    node=texts,
    linkedid=texts,
    version=ids,
    started_ms=ids,
    caller_number=texts,
    caller_name=texts,
    shown_name=texts,
    called_number=texts,
    trunk=texts,
    customer_ids=st.lists(ids, max_size=3).map(tuple),
    customer_id=st.none() | ids,
    phones=st.lists(st.builds(RungPhone, texts, st.sampled_from(get_args(PhoneState)), ids, texts), max_size=3).map(
        tuple
    ),
    ended_ms=ids,
    outcome=texts,
)
notices = st.builds(Notice, st.sampled_from(get_args(Kind)), ids, st.none() | calls, st.none() | ids, st.none() | ids)

CALL = LiveCall("c", "pbx", "l", 1, 1, "inbound", "found", "+855", "", "", "+855", "main")


@given(notices)
def test_a_notice_comes_back_from_its_bytes_as_it_was(notice: Notice) -> None:
    assert from_bytes(to_bytes(notice)) == notice


@given(st.binary(max_size=60) | st.recursive(st.none() | texts | ids, st.lists, max_leaves=4).map(orjson.dumps))
def test_bytes_that_are_no_notice_are_none(raw: bytes) -> None:
    assert from_bytes(raw) is None


@pytest.mark.parametrize("key", ["kind", "call"])
def test_what_a_newer_program_adds_to_a_notice_is_passed_over_and_what_is_missing_is_not_made_up(key: str) -> None:
    notice = Notice("ringing", 1, CALL)
    body = orjson.loads(to_bytes(notice))
    newer_body = {**body, "colour": "red", "call": {**body["call"], "colour": "red"}}
    assert from_bytes(orjson.dumps(newer_body)) == notice
    del body[key]
    assert from_bytes(orjson.dumps(body)) is None


# --- which state holds ---


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[LiveCall], list[LiveCall]]:
    """The states of one call as they were, and the same as they arrived: shuffled, some of them more than once."""
    versions = sorted(draw(st.sets(st.integers(1, 20), min_size=1, max_size=8)))
    ended_at = draw(st.integers(0, len(versions)))
    states = [replace(CALL, version=v, ended_ms=9 if n >= ended_at else 0) for n, v in enumerate(versions)]
    again = draw(st.lists(st.sampled_from(states), max_size=8))
    return states, draw(st.permutations(states + again))


def held_after(seen: Sequence[LiveCall]) -> LiveCall | None:
    return reduce(newer, seen, None)


@given(histories())
def test_in_any_order_and_however_often_the_last_state_holds(history: tuple[list[LiveCall], list[LiveCall]]) -> None:
    states, arrived = history
    assert held_after(arrived) == states[-1]


@given(
    st.lists(st.builds(replace, st.just(CALL), version=st.integers(1, 9), ended_ms=st.sampled_from([0, 5]))), st.data()
)
def test_even_states_that_contradict_each_other_leave_every_desk_with_the_same(
    states: list[LiveCall], data: st.DataObject
) -> None:
    assert held_after(states) == held_after(data.draw(st.permutations(states)))


def test_an_end_is_never_taken_back() -> None:
    ended = replace(CALL, version=3, ended_ms=5)
    assert newer(ended, replace(CALL, version=9)) is ended
    assert newer(replace(CALL, version=9), ended) is ended


def test_what_is_learnt_after_the_end_counts() -> None:
    ended = replace(CALL, version=3, ended_ms=5)
    named = replace(ended, version=4, shown_name="Sok Dara")
    assert newer(ended, named) is named


def test_phones_that_ring_or_talk_stop_and_stopped_ones_keep_their_moment() -> None:
    phones = (RungPhone("101", "ringing", 1), RungPhone("102", "talking", 2), RungPhone("103", "stopped", 3))
    assert [(phone.state, phone.since_ms) for phone in stopped(phones, 9)] == [
        ("stopped", 9),
        ("stopped", 9),
        ("stopped", 3),
    ]
