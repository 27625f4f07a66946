"""Tasks, notes and what is posted once, in the records: each test on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lookup import numbers
from records import notes, posted, tasks
from records.calls import write_call
from records.customers import add_customer, remove_customer
from records.database import reading, writing
from records.errors import Conflict, NotFound, Refused
from records.pages import cursor
from records.tables import Note, Task
from records.tasks import Reach
from records.touched import Touched
from records.users import add_user, deactivate
from tests.facts import facts

PLAN = numbers.NumberPlan("KH")
NOW = datetime(2026, 3, 10, 9, 0, 0, 123456, tzinfo=UTC)
SOON, LATER = NOW + timedelta(minutes=1), NOW + timedelta(days=1)


@pytest.fixture
def people(database: Engine) -> tuple[int, int, int]:
    """Dara and Mony, agents; Sophea looks after both."""
    with writing(database) as session:
        made = [add_user(session, login, login.title(), "a long password") for login in ("dara", "mony", "sophea")]
    return made[0].id, made[1].id, made[2].id


def customer(session: Session, name: str = "Sok Rithy", number: str = "012345678") -> int:
    return add_customer(session, lambda raw: numbers.read(raw, PLAN), name=name, numbers=[number])[0].id


def titles(found: Sequence[Task]) -> list[str]:
    return [task.title for task in found]


# --- coming up


def test_a_task_comes_up_when_it_is_due_and_is_told_once(database: Engine, people: tuple[int, int, int]) -> None:
    dara, *_ = people
    with writing(database) as session:
        task, _ = tasks.add_task(session, "Call back", user_id=dara, due_at=NOW)
        tasks.add_task(session, "Later", user_id=dara, due_at=LATER)
        tasks.add_task(session, "Some time", user_id=dara)
        tasks.add_task(session, "Whose?", due_at=NOW)
    with reading(database) as session:
        assert titles(tasks.to_tell(session, NOW - timedelta(seconds=1))) == []
        assert titles(tasks.to_tell(session, NOW)) == ["Call back"]
    with writing(database) as session:
        tasks.told(session, [task.id], NOW)
    with reading(database) as session:
        assert titles(tasks.to_tell(session, LATER - timedelta(seconds=1))) == []
        assert titles(tasks.up(session, dara, SOON)) == ["Call back"]  # until there is a word on it


def test_what_is_snoozed_comes_up_again_and_is_told_again(database: Engine, people: tuple[int, int, int]) -> None:
    dara, *_ = people
    with writing(database) as session:
        task, _ = tasks.add_task(session, "Call back", user_id=dara, due_at=NOW)
        tasks.told(session, [task.id], NOW)
        tasks.snooze_task(session, task.id, SOON)
        tasks.told(session, [task.id], NOW)  # of a worker that saw it before
    with reading(database) as session:
        assert titles(tasks.up(session, dara, NOW)) == []
        assert titles(tasks.to_tell(session, NOW)) == []
        assert titles(tasks.up(session, dara, SOON)) == ["Call back"]
        assert titles(tasks.to_tell(session, SOON)) == ["Call back"]
        assert task.due_at == NOW


def test_what_is_put_away_stays_open_and_does_not_come_up(database: Engine, people: tuple[int, int, int]) -> None:
    dara, *_ = people
    with writing(database) as session:
        task, _ = tasks.add_task(session, "Call back", user_id=dara, due_at=NOW)
        tasks.put_away(session, task.id)
    with reading(database) as session:
        assert titles(tasks.up(session, dara, LATER)) == titles(tasks.to_tell(session, LATER)) == []
        assert titles(tasks.list_tasks(session, Reach(dara, (dara,))).items) == ["Call back"]


@pytest.mark.parametrize("change", ["another date", "another person", "another title"])
def test_another_date_or_person_and_it_comes_up_anew(
    database: Engine, people: tuple[int, int, int], change: str
) -> None:
    dara, mony, _ = people
    news: dict[str, dict[str, Any]] = {
        "another date": {"due_at": SOON},
        "another person": {"user_id": mony},
        "another title": {"title": "x"},
    }
    with writing(database) as session:
        task, _ = tasks.add_task(session, "Call back", user_id=dara, due_at=NOW)
        tasks.told(session, [task.id], NOW)
        tasks.put_away(session, task.id)
        tasks.change_task(session, task.id, news[change])
    with reading(database) as session:
        assert len(tasks.to_tell(session, SOON)) == (change != "another title")


def test_a_task_that_another_program_enters_comes_up_too(database: Engine, people: tuple[int, int, int]) -> None:
    with writing(database) as session:
        session.execute(
            text(
                "INSERT INTO tasks (user_id, title, state, due_at, created_at)"
                " VALUES (:who, 'Ours', 'open', '2026-03-10 09:00:00', '2026-03-10 08:00:00')"
            ),
            {"who": people[0]},
        )
    with reading(database) as session:
        assert titles(tasks.to_tell(session, SOON)) == ["Ours"]


def test_what_is_looked_for_every_second_is_found_by_its_index(database: Engine) -> None:
    asked = []
    event.listen(database, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
    with reading(database) as session:
        tasks.to_tell(session, NOW)
        statement, parameters = asked[-1]
        if database.dialect.name == "postgresql":
            session.execute(text("SET enable_seqscan = off"))  # of a few rows it would read all
        explain = "EXPLAIN QUERY PLAN " if database.dialect.name == "sqlite" else "EXPLAIN "
        plan = session.connection().exec_driver_sql(explain + statement, parameters).all()
    assert "ix_tasks_to_tell" in str(plan)


def test_who_opens_an_overdue_task_again_is_not_reminded_of_it(database: Engine, people: tuple[int, int, int]) -> None:
    dara, *_ = people
    with writing(database) as session:
        late, _ = tasks.add_task(session, "Late", user_id=dara, due_at=NOW)
        ahead, _ = tasks.add_task(session, "Ahead", user_id=dara, due_at=datetime.now(UTC) + timedelta(days=1))
        for task in (late, ahead):
            tasks.finish_task(session, task.id)
            tasks.reopen_task(session, task.id)
            assert (task.state, task.done_at) == ("open", None)
        assert tasks.reopen_task(session, late.id) == Touched()
    with reading(database) as session:
        assert titles(tasks.to_tell(session, datetime.now(UTC) + timedelta(days=2))) == ["Ahead"]


# --- repeating


def test_finishing_one_makes_the_next_once_and_reopening_makes_no_other(
    database: Engine, people: tuple[int, int, int]
) -> None:
    dara, *_ = people
    with writing(database) as session:
        of = customer(session)
        task, _ = tasks.add_task(
            session,
            "Ask for the meter",
            customer_id=of,
            user_id=dara,
            due_at=NOW,
            repeats="weekly 1 16:00",
            call_id="c",
        )
        for _ in range(2):
            touched = tasks.finish_task(session, task.id, SOON, lambda _: LATER)
        assert touched == Touched()
        tasks.reopen_task(session, task.id)
        tasks.finish_task(session, task.id, SOON, lambda _: LATER)
    with reading(database) as session:
        first, second = session.scalars(select(Task).order_by(Task.id)).all()
    assert (first.state, first.repeats) == ("done", "")
    assert (second.title, second.customer_id, second.user_id) == ("Ask for the meter", of, dara)
    assert (second.state, second.due_at, second.repeats) == ("open", LATER, "weekly 1 16:00")
    assert second.call_id is None  # of that call was the first


def test_of_two_who_finish_it_at_once_one_makes_the_next(database: Engine, people: tuple[int, int, int]) -> None:
    with writing(database) as session:
        task, _ = tasks.add_task(session, "Call", user_id=people[0], due_at=NOW, repeats="weekly 1 16:00")
    ready = threading.Barrier(4)

    def finish() -> None:
        ready.wait()
        with writing(database) as session:
            tasks.task_by_id(session, task.id)
            tasks.finish_task(session, task.id, SOON, lambda _: LATER)

    threads = [threading.Thread(target=finish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with reading(database) as session:
        assert session.scalar(select(func.count()).select_from(Task)) == 2


# --- changing


def test_a_change_made_from_an_older_state_is_refused(database: Engine, people: tuple[int, int, int]) -> None:
    with writing(database) as session:
        task, _ = tasks.add_task(session, "Call", user_id=people[0])
    mark = tasks.mark_of(task)
    with writing(database) as session:
        changed, _ = tasks.change_task(session, task.id, {"due_at": NOW}, mark)
    assert tasks.mark_of(changed) != mark
    with pytest.raises(Conflict, match="changed this task meanwhile"), writing(database) as session:
        tasks.change_task(session, task.id, {"title": "Write"}, mark)
    with reading(database) as session:
        read_again = tasks.task_by_id(session, task.id)
        assert tasks.mark_of(read_again) == tasks.mark_of(changed)


def test_a_task_that_moves_from_customer_to_customer_touches_both(
    database: Engine, people: tuple[int, int, int]
) -> None:
    with writing(database) as session:
        first, second = customer(session), customer(session, "Chea Vanna", "012999888")
        task, _ = tasks.add_task(session, "Call", customer_id=first)
        _, touched = tasks.change_task(session, task.id, {"customer_id": second})
        assert touched.customer_ids == {first, second}
        assert tasks.change_task(session, task.id, {"customer_id": second})[1] == Touched()


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"title": " "}, Refused, "needs a title"),
        ({"title": "x" * 501}, Refused, "500 letters at most"),
        ({"user_id": 999}, NotFound, "no person"),
        ({"customer_id": 999}, NotFound, "no customer"),
        ({"state": "done"}, Refused, "has no state"),
    ],
)
def test_what_a_task_cannot_be_is_refused(
    database: Engine, changes: dict[str, object], error: type[Exception], said: str
) -> None:
    with writing(database) as session:
        task, _ = tasks.add_task(session, "Call")
    with pytest.raises(error, match=said), writing(database) as session:
        tasks.change_task(session, task.id, changes)


def test_nothing_is_given_to_somebody_who_has_left(database: Engine, people: tuple[int, int, int]) -> None:
    with writing(database) as session:
        deactivate(session, people[1])
        with pytest.raises(Refused, match="has left"):
            tasks.add_task(session, "Call", user_id=people[1])


# --- who sees what, and in which order


def test_each_sees_their_own_and_whom_they_look_after(database: Engine, people: tuple[int, int, int]) -> None:
    dara, mony, sophea = people
    with writing(database) as session:
        of = customer(session)
        tasks.add_task(session, "Dara's", user_id=dara)
        tasks.add_task(session, "Mony's", user_id=mony)
        tasks.add_task(session, "Mony's, by Dara", user_id=mony, created_by_id=dara)
        tasks.add_task(session, "Mony's, of a customer", user_id=mony, customer_id=of)
        tasks.add_task(session, "Nobody's, of a customer", customer_id=of)
        tasks.add_task(session, "Nobody's")
    reaches = {
        Reach(dara, (dara,)): [True, False, True, False, False, False],
        Reach(dara, (dara,), customers=True): [True, False, True, True, True, False],
        Reach(sophea, (dara, mony, sophea)): [True, True, True, True, False, False],
        Reach(sophea, None): [True] * 6,
    }
    with reading(database) as session:
        every = session.scalars(select(Task).order_by(Task.id)).all()
        for reach, seen in reaches.items():
            assert [reach.sees(task) for task in every] == seen
            listed = tasks.list_tasks(session, reach).items
            assert [task in listed for task in every] == seen  # the database says the same
    assert [Reach(dara, (dara,), customers=True).may_change(task) for task in every] == [
        True,
        False,
        True,
        False,
        True,
        False,
    ]


def test_pages_hold_every_task_once_those_due_first_before_others(
    database: Engine, people: tuple[int, int, int]
) -> None:
    dara, *_ = people
    dates = [LATER, NOW, None, SOON, NOW, None, LATER]
    with writing(database) as session:
        for number, due_at in enumerate(dates):
            tasks.add_task(session, str(number), user_id=dara, due_at=due_at)
    with reading(database) as session:
        seen, after = [], ""
        while True:
            page = tasks.list_tasks(session, Reach(dara, (dara,)), after=after, limit=2)
            seen += titles(page.items)
            if not (after := page.next):
                break
        assert seen == ["1", "4", "3", "0", "6", "2", "5"]
        assert titles(tasks.list_tasks(session, Reach(dara, (dara,)), due_before=SOON).items) == ["1", "4"]
        for strange in ("x", cursor("no date", 1), cursor("2026-01-01", 1)):
            with pytest.raises(Refused, match="this page does not exist"):
                tasks.list_tasks(session, Reach(dara, (dara,)), after=strange)


def test_what_is_done_is_listed_the_latest_first(database: Engine, people: tuple[int, int, int]) -> None:
    dara, *_ = people
    with writing(database) as session:
        for number, done_at in enumerate((NOW, LATER, SOON)):
            task, _ = tasks.add_task(session, str(number), user_id=dara)
            tasks.finish_task(session, task.id, done_at)
    with reading(database) as session:
        first = tasks.done_tasks(session, Reach(dara, (dara,)), dara, limit=2)
        rest = tasks.done_tasks(session, Reach(dara, (dara,)), dara, after=first.next)
    assert titles(first.items) + titles(rest.items) == ["1", "2", "0"]
    assert rest.next == ""


# --- notes


def test_a_note_of_a_call_is_its_customers_also_when_the_customer_is_known_later(
    database: Engine, people: tuple[int, int, int]
) -> None:
    dara, mony, _ = people
    call = facts("a", caller_number="+85512345678", caller_key="+85512345678", customer_id=None)
    with writing(database) as session:
        # Before the log has the call.
        notes.add_note(session, "  Wants a price\r\nfor rice \x00", dara, call_id=call.call_id)
    with writing(database) as session:
        write_call(session, call)
        of = customer(session)  # and takes the call
        other = customer(session, "Chea Vanna", "012999888")
        notes.add_note(session, "Pays late", mony, customer_id=of)
    with reading(database) as session:
        found = notes.notes_of_customer(session, of).items
        assert [note.text for note in found] == ["Pays late", "Wants a price\nfor rice"]
        assert [note.user.name for note in found if note.user] == ["Mony", "Dara"]
        assert notes.notes_of_customer(session, other).items == ()
        assert [note.text for note in notes.notes_of_call(session, call.call_id)] == ["Wants a price\nfor rice"]
        assert [note.text for note in notes.notes_of_customer(session, of, of=mony).items] == ["Pays late"]


def test_a_conversation_has_the_notes_of_what_became_a_part_of_it(
    database: Engine, people: tuple[int, int, int]
) -> None:
    whole, part = facts("whole"), facts("part")
    with writing(database) as session:
        write_call(session, whole)
        write_call(session, replace(part, merged_into=whole.call_id))
        notes.add_note(session, "asked a colleague", people[0], call_id=part.call_id)
    with reading(database) as session:
        assert [note.text for note in notes.notes_of_call(session, whole.call_id)] == ["asked a colleague"]


def test_notes_go_with_their_customer_and_come_in_pages(database: Engine, people: tuple[int, int, int]) -> None:
    with writing(database) as session:
        of = customer(session)
        for number in range(5):
            notes.add_note(session, str(number), people[0], customer_id=of)
    with reading(database) as session:
        first = notes.notes_of_customer(session, of, limit=3)
        rest = notes.notes_of_customer(session, of, after=first.next, limit=3)
        assert [note.text for note in (*first.items, *rest.items)] == ["4", "3", "2", "1", "0"]
        assert rest.next == ""
    with writing(database) as session:
        remove_customer(session, of)
    with reading(database) as session:
        assert session.scalar(select(func.count()).select_from(Note)) == 0


@pytest.mark.parametrize(
    ("written", "of", "said"),
    [(" \n", "customer", "is empty"), ("x" * 10_001, "customer", "10,000 letters"), ("x", "nothing", "belongs to")],
)
def test_what_is_no_note_is_refused(database: Engine, written: str, of: str, said: str) -> None:
    with pytest.raises(Refused, match=said), writing(database) as session:
        notes.add_note(session, written, None, customer_id=customer(session) if of == "customer" else None)


# --- once


def test_a_request_that_comes_twice_makes_one_thing(database: Engine) -> None:
    made = []

    def make() -> int:
        made.append(1)
        return len(made)

    for _ in range(2):
        with writing(database) as session:
            number, _ = posted.once(session, 1, "task", "key", "the same", make)
            assert number == 1
    with pytest.raises(Refused, match="used for another request"), writing(database) as session:
        posted.once(session, 1, "task", "key", "another", make)
    with writing(database) as session:
        for other in ((2, "task", "key"), (1, "note", "key"), (1, "task", "other"), (1, "task", "")):
            assert posted.once(session, *other, "the same", make)[1] is True
    assert len(made) == 5


def test_of_two_that_come_at_once_the_second_finds_what_the_first_made(database: Engine) -> None:
    ready = threading.Barrier(2)
    broke, answers = [], []

    def post() -> None:
        def write() -> tuple[int, bool]:
            with writing(database) as session:
                return posted.once(session, 1, "task", "key", "asked", lambda: tasks.add_task(session, "Call")[0].id)

        ready.wait()
        try:
            answers.append(write())
        except IntegrityError:
            broke.append(1)
            answers.append(write())

    threads = [threading.Thread(target=post) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(is_new for _, is_new in answers) == [False, True]
    with reading(database) as session:
        assert session.scalar(select(func.count()).select_from(Task)) == 1
