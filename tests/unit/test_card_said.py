"""What an administrator says of the card's fields, over the settings: how the two go together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.card_fields import Field, in_order
from config.card_said import FieldSaid, Given, Said, given_of, over, said_by, together

FILE = {
    "debt": Field("Balance", order=50),
    "grade": Field(type="choice", choices=("Gold",)),
    "late": Field(source="erp.x"),
}


def names(fields: dict[str, Field]) -> list[str]:
    return [name for name, _ in in_order(fields)]


def said(**fields: FieldSaid) -> Said:
    return Said(fields=fields)


def test_what_is_as_in_the_settings_is_not_said() -> None:
    assert said_by(FILE, given_of(FILE, Said())) == (Said(), {})


def test_what_is_said_comes_over_the_settings_and_the_rest_follows_them() -> None:
    of = said(debt=FieldSaid(roles=("agent",)))
    assert over(FILE, of)["debt"] == Field("Balance", order=50, roles=("agent",))
    renamed = {**FILE, "debt": replace(FILE["debt"], label="Owed")}
    assert over(renamed, of)["debt"].label == "Owed"


def test_the_order_that_was_said_holds_and_a_new_field_of_the_settings_finds_its_place() -> None:
    order = tuple(reversed(names(dict(FILE))))
    assert names(over(FILE, Said(order))) == list(order)
    more = {**FILE, "newer": Field()}
    arranged = names(over(more, Said(order)))
    assert arranged.index("newer") == arranged.index("late") + 1  # where the settings have it


def test_a_field_that_the_settings_gave_up_is_gone_whatever_was_said_of_it() -> None:
    of = Said(("grade", "debt"), {"debt": FieldSaid(label="B"), "grade": FieldSaid(roles=("agent",))})
    assert "grade" not in names(over({}, of))


def test_what_is_hidden_stays_hidden_when_something_else_that_was_said_cannot_be_any_more() -> None:
    of = said(grade=FieldSaid(choices=("Gold", "Silver"), roles=("administrator",), masked=("administrator",)))
    now = over({"grade": Field("Grade", type="text")}, of)["grade"]
    assert now == Field("Grade", roles=("administrator",), masked=("administrator",))
    assert over(FILE, said(note=FieldSaid(roles=("agent",), masked=("agent",))))["note"].roles == ()


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("version", FieldSaid(label="Mine", type="text")),
        ("own", FieldSaid(type="choice")),
        ("Bad Name", FieldSaid(label="Mine", type="text")),
        ("debt", FieldSaid(default="x")),
    ],
)
def test_what_cannot_be_is_as_if_it_had_not_been_said(name: str, of: FieldSaid) -> None:
    assert over(FILE, said(**{name: of})) == FILE


def test_a_query_is_never_said_and_its_field_is_placed_and_called() -> None:
    of = over(FILE, said(late=FieldSaid(label="Stock", masked=("agent",))))["late"]
    assert (of.source, of.label, of.masked) == ("erp.x", "Stock", ("agent",))
    _, errors = said_by(FILE, [Given("late", FieldSaid(edits=("agent",)))])
    assert errors == {"late": "nobody changes its values here"}


def test_the_same_name_twice_is_refused() -> None:
    _, errors = said_by(FILE, [Given("own"), Given("own")])
    assert errors == {"own": "there are two fields own"}


A, B = FieldSaid(label="A"), FieldSaid(label="B")


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "both", "clashes"),
    [
        (said(), said(debt=A), said(note=B), said(note=B, debt=A), set()),
        (said(), said(debt=A), said(debt=FieldSaid(roles=())), said(debt=FieldSaid(label="A", roles=())), set()),
        (said(), said(debt=A), said(debt=B), said(debt=A), {"debt"}),
        (said(own=A), said(), said(own=A, debt=B), said(debt=B), set()),  # I took it away
        (said(own=A), said(own=A, debt=B), said(), said(debt=B), set()),  # they did
        (said(own=A), said(), said(own=B), said(own=B), set()),  # they changed it meanwhile: it stays
        (Said(("a",)), Said(("a",)), Said(("b",)), Said(("b",)), set()),
        (Said(("a",)), Said(("c",)), Said(("b",)), Said(("c",)), set()),
    ],
)
def test_two_changes_from_one_beginning_go_together(
    base: Said, mine: Said, theirs: Said, both: Said, clashes: set[str]
) -> None:
    assert together(base, mine, theirs) == (both, frozenset(clashes))
