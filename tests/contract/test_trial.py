"""The trial: a believable company, the same however often it is filled, and never mixed into a real one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from lookup.numbers import NumberPlan, read
from records import calls, customers, users
from records.database import reading, writing
from records.errors import Refused
from records.numbers import ReadNumber
from records.photos import photo_path
from records.tables import Base, CallRow, Customer, PhoneNumber, Task
from records.tasks import tasks_due
from records.trial import TRIAL_PASSWORD, Trial, fill_trial
from records.trial_company import (
    AREA_CODE,
    COUNTRY,
    CUSTOMERS,
    CYRILLIC_NUMBER,
    KHMER_NUMBER,
    SHARED_NUMBER,
    STAR_NAME,
    STAR_NUMBER,
    TIME_ZONE,
    UNKNOWN_NUMBER,
)

NOW = datetime(2026, 3, 10, 7, 30, tzinfo=UTC)  # half past two in the afternoon in Phnom Penh


def read_number(raw: str) -> ReadNumber:
    return read(raw, NumberPlan(COUNTRY, AREA_CODE))


def fill(database: Engine, tmp_path: Path, now: datetime = NOW, put: Callable[[str], str] = str) -> Trial:
    return fill_trial(database, tmp_path, read_number, now=now, put=put)


def rows(database: Engine) -> dict[str, int]:
    with reading(database) as session:
        return {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }


def test_the_star_has_everything_that_a_card_shows(database: Engine, tmp_path: Path) -> None:
    fill(database, tmp_path)
    with reading(database) as session:
        (star,) = customers.customers_with(session, STAR_NUMBER)
        page = customers.customer_page(session, star.id)
    assert page is not None
    assert star.name == STAR_NAME
    assert star.debt_minor > 0
    assert star.email
    assert star.address
    assert star.note
    assert photo_path(tmp_path, star.photo).is_file()
    assert photo_path(tmp_path, star.photo, 96).is_file()
    assert star.manager is not None
    assert [(phone.node, phone.name) for phone in star.manager.endpoints] == [("pbx", "101")]
    assert len([order for order in page.orders if order.state == "open"]) == 3
    assert page.tasks[0].state == "open"
    assert page.calls


def test_the_numbers_of_the_trial_lead_where_they_say(database: Engine, tmp_path: Path) -> None:
    fill(database, tmp_path)
    with reading(database) as session:
        found = {
            number: [customer.name for customer in customers.customers_with(session, number)]
            for number in (SHARED_NUMBER, UNKNOWN_NUMBER, KHMER_NUMBER, CYRILLIC_NUMBER)
        }
    assert found == {
        SHARED_NUMBER: ["Heng Sopheap", "Heng Ratha"],
        UNKNOWN_NUMBER: [],
        KHMER_NUMBER: ["សុខ បូផា"],
        CYRILLIC_NUMBER: ["Иванов Пётр Сергеевич"],
    }


def test_every_number_can_be_read_however_it_is_written(database: Engine, tmp_path: Path) -> None:
    fill(database, tmp_path)
    with reading(database) as session:
        assert session.scalars(select(PhoneNumber.raw).where(PhoneNumber.match_key.is_(None))).all() == []
        assert len(session.scalars(select(PhoneNumber.match_key).distinct()).all()) >= len(CUSTOMERS) - 1


def test_everybody_signs_in_and_knows_their_phone(database: Engine, tmp_path: Path) -> None:
    trial = fill(database, tmp_path)
    assert trial.password == TRIAL_PASSWORD
    assert users.sign_in(database, "sreymom", trial.password) is not None
    with reading(database) as session:
        for person in trial.people:
            user = users.user_by_login(session, person.login)
            assert user is not None
            assert user.role == person.role
            assert [phone.name for phone in user.endpoints] == ([person.phone] if person.phone else [])
            assert (user.deputy_id is not None) == bool(person.deputy)


def test_filling_twice_changes_nothing(database: Engine, tmp_path: Path) -> None:
    first = fill(database, tmp_path)
    assert first.customers_added == len(CUSTOMERS)
    assert STAR_NUMBER in first.touched.keys
    before = rows(database)
    second = fill(database, tmp_path, NOW + timedelta(minutes=40))
    assert (second.customers_added, bool(second.touched)) == (0, False)
    assert rows(database) == before


def test_what_its_people_wrote_is_in_the_language_of_the_trial(database: Engine, tmp_path: Path) -> None:
    fill(database, tmp_path, put=str.upper)
    with reading(database) as session:
        (star,) = customers.customers_with(session, STAR_NUMBER)
        page = customers.customer_page(session, star.id)
        assert page is not None
        assert (star.name, star.company, star.email) == (STAR_NAME, "Dara Rice Mill", "dara@ricemill.example")
        assert [number.label for number in star.numbers] == ["MOBILE", "WORK"]
        assert star.note.startswith("PREFERS TO BE CALLED IN THE MORNING.")
        assert page.tasks[0].title == "SEND THE NEW PRICE LIST FOR JASMINE RICE"
        assert {order.title for order in page.orders} == {order.title.upper() for order in page.orders}
        assert page.calls[0].reason == ("Rings the assigned manager Chan Sreymom; after that the company's own way."), (
            "reasons of calls are put where they are shown"
        )
        assert {user.team.name for user in users.list_users(session) if user.team} == {"OFFICE", "SALES", "SERVICE"}
    before = rows(database)
    assert not fill(database, tmp_path, put=str.upper).touched
    assert rows(database) == before


def test_on_another_day_there_are_calls_and_tasks_of_that_day(database: Engine, tmp_path: Path) -> None:
    fill(database, tmp_path)
    tomorrow = NOW + timedelta(days=1)
    assert fill(database, tmp_path, tomorrow).touched
    with reading(database) as session:
        today = calls.calls_of_day(session, tomorrow.date(), TIME_ZONE).items
        assert {call.outcome for call in today} >= {"answered", "missed", "abandoned"}
        assert session.query(Task).count() == 12
        due = [task.title for task in tasks_due(session, tomorrow + timedelta(hours=3))]
        assert "Send the new price list for jasmine rice" in due


@pytest.mark.parametrize("clock", ["17:00:01", "23:59:59", "07:30:00"])
def test_no_call_is_of_the_future_whatever_the_hour(database: Engine, tmp_path: Path, clock: str) -> None:
    now = datetime.fromisoformat(f"2026-03-10T{clock}+00:00")
    fill(database, tmp_path, now)
    with reading(database) as session:
        log = session.scalars(select(CallRow)).all()
    assert log
    for call in log:
        assert call.ended_at is not None
        assert call.started_at <= call.ended_at <= now
        assert (call.answered_at is not None) == (call.outcome == "answered")
        assert call.outcome != "answered" or call.answered_by_id is not None


def test_made_up_people_stay_out_of_a_real_companys_records(database: Engine, tmp_path: Path) -> None:
    with writing(database) as session:
        customers.add_customer(session, read_number, name="A real one", numbers=["012999999"])
    before = rows(database)
    with pytest.raises(Refused, match="1 customer of a real company"):
        fill(database, tmp_path)
    assert rows(database) == before


def test_what_a_visitor_changed_stays_changed(database: Engine, tmp_path: Path) -> None:
    fill(database, tmp_path)
    with writing(database) as session:
        (star,) = customers.customers_with(session, STAR_NUMBER)
        customers.change_customer(session, star.id, {"name": "Sok Dara Jr.", "debt_minor": 0})
        customers.add_customer(session, read_number, name="Entered in the trial", numbers=[UNKNOWN_NUMBER])
    fill(database, tmp_path, NOW + timedelta(days=2))
    with reading(database) as session:
        (star,) = customers.customers_with(session, STAR_NUMBER)
        assert (star.name, star.debt_minor) == ("Sok Dara Jr.", 0)
        assert session.query(Customer).count() == len(CUSTOMERS) + 1
