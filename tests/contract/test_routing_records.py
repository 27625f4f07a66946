"""Rules of routing, working hours, blocked callers and presence as records, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from records import routing, users
from records.changes import done, pending
from records.database import reading, writing
from records.errors import Conflict, NotFound, RecordsError, Refused
from records.tables import Presence

SOK = "+85512345678"


@pytest.fixture
def staff(database: Engine) -> tuple[int, int]:
    """Dara and Bopha."""
    with writing(database) as session:
        dara = users.add_user(session, "dara", "Dara", "a long password", team="Sales")
        bopha = users.add_user(session, "bopha", "Bopha", "a long password")
        return dara.id, bopha.id


def test_changes_of_rules_are_worked_off_with_the_others(database: Engine, staff: tuple[int, int]) -> None:
    done(database, pending(database))
    with writing(database) as session:
        routing.block(session, "number", SOK, "", staff[0])
    (change,) = pending(database)
    assert change.routing_id is not None
    done(database, [change])
    assert pending(database) == ()


def test_rules_are_moved_switched_and_removed(database: Engine, staff: tuple[int, int]) -> None:
    with writing(database) as session:
        first, second, third = (
            routing.add_rule(session, name, "vip", "is", "yes", person_id=staff[0]).id for name in ("a", "b", "c")
        )
        routing.move_rule(session, third, up=True)
        routing.move_rule(session, first, up=True)
        routing.switch_rule(session, second, active=False)
        assert [(rule.name, rule.active) for rule in routing.rules(session)] == [("a", True), ("c", True), ("b", False)]
        routing.move_rule(session, first, up=False)
        routing.remove_rule(session, third)
        assert [rule.name for rule in routing.rules(session)] == ["a", "b"]


REFUSED: dict[str, tuple[Callable[[Session, int], object], type[RecordsError], str]] = {
    "no name": (lambda s, p: routing.add_rule(s, " ", "vip", "is", "yes", person_id=p), Refused, "needs a name"),
    "two targets": (
        lambda s, p: routing.add_rule(s, "x", "vip", "is", "yes", person_id=p, destination="night"),
        Refused,
        "one person, one team or one destination",
    ),
    "no target": (lambda s, p: routing.add_rule(s, "x", "vip", "is", "yes"), Refused, "one person"),
    "no such test": (lambda s, p: routing.add_rule(s, "x", "vip", "like", "y", person_id=p), Refused, "no test"),
    "no such person": (lambda s, p: routing.add_rule(s, "x", "vip", "is", "y", person_id=99), NotFound, "no person"),
    "no such team": (lambda s, p: routing.save_calendar(s, 99, "", "", ""), NotFound, "no team"),
    "no such rule": (lambda s, p: routing.remove_rule(s, 99), NotFound, "no rule"),
    "blocked twice": (
        lambda s, p: [routing.block(s, "number", SOK, "", p), routing.block(s, "number", SOK, "", p)],
        Conflict,
        "already on the block list",
    ),
    "long note": (lambda s, p: routing.block(s, "number", SOK, "x" * 999, p), Refused, "longer than"),
    "dnd of nobody": (lambda s, p: routing.set_do_not_disturb(s, 99, True), NotFound, "no person"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_in_words(database: Engine, staff: tuple[int, int], what: str) -> None:
    work, error, said = REFUSED[what]
    with pytest.raises(error, match=said), writing(database) as session:
        work(session, staff[0])


def test_who_left_is_taken_for_no_rule_and_signing_out_is_known(database: Engine, staff: tuple[int, int]) -> None:
    with writing(database) as session:
        users.deactivate(session, staff[1])
        with pytest.raises(Refused, match="has left"):
            routing.add_rule(session, "x", "vip", "is", "yes", person_id=staff[1])
        routing.seen(session, [staff[0]])
        routing.gone(session, staff[0])
    with reading(database) as session:
        presence = session.get(Presence, staff[0])
        assert presence is not None
        assert presence.seen_at is None
        assert routing.do_not_disturb(session, staff[0]) is False
