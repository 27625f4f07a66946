"""The facts of a call come back from their bytes as they were, and say how long somebody waited and talked."""

from dataclasses import asdict, replace
from uuid import uuid5

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.facts import CALLS, CallFacts, LegFacts, TraceStep, call_id_of, from_bytes, to_bytes
from tests.facts import facts as some_facts

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ids = st.integers(0, 2**53)
steps = st.lists(st.builds(TraceStep, ids, texts), max_size=3).map(tuple)
legs = st.lists(st.builds(LegFacts, texts, texts, ids, ids, ids, texts), max_size=3).map(tuple)
facts = st.builds(
    CallFacts,
    call_id=texts,
    version=ids,
    started_ms=ids,
    answered_ms=ids,
    ended_ms=ids,
    caller_name=texts,
    customer_id=st.none() | ids,
    hangup_cause=ids,
    legs=legs,
    trace=steps,
    merged_into=texts,
)

CALL = some_facts(
    "c",
    outcome="answered",
    started_ms=10_000,
    answered_ms=12_500,
    ended_ms=60_000,
    shown_name="Sok Dara",
    customer_id=7,
    tier="exact",
    answered_endpoint="101",
    hangup_by="caller",
    hangup_cause=16,
    legs=(LegFacts("ch", "101", 10_100, 12_500, 60_000, "answered"),),
)


@given(facts)
def test_facts_come_back_from_their_bytes_as_they_were(one: CallFacts) -> None:
    assert from_bytes(to_bytes(one)) == one


@given(st.binary(max_size=60) | st.recursive(st.none() | texts | ids, st.lists, max_leaves=4).map(orjson.dumps))
def test_foreign_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the JSON reader's own words are as good as ours
        from_bytes(raw)


@pytest.mark.parametrize(
    "body",
    [
        {key: value for key, value in asdict(CALL).items() if key != "node"},
        {**asdict(CALL), "version": "red"},
        {**asdict(CALL), "legs": [{"endpoint": "101"}]},
        {**asdict(CALL), "legs": None},
    ],
)
def test_facts_of_another_program_are_refused(body: object) -> None:
    with pytest.raises(ValueError, match="not the facts of a call"):
        from_bytes(orjson.dumps(body))


def test_facts_of_an_older_program_have_no_story() -> None:
    older = {
        key: value for key, value in asdict(CALL).items() if key not in ("trace", "merged_into", "caller_endpoint")
    }
    assert from_bytes(orjson.dumps(older)) == CALL


def test_what_a_newer_program_adds_keeps_no_call_out_of_the_log() -> None:
    assert from_bytes(orjson.dumps({**asdict(CALL), "colour": "red"})) == CALL


def test_the_wait_ends_with_a_persons_answer() -> None:
    assert (CALL.wait_s, CALL.talk_s) == (2.5, 47.5)


def test_a_call_that_nobody_answered_waited_to_its_end() -> None:
    missed = replace(CALL, answered_ms=0)
    assert (missed.wait_s, missed.talk_s) == (50.0, None)


def test_a_call_that_goes_on_has_no_length_yet() -> None:
    assert replace(CALL, ended_ms=0).talk_s is None
    assert replace(CALL, answered_ms=0, ended_ms=0).wait_s is None


@given(texts, texts)
def test_a_calls_id_is_the_uuid_of_its_node_and_linkedid(node: str, linkedid: str) -> None:
    assert call_id_of(node, linkedid) == str(uuid5(CALLS, f"{node}/{linkedid}"))
