"""A card comes back from its bytes as it was, and bytes of another program are no card."""

from dataclasses import asdict

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup.card import (
    VERSION,
    Card,
    CardNumber,
    CardOrder,
    CardTask,
    Choice,
    Match,
    Money,
    Person,
    Phone,
    from_bytes,
    match_from,
    to_bytes,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ids = st.integers(0, 2**53)
money = st.builds(Money, st.integers(-(2**53), 2**53), texts)
phones = st.lists(st.builds(Phone, texts, texts, st.booleans()), max_size=3).map(tuple)
people = st.none() | st.builds(Person, ids, texts, phones)
cards = st.builds(
    Card,
    customer_id=ids,
    version=ids,
    name=texts,
    company=texts,
    email=texts,
    address=texts,
    note=texts,
    photo=texts,
    numbers=st.lists(st.builds(CardNumber, texts, texts, texts), max_size=3).map(tuple),
    debt=money,
    orders=st.lists(st.builds(CardOrder, texts, texts, texts, money, texts), max_size=3).map(tuple),
    manager=people,
    deputy=people,
    team=phones,
    last_task=st.none() | st.builds(CardTask, texts, texts, texts, texts),
    external_id=texts,
    custom=st.dictionaries(texts, texts | st.integers(-(2**53), 2**53) | st.booleans(), max_size=3),
)
matches = st.builds(Match, cards, texts, st.none() | st.builds(Choice, texts, texts))

CARD = Card(
    customer_id=7,
    version=3,
    name="សុខ ដារ៉ា",
    numbers=(CardNumber("+85512345678", "mobile"),),
    debt=Money(-500, "USD"),
    orders=(CardOrder("A-1", "Rice", "open", Money(12_00, "KHR"), "2026-03-01T08:00:00Z"),),
    manager=Person(1, "Sok Dara", (Phone("pbx", "101"), Phone("", "+85577111222", inside=False))),
    team=(Phone("pbx", "102"),),
    last_task=CardTask("Call back", "open", "2026-03-02T08:00:00Z", "Sok Dara"),
    custom={"grade": "gold", "limit": {"minor": 500, "currency": "USD"}},
)


@given(st.lists(matches, max_size=3).map(tuple))
def test_candidates_come_back_from_their_bytes_as_they_were(candidates: tuple[Match, ...]) -> None:
    assert from_bytes(to_bytes(candidates)) == candidates


def test_nobody_is_something_that_can_be_remembered() -> None:
    assert from_bytes(to_bytes([])) == ()


def test_bytes_of_another_version_are_not_read() -> None:
    assert from_bytes(b"1" + to_bytes([Match(CARD)])[1:]) is None


def test_what_a_newer_program_adds_is_passed_over_and_what_is_missing_is_not_made_up() -> None:
    def read(card: dict[str, object]) -> tuple[Match, ...] | None:
        return from_bytes(VERSION + orjson.dumps([{"card": card, "scent": "rose"}]))

    assert read(asdict(CARD) | {"colour": "red"}) == (Match(CARD),)
    assert read({key: value for key, value in asdict(CARD).items() if key != "version"}) is None
    assert read(asdict(CARD) | {"debt": 3}) is None


@given(st.binary(max_size=60))
def test_foreign_bytes_are_not_read(raw: bytes) -> None:
    assert from_bytes(raw) is None or raw == VERSION + b"[]"


foreign = st.recursive(
    st.none() | st.booleans() | texts | ids,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(asdict(CARD))), inner, max_size=9),
    max_leaves=6,
)


@given(foreign, st.sampled_from(list(asdict(CARD))))
def test_a_card_with_foreign_parts_never_makes_reading_fail(part: object, key: str) -> None:
    for body in (part, [part], [{"card": part}], [{"card": asdict(CARD) | {key: part}}]):
        read = from_bytes(VERSION + orjson.dumps(body))
        assert read is None or isinstance(read, tuple)


@pytest.mark.parametrize("cut", range(1, 100, 7))
def test_bytes_that_were_cut_are_not_read(cut: int) -> None:
    assert from_bytes(to_bytes([Match(CARD)])[:-cut]) is None


def test_one_rows_json_is_a_candidate() -> None:
    for match in (Match(CARD), Match(CARD, "+7 495 123-45xx", Choice("Dara", "2026-03-01T08:00:00Z"))):
        assert match_from(orjson.dumps(asdict(match)).decode()) == match
